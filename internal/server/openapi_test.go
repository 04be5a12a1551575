package server

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestTheDocumentHasTheRoutes and none that there are not, and tells which of
// them are not served here.
func TestTheDocumentHasTheRoutes(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err == nil {
		err = doc.Validate(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{uploads: &uploads{}, patterns: make(map[string]bool)}
	mux := s.routes().(*http.ServeMux)
	left := maps.Clone(s.patterns)
	parameter := regexp.MustCompile(`\{\w+\}`)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			_, pattern := mux.Handler(httptest.NewRequest(method, parameter.ReplaceAllString(path, "x"), nil))
			if !s.patterns[pattern] {
				t.Errorf("%s %s is in the document and not in the routes: %q", method, path, pattern)
			}
			delete(left, pattern)
			hosted := slices.Contains(hostedOnly, pattern) || path == "/templates/{id}/tags"
			if told := op.Responses.Status(http.StatusNotImplemented) != nil; told != hosted {
				t.Errorf("%s %s: 501 in the document: %v; not served here: %v", method, path, told, hosted)
			}
			if _, needsKey := s.keyed()[pattern]; needsKey == (op.Security != nil) {
				t.Errorf("%s %s needs a key: %v", method, path, needsKey)
			}
		}
	}
	for pattern := range left {
		t.Errorf("%s is not in the document", pattern)
	}
}

// keyed are the routes that only keys lead to.
func (s *Server) keyed() map[string]func(*call) error {
	all := s.api()
	maps.Copy(all, s.ownRoutes())
	for _, pattern := range hostedOnly {
		all[pattern] = refuseHosted
	}
	return all
}
