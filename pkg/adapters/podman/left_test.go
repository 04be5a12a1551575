package podman

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/quixand/quixand/pkg/adapters"
)

// An engine and a client that die together in the middle of a snapshot leave a
// frozen sandbox, and a note that nobody holds.
func TestListThawsWhatASnapshotLeftFrozen(t *testing.T) {
	a := realAdapter(t)
	left, paused := created(t, a, nil), created(t, a, nil)
	for _, id := range []string{left, paused} {
		if err := a.Pause(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(a.dirs.Path(), left+".frozen"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	infos, err := a.List(t.Context(), adapters.Filter{Root: a.root})
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		want := map[string]adapters.State{left: adapters.StateRunning, paused: adapters.StatePaused}[info.ID]
		if info.State != want {
			t.Errorf("%s is %s, want %s", info.ID, info.State, want)
		}
	}
	if _, err := a.client(left).Status(t.Context()); err != nil {
		t.Errorf("the thawed sandbox: %v", err)
	}
	// Who pauses it now means it.
	if err := a.Pause(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	if _, err := a.List(t.Context(), adapters.Filter{Root: a.root}); err != nil {
		t.Fatal(err)
	}
	if info, err := a.Get(t.Context(), left); err != nil || info.State != adapters.StatePaused {
		t.Errorf("paused on purpose: %v, %v", info, err)
	}
}

// What a fork was made from is removed although nothing but its name reminds of
// the fork, and not while the fork lives.
func TestPruneRemovesWhatForksWereMadeFrom(t *testing.T) {
	a := realAdapter(t)
	source := created(t, a, nil)
	fork := created(t, a, func(s *adapters.Spec) { s.Fork = source })
	orphan := a.forkRepo() + ":gone"
	if _, err := podman(t.Context(), nil, "tag", a.forkRepo()+":"+fork, orphan); err != nil {
		t.Fatal(err)
	}
	removed, err := a.Prune(t.Context())
	if err != nil || !slices.Equal(removed, []string{orphan}) {
		t.Errorf("removed %v, %v", removed, err)
	}
	if there, err := podman(t.Context(), nil, "images", "--quiet", a.forkRepo()+":"+fork); err != nil || there == "" {
		t.Errorf("the image of a fork that lives: %q, %v", there, err)
	}
	for _, id := range []string{fork, source} {
		if err := a.Kill(t.Context(), id, adapters.KillOptions{Reason: adapters.ReasonKilled}); err != nil {
			t.Error(err)
		}
	}
	leftNothing(t, a)
}
