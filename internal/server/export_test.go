package server

import (
	"maps"
	"slices"

	"github.com/quixand/quixand/internal/serverapi"
)

// Patterns are all routes of the control plane but that of the events, whose
// answer has no end.
func Patterns() []string {
	s := &Server{uploads: &uploads{}}
	own := s.ownRoutes()
	delete(own, "GET "+serverapi.PathEvents)
	return slices.Concat(slices.Sorted(maps.Keys(s.api())), slices.Sorted(maps.Keys(own)), slices.Sorted(maps.Keys(s.open())), hostedOnly)
}
