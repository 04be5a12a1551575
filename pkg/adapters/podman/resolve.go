package podman

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
)

// Resolve completes an id by the directories of this root. One that is there
// decides; one that is not may have lost its directory, and only the engine
// can tell.
func (a *Adapter) Resolve(prefix string) (string, bool, error) {
	ids, err := a.dirs.IDs()
	if err != nil {
		return "", false, nil
	}
	if slices.Contains(ids, prefix) {
		return prefix, true, nil
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return !strings.HasPrefix(id, prefix) })
	switch len(ids) {
	case 0:
		return "", false, nil
	case 1:
		return ids[0], true, nil
	}
	return "", false, &adapters.Error{
		Adapter: Name, Kind: adapters.ErrInvalid,
		Err: fmt.Errorf("id %q is ambiguous: %s", prefix, strings.Join(ids, ", ")),
	}
}
