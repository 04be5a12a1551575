package local

import (
	"context"
	"strconv"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/internal/tombstone"
	"github.com/quixand/quixand/pkg/adapters"
)

const (
	// tailPatience is how long a kill waits for the last words of a sandbox.
	// It asks while the engine looks the container up.
	tailPatience = 100 * time.Millisecond
	// streamPatience is the same where the way there, which the engine has to
	// make, costs as long.
	streamPatience = time.Second
	// pastPatience bounds the engine's search in its past.
	pastPatience = 3 * time.Second
)

// birthOf is what to remember of a sandbox from its labels.
func (a *Adapter) birthOf(labels map[string]string) (*tombstone.Birth, error) {
	info, err := infoFrom(labels)
	if err != nil {
		return nil, err
	}
	return &tombstone.Birth{
		ID: info.ID, Adapter: a.name, Image: info.Image, Metadata: info.Metadata, Created: info.Created,
		Boot: bootclock.Now().Boot, Session: a.dirs.Session(),
		IdleTimeout: duration(labels[labelIdle]), Lifetime: duration(labels[labelLifetime]),
		MemoryBytes: info.Resources.MemoryBytes,
	}, nil
}

// memoryKills is what is counted of kills for want of memory; nil: nothing.
func (a *Adapter) memoryKills() *int64 {
	if counter, ok := a.engine.(MemoryCounter); ok {
		if kills, ok := counter.MemoryKills(); ok {
			return &kills
		}
	}
	return nil
}

func duration(milliseconds string) time.Duration {
	ms, err := strconv.ParseInt(milliseconds, 10, 64)
	if err != nil || ms < 0 {
		return adapters.NoTimeout
	}
	return time.Duration(ms) * time.Millisecond
}

// epitaph is what is known of a sandbox however it ended.
func (a *Adapter) epitaph(id string, b *tombstone.Birth) *adapters.Ended {
	e := &adapters.Ended{ID: id, Adapter: a.name, Root: a.root, Time: time.Now()}
	if b != nil {
		e.Name, e.Image, e.Metadata, e.Created = b.Name, b.Image, b.Metadata, b.Created
	}
	return e
}

// buryKilled remembers a sandbox that is about to be killed.
func (a *Adapter) buryKilled(s *sandbox, opts adapters.KillOptions, output string) {
	b, err := a.birthOf(s.Labels)
	if err == nil {
		b.Name = s.info.Name
		e := a.epitaph(b.ID, b)
		e.Reason, e.By, e.Limit, e.Output = opts.Reason, opts.By, limitOf(opts.Reason, b), output
		err = a.graves.Bury(e)
	}
	if err != nil {
		a.log.Debug("bury", "sandbox", s.info.ID, "error", err)
	}
}

// bury finds out how a sandbox has ended that nobody has killed through us, and
// remembers it. s is its container, if there still is one.
func (a *Adapter) bury(ctx context.Context, id string, s *sandbox) (*adapters.Ended, error) {
	if e, err := a.graves.Find(id); err == nil {
		return e, nil
	}
	ev, labels := a.investigate(ctx, id, s)
	if ev.birth == nil && ev.end == nil && ev.engine == (engineWord{}) {
		return nil, a.notFound(id)
	}
	birth := ev.birth
	if birth == nil && labels != nil {
		birth, _ = a.birthOf(labels)
	}
	e := a.epitaph(id, birth)
	ev.verdict(e)
	err := a.graves.BuryOnce(e)
	a.log.Debug("buried", "sandbox", id, "reason", e.Reason, "error", err)
	if s != nil && s.Stays {
		a.sweepOne(ctx, id)
	}
	return e, nil
}

// investigate collects the evidence, and the container's labels if the engine
// still knows them.
func (a *Adapter) investigate(ctx context.Context, id string, s *sandbox) (*evidence, map[string]string) {
	ev := &evidence{boot: bootclock.Now().Boot, session: a.dirs.Session()}
	ev.kills = a.memoryKills()
	ev.birth, _ = a.graves.Birth(id)
	ev.end = a.endOf(ctx, id, s)
	ev.log = a.lastWords(ctx, id, s)
	word, labels := a.recall(ctx, id, ev.birth)
	if s != nil {
		labels = s.Labels
		a.examine(ctx, &word, s)
	}
	ev.engine = word
	return ev, labels
}

// endOf is the word that the agent has left, or nil.
func (a *Adapter) endOf(ctx context.Context, id string, s *sandbox) *agentapi.End {
	end, err := agentsock.ReadEnd(a.dirs.Sandbox(id))
	if streamer, ok := a.engine.(Streamer); ok && err != nil && s != nil && s.Ended {
		end, err = streamer.End(ctx, s.ID)
	}
	if err != nil {
		a.log.Debug("read an end", "sandbox", id, "error", err)
		return nil
	}
	return end
}

// examine adds what the engine says of a container that it still has.
func (a *Adapter) examine(ctx context.Context, w *engineWord, s *sandbox) {
	starved, _ := a.engine.OutOfMemory(ctx, s.ID)
	w.noMemory = w.noMemory || starved
	if w.exit == nil && s.Ended && !s.EndedAt.IsZero() {
		w.died, w.exit = s.EndedAt, &s.ExitCode
	}
}

// recall asks the engine for its past: its events outlive its containers.
func (a *Adapter) recall(ctx context.Context, id string, b *tombstone.Birth) (word engineWord, labels map[string]string) {
	ctx, cancel := context.WithTimeout(ctx, pastPatience)
	defer cancel()
	since := time.Now().Add(-tombstone.MaxAge)
	if b != nil && b.Created.After(since) {
		since = b.Created
	}
	for past, err := range a.engine.Events(ctx, since, false, LabelID+"="+id) {
		if err != nil {
			a.log.Debug("ask for past events", "sandbox", id, "error", err)
			break
		}
		if past.ours() && past.Labels[LabelRoot] == a.root {
			labels = past.Labels
			word.learn(past)
		}
	}
	return word, labels
}

func (w *engineWord) learn(past Event) {
	switch past.Type {
	case adapters.EventKilled:
		w.told = true
	case adapters.EventMemory:
		w.noMemory = true
	case adapters.EventDied:
		w.died, w.exit = past.Time, past.ExitCode
	}
}

// askTail asks a sandbox for its last words, while its caller does something
// else. The function that it returns waits for the answer, and no longer than
// is worth it.
func (a *Adapter) askTail(ctx context.Context, id string) func() string {
	ctx, cancel := context.WithTimeout(ctx, streamPatience)
	// A connection of its own: one that is lost is not worth to be mended now.
	transport := a.dial.Transport(id, adapters.AgentPort)
	answer := make(chan string, 1)
	go func() {
		defer transport.CloseIdleConnections()
		if !a.streams(ctx, id) {
			soon, cancel := context.WithTimeout(ctx, tailPatience)
			defer cancel()
			ctx = soon
		}
		text, err := agentclient.New(transport).Tail(ctx)
		if err != nil {
			text = ""
		}
		answer <- text
	}()
	return func() string {
		defer cancel()
		return <-answer
	}
}
