package server

import (
	"maps"
	"slices"
)

// Patterns are all routes of the control plane.
func Patterns() []string {
	s := &Server{uploads: &uploads{}}
	return slices.Concat(slices.Sorted(maps.Keys(s.api())), slices.Sorted(maps.Keys(s.open())), hostedOnly)
}
