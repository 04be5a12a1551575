package podman

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/pkg/adapters"
)

// anotherProcess is an adapter of another process, which knows of a sandbox only what
// engine and disk can tell it.
func anotherProcess(t *testing.T, a *underTest) *underTest {
	t.Helper()
	b := newUnderTest(a.root)
	t.Cleanup(func() { b.Close() })
	return b
}

// answers fails unless the sandbox can be spoken to.
func answers(t *testing.T, a *underTest, id string) {
	t.Helper()
	if s, err := a.client(id).Status(t.Context()); err != nil || s.ID != id {
		t.Errorf("status: %+v, %v", s, err)
	}
}

// Whatever is deleted of a sandbox's files on the host, the next call from
// whichever process finds and reaches it.
func TestStateIsRebuilt(t *testing.T) {
	for name, damage := range map[string]func(a *underTest, id string) error{
		"socket":            func(a *underTest, id string) error { return os.Remove(socketIn(a, id)) },
		"directory":         func(a *underTest, id string) error { return os.RemoveAll(a.dirs.Sandbox(id)) },
		"log":               func(a *underTest, id string) error { return os.Remove(a.dirs.Log(id)) },
		"runtime directory": func(a *underTest, _ string) error { return os.RemoveAll(a.dirs.Path()) },
		"Quixand root":      func(a *underTest, _ string) error { return os.RemoveAll(a.root) },
		"directory replaced": func(a *underTest, id string) error {
			return errors.Join(os.RemoveAll(a.dirs.Sandbox(id)), os.Mkdir(a.dirs.Sandbox(id), 0o700))
		},
		"socket replaced": func(a *underTest, id string) error {
			return errors.Join(os.Remove(socketIn(a, id)), deadSocket(socketIn(a, id)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := realAdapter(t)
			id := created(t, a, nil)
			if err := damage(a, id); err != nil {
				t.Fatal(err)
			}
			b := anotherProcess(t, a)
			infos, err := b.List(t.Context(), adapters.Filter{Root: a.root})
			if err != nil || len(infos) != 1 || infos[0].ID != id {
				t.Errorf("list: %v, %v", infos, err)
			}
			answers(t, b, id)
			answers(t, anotherProcess(t, a), id)
			if err := b.Kill(t.Context(), id, adapters.KillOptions{Reason: adapters.ReasonKilled}); err != nil {
				t.Error(err)
			}
			leftNothing(t, a)
		})
	}
}

// Podman's CLI does not help those who tell it where the engine is.
func TestStateIsRebuiltWhereTheEngineIsNamed(t *testing.T) {
	a := realAdapter(t)
	id := created(t, a, nil)
	where, err := a.engine.locate()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(a.dirs.Path()); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONTAINER_HOST", "unix://"+where.sockets[0])
	answers(t, anotherProcess(t, a), id)
}

func socketIn(a *underTest, id string) string {
	return filepath.Join(a.dirs.Sandbox(id), agentapi.SocketName)
}

func deadSocket(path string) error {
	l, err := listen(path)
	if err != nil {
		return err
	}
	return l.Close()
}

// Those who find at the same time that a directory is gone do not stand in
// each other's way.
func TestStateIsRebuiltOnce(t *testing.T) {
	a := realAdapter(t)
	id := created(t, a, nil)
	for range 3 {
		if err := os.RemoveAll(a.dirs.Path()); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 8 {
			b := anotherProcess(t, a)
			all.Go(func() { answers(t, b, id) })
		}
		all.Wait()
	}
}

// A connection that was open all the time does not notice.
func TestConversationSurvivesItsDirectory(t *testing.T) {
	a := realAdapter(t)
	id := created(t, a, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.client(id).AwaitEnd(ctx) }()
	answers(t, a, id)
	if err := os.RemoveAll(a.dirs.Path()); err != nil {
		t.Fatal(err)
	}
	answers(t, anotherProcess(t, a), id)
	select {
	case err := <-ended:
		t.Errorf("the connection broke: %v", err)
	default:
	}
}

// A sandbox whose root puts something else where its socket's directory is
// loses the conversation, and gets nothing of the host for it.
func TestRebuildingFollowsNoLink(t *testing.T) {
	a := realAdapter(t)
	id := created(t, a, nil)
	script := "mkdir -p /tmp/trap/sock && mv /run/quixand /run/moved && ln -s /tmp/trap /run/quixand"
	out, err := a.client(id).Start(t.Context(), &agentclient.Start{Path: "sh", Args: []string{"-c", script}, User: "root"})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := out.Next(); err != nil || e.Exit == nil || e.Exit.Code != 0 {
		t.Fatalf("planting: %+v, %s, %v", e.Exit, e.Data, err)
	}
	if err := os.RemoveAll(a.dirs.Path()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, err = anotherProcess(t, a).client(id).Status(t.Context())
	if _, ok := errors.AsType[*adapters.Error](err); !ok {
		t.Errorf("status: %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
