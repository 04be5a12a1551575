package adapters

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// Newest orders sandboxes as lists do: the newest first, and those of one moment
// by id.
func Newest(x, y *Info) int {
	return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(x.ID, y.ID))
}

// Cursor marks the sandbox's place in lists: what comes behind it does so
// whatever else comes and goes, the sandbox itself included.
func (i *Info) Cursor() string {
	return strconv.FormatInt(i.Created.UnixNano(), 36) + "-" + i.ID
}

// ParseCursor reads a [Info.Cursor] back, as an Info for [Newest].
func ParseCursor(s string) (place *Info, ok bool) {
	created, id, _ := strings.Cut(s, "-")
	ns, err := strconv.ParseInt(created, 36, 64)
	if err != nil || !ValidID(id) {
		return nil, false
	}
	return &Info{ID: id, Created: time.Unix(0, ns)}, true
}
