package remote

import (
	"reflect"
	"slices"
	"testing"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// TestNoFieldOfASpecIsForgotten: what is new in one has to travel, or to be the
// business of one end alone.
func TestNoFieldOfASpecIsForgotten(t *testing.T) {
	here := []string{"Root", "Ports", "Startup", "Enforcers", "Progress"}
	sent := reflect.TypeFor[serverapi.Spec]()
	for f := range reflect.TypeFor[adapters.Spec]().Fields() {
		_, travels := sent.FieldByName(f.Name)
		if travels == slices.Contains(here, f.Name) {
			t.Errorf("%s: sent: %v", f.Name, travels)
		}
		if !travels {
			continue
		}
		s := new(adapters.Spec)
		v := reflect.ValueOf(s).Elem().FieldByIndex(f.Index)
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(true)
		case reflect.String:
			v.SetString("x")
		case reflect.Int64:
			v.SetInt(7)
		case reflect.Map:
			v.Set(reflect.ValueOf(map[string]string{"k": "v"}))
		default:
			continue
		}
		if reflect.ValueOf(specOf(s)).Elem().FieldByName(f.Name).IsZero() {
			t.Errorf("%s is not told", f.Name)
		}
	}
}
