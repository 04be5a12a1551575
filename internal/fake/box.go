package fake

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/agent"
	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// box is one sandbox: an agent and its directories.
type box struct {
	info    adapters.Info
	dir     string // of everything
	sockets string

	agent  *agent.Agent
	cancel context.CancelFunc
	served chan struct{} // closed when the agent takes no calls any more
	once   sync.Once
}

// newBox makes the directories of a sandbox.
func newBox(spec *adapters.Spec) (*box, error) {
	// Short: a socket's path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "qs")
	if err != nil {
		return nil, err
	}
	b := &box{dir: dir, sockets: filepath.Join(dir, "sock"), served: make(chan struct{})}
	b.info = adapters.Info{
		ID: spec.ID, Name: spec.Name, Snapshot: spec.Snapshot, Fork: spec.Fork, Adapter: Name, Image: spec.Image, State: adapters.StateRunning,
		Created: time.Now(), Workdir: filepath.Join(dir, "workspace"), Network: spec.Network,
		Metadata: spec.Metadata, Startup: spec.Startup, Root: spec.Root, Ephemeral: spec.Ephemeral,
		IdleTimeout: spec.IdleTimeout, Lifetime: spec.Lifetime, OnTimeout: spec.OnTimeout, Enforcers: spec.Enforcers,
	}
	for _, d := range []string{b.home(), b.info.Workdir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			_ = os.RemoveAll(dir)
			return nil, err
		}
	}
	return b, nil
}

func (b *box) home() string { return filepath.Join(b.dir, "home") }

// start starts the agent.
func (b *box) start(spec *adapters.Spec) error {
	var err error
	b.agent, err = agent.New(agent.Config{
		Version: Name, ID: spec.ID, Home: b.home(), Workdir: b.info.Workdir,
		Env:         []string{"PATH=" + os.Getenv("PATH")},
		IdleTimeout: spec.IdleTimeout, Lifetime: spec.Lifetime, Lease: spec.Ephemeral, FixedTimeout: spec.FixedTimeout,
		Enforcers: spec.Enforcers, OnTimeout: string(spec.OnTimeout),
	})
	if err != nil {
		return err
	}
	listener, err := agent.Listen(b.sockets)
	if err != nil {
		_ = b.agent.Close()
		b.agent = nil
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	go func() {
		defer close(b.served)
		if err := b.agent.Serve(ctx, listener); err != nil {
			_ = b.buryEnded(b.agent.End(err, agentapi.ExitDeadline))
		}
	}()
	return nil
}

// close ends the agent, if there is one, and what runs in it, and removes the
// directories.
func (b *box) close() {
	b.once.Do(func() {
		if b.agent != nil {
			b.cancel()
			<-b.served
			_ = b.agent.Close()
		}
		_ = os.RemoveAll(b.dir)
	})
}

// describe is for those who hold the engine's lock.
func (b *box) describe() *adapters.Info {
	info := b.info
	info.Age = time.Since(info.Created)
	select {
	case <-b.agent.Done(): // and about to be forgotten
		info.State = adapters.StateStopped
	default:
	}
	return &info
}
