package docker

import (
	"context"
	"sync"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// birth listens to a container from before its start until its agent is ready.
// The daemon removes it as soon as it ends, with its log and its exit code.
type birth struct {
	stop   context.CancelFunc
	end    <-chan exit
	attach *client.HijackedResponse // or nil
	heard  chan struct{}            // closed when all that it has said was heard

	mu   sync.Mutex
	last []byte
}

// attend attaches to a container that is not started yet. Podman attaches to
// none that is not running, and nothing is heard of it then.
func (c *connection) attend(ctx context.Context, id string) *birth {
	waiting, stop := context.WithCancel(context.WithoutCancel(ctx))
	b := &birth{stop: stop, heard: make(chan struct{})}
	attached, err := c.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	b.end = c.exit(waiting, id, container.WaitConditionNextExit)
	if err != nil {
		close(b.heard)
		return b
	}
	b.attach = &attached.HijackedResponse
	go func() {
		defer close(b.heard)
		_, _ = stdcopy.StdCopy(b, b, b.attach.Reader)
	}()
	return b
}

// Write keeps the end of what the container says.
func (b *birth) Write(p []byte) (int, error) {
	const enough = 2 << 10
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = append(b.last, p...)
	b.last = b.last[max(0, len(b.last)-enough):]
	return len(p), nil
}

// said is what was heard of a container that has ended.
func (b *birth) said() string {
	<-b.heard
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.last)
}

func (b *birth) close() {
	b.stop()
	if b.attach != nil {
		b.attach.Close()
	}
	<-b.heard
}

func (e *engine) birthOf(id string) *birth {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.births[id]
}

// setBirth remembers a birth, or ends it when there is no other.
func (e *engine) setBirth(id string, b *birth) {
	e.mu.Lock()
	before := e.births[id]
	if b != nil {
		e.births[id] = b
	} else {
		delete(e.births, id)
	}
	e.mu.Unlock()
	if before != nil {
		before.close()
	}
}

func (e *engine) forgetBirths() {
	e.mu.Lock()
	births := e.births
	e.births = make(map[string]*birth)
	e.mu.Unlock()
	for _, b := range births {
		b.close()
	}
}
