package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// Rename gives the sandbox's container another name.
func (a *Adapter) Rename(ctx context.Context, id, name string) error {
	s, err := a.existing(ctx, id)
	if err != nil {
		return err
	}
	unlock, err := a.reserve(ctx, id, name)
	if err != nil {
		return err
	}
	defer unlock()
	if s.info.Name != name {
		if err := a.engine.Rename(ctx, s.ID, nameContainer(id, name)); err != nil {
			return err
		}
	}
	a.noteName(id, name)
	return nil
}

// reserve makes sure that nobody else has a name, nor takes it until unlock:
// names are the root's, and the engine minds only those of containers, which
// differ by the id. No name is free for everybody.
func (a *Adapter) reserve(ctx context.Context, id, name string) (unlock func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	unlock, err = a.dirs.LockName(name)
	if errors.Is(err, statedir.ErrClaimed) {
		return nil, a.taken(name)
	}
	if err != nil {
		return nil, a.mapError(err)
	}
	err = a.checkFree(ctx, id, name)
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func (a *Adapter) checkFree(ctx context.Context, id, name string) error {
	found, err := a.list(ctx, LabelRoot+"="+a.root)
	if err != nil {
		return err
	}
	for _, s := range found {
		has := s.info.Name == name && s.info.State != adapters.StateStopped
		if s.info.ID != id && has || s.info.ID == name {
			return a.taken(name)
		}
	}
	return nil
}

func (a *Adapter) taken(name string) error {
	return &adapters.Error{
		Adapter: a.name, Kind: adapters.ErrExists,
		Err:  fmt.Errorf("there is a sandbox %s already", name),
		Hint: "choose another name, or rename that sandbox first",
	}
}

// noteName is for those who look a name up without the engine. A note that
// cannot be made costs them a question to it.
func (a *Adapter) noteName(id, name string) {
	if err := a.dirs.SetName(id, name); err != nil {
		a.log.Debug("the name is not noted", "sandbox", id, "error", err)
	}
}

// noteNames notes what the engine has listed where something else is noted.
func (a *Adapter) noteNames(listed []*sandbox) {
	noted, err := a.dirs.Names()
	if err != nil {
		a.log.Debug("names", "error", err)
	}
	for _, s := range listed {
		if s.info.Root != a.root {
			continue
		}
		if noted[s.info.ID] != s.info.Name {
			a.noteName(s.info.ID, s.info.Name)
		}
		delete(noted, s.info.ID)
	}
	for id := range noted {
		if _, err := os.Lstat(a.dirs.Sandbox(id)); errors.Is(err, fs.ErrNotExist) {
			a.noteName(id, "")
		}
	}
}
