package local

import "slices"

// Resolve knows a whole id by its directory, and a name by a note of it. What
// part of an id stands for only the engine can tell: some sandboxes may have
// lost their directories.
func (a *Adapter) Resolve(ref string) (string, bool, error) {
	ids, err := a.dirs.IDs()
	if err != nil {
		return "", false, nil
	}
	if slices.Contains(ids, ref) {
		return ref, true, nil
	}
	if owners := a.named(ref); len(owners) == 1 {
		return owners[0], true, nil
	}
	return "", false, nil
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
