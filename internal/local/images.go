package local

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
)

// LabelFilter is what engines are asked for images with: each label with its
// value, or alone for any value.
func LabelFilter(labels map[string]string) []string {
	var wanted []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		wanted = append(wanted, strings.TrimSuffix(k+"="+labels[k], "="))
	}
	return wanted
}

// NewestFirst sorts images as [adapters.ImageStore] lists them.
func NewestFirst(images []*adapters.Image) {
	slices.SortStableFunc(images, func(x, y *adapters.Image) int {
		return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(x.ID, y.ID))
	})
}
