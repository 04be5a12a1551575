// Package nearest finds what somebody may have meant who has misspelt a name.
package nearest

import (
	"cmp"
	"slices"
	"strings"
)

// To returns the names that are like this one, the most alike first, each once: a
// few letters differ, or it is how they begin.
func To(name string, known []string) []string {
	var near []string
	for _, k := range known {
		if distance(name, k) <= 1+len(name)/4 || len(name) > 2 && strings.HasPrefix(k, name) {
			near = append(near, k)
		}
	}
	slices.SortFunc(near, func(x, y string) int {
		return cmp.Or(cmp.Compare(distance(name, x), distance(name, y)), cmp.Compare(x, y))
	})
	return slices.Compact(near)
}

// distance is how many letters must be put in, taken out or replaced to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
