package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// mendTimeout bounds the way back to a sandbox, which takes a tenth of a second.
// Somebody else who is at it may find that the sandbox is about to end, and says
// nothing then: E2B's clients give its end up for unknown after five seconds.
const (
	mendTimeout   = 10 * time.Second
	mendsOfOthers = 3 * time.Second
)

// mend gives a sandbox that the engine says is running its socket back, which
// somebody has deleted on the host. It is an [agentsock.Mender].
func (a *Adapter) mend(ctx context.Context, id string, lost error) error {
	mender, ok := a.engine.(Mender)
	if !ok {
		return lost
	}
	ctx, cancel := context.WithTimeout(ctx, mendTimeout)
	defer cancel()
	s, err := a.find(ctx, id)
	if err != nil {
		return lost
	}
	if s == nil || s.info.State != adapters.StateRunning {
		return lost
	}
	claim, made, err := a.reclaim(id)
	if errors.Is(err, statedir.ErrClaimed) {
		// It is in the making, or somebody else is at this.
		ctx, cancel := context.WithTimeout(ctx, mendsOfOthers)
		defer cancel()
		return a.awaitSocket(ctx, id, func() error { return nil })
	}
	if err != nil {
		return a.mapError(err)
	}
	defer claim.Release()
	if err := a.restore(ctx, mender, s, made); err != nil {
		e := *mapped(err)
		e.Op, e.Adapter, e.ID = "restore the socket of", a.name, id
		a.log.Warn("lost a sandbox's socket", "sandbox", id, "error", err)
		return &e
	}
	a.log.Info("gave a sandbox its socket back", "sandbox", id)
	return nil
}

// reclaim takes hold of a sandbox's directory, which it makes where there is
// none.
func (a *Adapter) reclaim(id string) (claim *statedir.Claim, made bool, err error) {
	for {
		claim, err = a.dirs.Create(id)
		if !errors.Is(err, fs.ErrExist) {
			return claim, err == nil, err
		}
		claim, err = a.dirs.Claim(id)
		if !errors.Is(err, fs.ErrNotExist) { // it may go meanwhile
			return claim, false, err
		}
	}
}

// restore has the agent make its socket anew: in the directory that it still
// shares with the host, or in a new one.
func (a *Adapter) restore(ctx context.Context, mender Mender, s *sandbox, made bool) error {
	dir := a.dirs.Sandbox(s.info.ID)
	if !made {
		if conn, err := agentsock.Dial(ctx, dir); err == nil {
			return conn.Close() // somebody else has been here
		}
	}
	agent, err := a.agent.Find(ctx)
	if err != nil {
		return err
	}
	// What nobody listens on any more would be taken for what is awaited.
	if err := os.Remove(filepath.Join(dir, agentapi.SocketName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.awaitSocket(ctx, s.info.ID, func() error { return mender.Mend(ctx, s.Container, dir, agent, made) })
}

// awaitSocket returns when something that was begun has made a socket appear.
func (a *Adapter) awaitSocket(ctx context.Context, id string, begin func() error) error {
	watch, err := a.watcher.Watch(a.dirs.Sandbox(id))
	if err != nil {
		return err
	}
	defer watch.Close()
	if err := begin(); err != nil {
		return err
	}
	return watch.Wait(ctx)
}
