package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// document is the OpenAPI document as its readers find operations in it.
var document = sync.OnceValues(func() (routers.Router, error) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// conforms says what is wrong with an answer of the control plane, by the
// document. Every answer that a test gets is held to it.
func conforms(a *answer) error {
	router, err := document()
	if err != nil {
		return err
	}
	route, _, err := router.FindRoute(a.Request)
	if err != nil { // a path of nobody's
		if a.StatusCode < http.StatusBadRequest {
			return fmt.Errorf("an answer, and no operation: %w", err)
		}
		return nil
	}
	want := route.Operation.Responses.Status(a.StatusCode)
	if want == nil && a.StatusCode >= http.StatusBadRequest {
		want = route.Operation.Responses.Default()
	}
	if want == nil {
		return errors.New("the document has no such status")
	}
	if len(want.Value.Content) == 0 {
		if len(a.body) > 0 {
			return errors.New("the document has no body")
		}
		return nil
	}
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	content := want.Value.Content.Get(kind)
	if content == nil {
		return fmt.Errorf("the document has no %q", kind)
	}
	if kind != "application/json" {
		return nil
	}
	var body any
	if err := json.Unmarshal(a.body, &body); err != nil {
		return err
	}
	return content.Schema.Value.VisitJSON(body, openapi3.EnableFormatValidation())
}

// isControl tells answers of the control plane from those of the data plane.
func isControl(r *http.Request) bool {
	return r.Header.Get("E2b-Sandbox-Id") == "" && r.Header.Get("E2b-Sandbox-Port") == "" &&
		!strings.Contains(r.Host, ".test") && !strings.HasPrefix(r.URL.Path, "/files")
}

// TestTheDocumentIsHeldTo lets nothing else pass.
func TestTheDocumentIsHeldTo(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base"}`)
	good := w.call(http.StatusOK, "GET", "/sandboxes/"+sb.ID, "")
	if err := conforms(good); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*answer){
		"a field that is missing":      func(a *answer) { a.body = []byte(`{"sandboxID":"x"}`) },
		"a field that is not there":    func(a *answer) { a.body = []byte(strings.Replace(string(a.body), "{", `{"more":1,`, 1)) },
		"a state that there is not":    func(a *answer) { a.body = []byte(strings.ReplaceAll(string(a.body), `"running"`, `"dead"`)) },
		"a status that there is not":   func(a *answer) { a.StatusCode = http.StatusCreated },
		"an error that is none":        func(a *answer) { a.StatusCode = http.StatusNotFound },
		"a body where there is no one": func(a *answer) { a.Request.Method, a.StatusCode = "DELETE", http.StatusNoContent },
	} {
		bad := w.call(http.StatusOK, "GET", "/sandboxes/"+sb.ID, "")
		if change(bad); conforms(bad) == nil {
			t.Errorf("%s passes", what)
		}
	}
	if a := w.ask("GET", "/openapi.yaml", ""); a.StatusCode != http.StatusOK || !strings.HasPrefix(string(a.body), "# What qs serve answers") {
		t.Errorf("%d: %.100s", a.StatusCode, a.body)
	}
}
