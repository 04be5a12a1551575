package quixand

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentclient"
)

// LogOptions says what [Sandbox.Logs] reports.
type LogOptions struct {
	// Follow goes on with what happens from now on, until the sandbox ends,
	// which is no error, or ctx does.
	Follow bool
	// Tail leaves out all but the last lines that commands have written, and
	// what was before them; zero leaves out nothing.
	Tail int
}

// LogEntry is one thing that happened in a sandbox. It is the word of the
// sandbox: its text may be anything.
type LogEntry struct {
	Time time.Time
	// Type is "ready" (the agent began), "start" and "exit" (of a command),
	// "output", "oom" (the kernel killed a process for want of memory) or
	// "lost" (entries are missing here).
	Type     string
	PID      int    // of the command
	Command  string // of start: the beginning of its command line
	Stream   string // of output: "stdout", "stderr" or "pty"
	Data     []byte // of output
	ExitCode int    // of exit; -1 when a signal ended the command
	Status   string // of exit, in words
	Lost     int64  // of lost: at most so many entries; of output: bytes before Data
}

// Logs reports what ran in the sandbox and what it wrote, oldest first, as far
// as the agent has kept it: some 64 KiB of output and some hundred commands.
// It is no activity, and no way to get all the output of a command: that is
// the command's own.
func (s *Sandbox) Logs(ctx context.Context, opts *LogOptions) iter.Seq2[LogEntry, error] {
	if opts == nil {
		opts = &LogOptions{}
	}
	return func(yield func(LogEntry, error) bool) {
		if opts.Tail < 0 {
			yield(LogEntry{}, s.client.wrap("logs", s.id, invalid("tail: %d lines", opts.Tail)))
			return
		}
		err := s.logs(ctx, opts, func(r agentapi.Record) bool { return yield(newLogEntry(&r), nil) })
		if err != nil {
			yield(LogEntry{}, err)
		}
	}
}

func newLogEntry(r *agentapi.Record) LogEntry {
	return LogEntry{
		Time: r.Time, Type: string(r.Type), PID: int(r.PID), Command: r.Command, Stream: r.Stream, Data: r.Data,
		ExitCode: r.ExitCode, Status: r.Status, Lost: r.Lost,
	}
}

func (s *Sandbox) logs(ctx context.Context, opts *LogOptions, yield func(agentapi.Record) bool) error {
	var kept []agentapi.Record
	after := int64(0)
	err := s.agent.Journal(ctx, agentclient.JournalOptions{}, func(r agentapi.Record) bool {
		kept, after = append(kept, r), r.Seq
		return true
	})
	if err != nil {
		return s.wrap(ctx, "logs", err)
	}
	if opts.Tail > 0 {
		kept = lastLines(kept, opts.Tail)
	}
	for _, r := range kept {
		if !yield(r) {
			return nil
		}
	}
	if !opts.Follow {
		return nil
	}
	return s.follow(ctx, agentclient.JournalOptions{After: after, Follow: true}, yield)
}

// follow reads on where a connection has broken, until the sandbox has ended.
func (s *Sandbox) follow(ctx context.Context, o agentclient.JournalOptions, yield func(agentapi.Record) bool) error {
	for {
		enough := false
		began := time.Now()
		err := s.agent.Journal(ctx, o, func(r agentapi.Record) bool {
			o.After, enough = r.Seq, !yield(r)
			return !enough
		})
		if enough {
			return nil
		}
		if err = s.wrap(ctx, "logs", err); errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil && ctx.Err() != nil {
			err = s.client.wrap("logs", s.id, ctx.Err())
		}
		if err == nil && time.Since(began) < time.Second {
			// Twice in a row is no accident: is there still a sandbox?
			_, err = s.Status(ctx)
		}
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// lastLines drops the beginning of what a journal has kept. Lines are those of
// all output together.
func lastLines(records []agentapi.Record, lines int) []agentapi.Record {
	last := true // no byte comes later
	for i := len(records) - 1; i >= 0; i-- {
		r := &records[i]
		if r.Type != agentapi.RecordOutput || len(r.Data) == 0 {
			continue
		}
		end := len(r.Data)
		if last && r.Data[end-1] == '\n' {
			end-- // it begins no line
		}
		last = false
		for end = bytes.LastIndexByte(r.Data[:end], '\n'); end >= 0; end = bytes.LastIndexByte(r.Data[:end], '\n') {
			if lines--; lines == 0 {
				r.Data = r.Data[end+1:]
				return records[i:]
			}
		}
	}
	return records
}
