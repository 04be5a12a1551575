package labels

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, good := range []map[string]string{
		nil,
		{"k": ""},
		{"a.b/c_d-e": "any text, with = and ünïcode"},
		{strings.Repeat("k", 63): strings.Repeat("v", 256)},
	} {
		if err := Check(good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, bad := range []map[string]string{
		{"": "v"},
		{"-k": "v"},
		{"k-": "v"},
		{"k=": "v"},
		{"k k": "v"},
		{"ü": "v"},
		{strings.Repeat("k", 64): "v"},
		{"k": strings.Repeat("v", 257)},
		{"k": "two\nlines"},
		{"k": "\xff"},
	} {
		if Check(bad) == nil {
			t.Errorf("%v is good", bad)
		}
	}
}

func TestChange(t *testing.T) {
	var s Set
	for _, step := range []struct {
		set    map[string]string
		remove []string
		want   map[string]string // nil: refused
	}{
		{map[string]string{"a": "1", "b": "2"}, nil, map[string]string{"a": "1", "b": "2"}},
		{map[string]string{"a": "3"}, []string{"b", "nosuch"}, map[string]string{"a": "3"}},
		{map[string]string{"c": "4", "-": "5"}, []string{"a"}, nil},
		{map[string]string{"a": "4"}, []string{"a"}, map[string]string{"a": "4"}},
		{nil, []string{"a"}, map[string]string{}},
	} {
		before := maps.Clone(s.All())
		err := s.Change(step.set, step.remove)
		if step.want == nil {
			step.want = before
			if err == nil {
				t.Errorf("%v was not refused", step)
			}
		}
		if !maps.Equal(s.All(), step.want) {
			t.Errorf("%v gives %v", step, s.All())
		}
	}
}

func TestThereAreNotTooMany(t *testing.T) {
	var s Set
	for i := range Most {
		if err := s.Change(map[string]string{fmt.Sprint(i): ""}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if s.Change(map[string]string{"more": ""}, nil) == nil {
		t.Error("there is no end of labels")
	}
	if err := s.Change(map[string]string{"more": ""}, []string{"0"}); err != nil {
		t.Errorf("one for another: %v", err)
	}
}
