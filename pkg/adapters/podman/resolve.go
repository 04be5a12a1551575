package podman

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
)

// Resolve completes an id, or finds a name, by the directories of this root and
// the names that are noted there. What is there decides; what is not may have
// been lost, and only the engine can tell.
func (a *Adapter) Resolve(ref string) (string, bool, error) {
	ids, err := a.dirs.IDs()
	if err != nil {
		return "", false, nil
	}
	if slices.Contains(ids, ref) {
		return ref, true, nil
	}
	if owners := a.named(ref); len(owners) > 0 {
		return owners[0], len(owners) == 1, nil
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return !strings.HasPrefix(id, ref) })
	switch len(ids) {
	case 0:
		return "", false, nil
	case 1:
		return ids[0], true, nil
	}
	return "", false, &adapters.Error{
		Adapter: Name, Kind: adapters.ErrInvalid,
		Err: fmt.Errorf("id %q is ambiguous: %s", ref, strings.Join(ids, ", ")),
	}
}

// named lists the sandboxes for which a name is noted. It is more than one when
// the name was given anew and the one that had it is not swept yet.
func (a *Adapter) named(name string) []string {
	names, err := a.dirs.Names()
	if err != nil {
		return nil
	}
	var owners []string
	for id, n := range names {
		if n == name {
			owners = append(owners, id)
		}
	}
	return owners
}
