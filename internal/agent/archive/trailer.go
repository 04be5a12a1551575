package archive

import "io"

// trailer sees whether an archive ends as it should, in two blocks of zeros.
// Package tar takes any end between two entries for the end of the archive, so
// that one that was cut off there would look whole.
type trailer struct {
	r     io.Reader
	zeros int // at the end of what was read
}

func (t *trailer) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	trailing := 0
	for trailing < n && p[n-1-trailing] == 0 {
		trailing++
	}
	if trailing == n {
		t.zeros += n
	} else {
		t.zeros = trailing
	}
	return n, err
}

// mark says that an entry's data were read; zeros among them do not count.
func (t *trailer) mark() { t.zeros = 0 }

// complete reports whether the zeros since then are more than the filling
// behind an entry.
func (t *trailer) complete() bool { return t.zeros >= 2*512 }
