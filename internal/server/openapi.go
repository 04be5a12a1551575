package server

import (
	_ "embed"
	"net/http"
)

// openAPI describes the control plane, for people and their tools: nothing in it
// is secret, and no key is needed to read it.
//
//go:embed openapi.yaml
var openAPI []byte

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
}
