package process

import (
	"net/http"
	"time"

	"github.com/quixand/quixand/internal/agent/output"
	"github.com/quixand/quixand/internal/agentapi"
)

// lingering is a stream that has ended before its process, and that another one
// may replace. Its subscription goes on, so that the process waits with more
// output than the ring holds.
type lingering struct {
	sub  *output.Subscription
	kill *time.Timer
}

// hold ties a process to a stream of its output as the stream's caller wants it.
// release is for the stream's end.
func (p *proc) hold(h http.Header, sub *output.Subscription) (release func()) {
	if h.Get(agentapi.HeaderOnDisconnect) != agentapi.OnDisconnectLinger {
		return sub.Close
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holders++
	p.replace(nil)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		// The stream that replaces one may begin before the end of that is noticed.
		if p.holders--; p.over || p.holders > 0 {
			sub.Close()
			return
		}
		p.replace(&lingering{sub, time.AfterFunc(agentapi.LingerFor, p.giveUp)})
	}
}

// replace is for those who hold the lock.
func (p *proc) replace(by *lingering) {
	if old := p.linger; old != nil {
		old.kill.Stop()
		old.sub.Close()
	}
	p.linger = by
}

// giveUp kills a process that nobody has come back for.
func (p *proc) giveUp() {
	p.mu.Lock()
	given := p.linger != nil
	p.replace(nil)
	p.mu.Unlock()
	if given {
		p.kill()
	}
}
