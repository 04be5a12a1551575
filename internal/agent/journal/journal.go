// Package journal keeps the end of what a sandbox's commands have written, and
// when they began and ended, for people who ask what went on: once, or as it
// goes on. It is no archive and no transport of output, which is package
// output's: a journal never waits for its readers, and tells them what they
// have missed.
//
// What commands write, and when they begin and end, is bounded apart from one
// another: no flood of output drowns the news that a command has ended.
package journal

import (
	"sync"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
)

const (
	// outputBytes and maxPieces bound the output that is kept.
	outputBytes = 64 << 10
	maxPieces   = 2 << 10
	// maxPiece is how much of one write is kept. Copying more of a flood
	// would cost throughput, and the next write replaces it anyway.
	maxPiece = 8 << 10
	// maxNotes bounds the other records, and maxCommand what one of them tells
	// of a command.
	maxNotes   = 512
	maxCommand = 256
)

// Journal is the journal of one sandbox. It is safe for concurrent use.
type Journal struct {
	mu      sync.Mutex
	seq     int64
	notes   []agentapi.Record // all but output, oldest first
	dropped int64             // sequence number of the newest note that is not kept
	pieces  []piece           // output, oldest first
	buf     []byte            // circular; nil until something was written
	end     int64             // bytes that were ever kept
	missed  int64             // sequence number of the newest piece that is not kept
	changed chan struct{}     // closed at the next record; nil while nobody waits
}

// piece is one write of a command. Its bytes are in buf, up to end.
type piece struct {
	seq    int64
	at     time.Time
	pid    uint32
	stream string
	size   int
	lost   int64
	end    int64
}

// New returns a journal that begins with the agent's being ready.
func New() *Journal {
	j := &Journal{}
	j.Note(agentapi.Record{Type: agentapi.RecordReady})
	return j
}

// Note adds a record that is no output. Its number and time are set here.
func (j *Journal) Note(r agentapi.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(r)
}

func (j *Journal) note(r agentapi.Record) {
	r.Seq, r.Time = j.next(), time.Now()
	if len(j.notes) == maxNotes {
		j.dropped = j.notes[0].Seq
		copy(j.notes, j.notes[1:])
		j.notes = j.notes[:maxNotes-1]
	}
	j.notes = append(j.notes, r)
}

// next counts a record and wakes those who wait for it.
func (j *Journal) next() int64 {
	j.seq++
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
	return j.seq
}

// write keeps the end of p.
func (j *Journal) write(pid uint32, stream string, p []byte) {
	if j.buf == nil {
		j.buf = make([]byte, outputBytes)
	}
	lost := max(0, len(p)-maxPiece)
	p = p[lost:]
	at := int(j.end) % len(j.buf)
	n := copy(j.buf[at:], p)
	copy(j.buf, p[n:])
	j.end += int64(len(p))
	j.forget()
	j.pieces = append(j.pieces, piece{j.next(), time.Now(), pid, stream, len(p), int64(lost), j.end})
}

// forget drops the pieces whose bytes were overwritten, and the oldest when
// there is no room for one more.
func (j *Journal) forget() {
	gone := 0
	for gone < len(j.pieces) {
		oldest := &j.pieces[gone]
		if oldest.end-int64(oldest.size) >= j.end-outputBytes && len(j.pieces)-gone < maxPieces {
			break
		}
		j.missed = oldest.seq
		gone++
	}
	j.pieces = j.pieces[gone:]
}

// bytes copies what a piece holds.
func (j *Journal) bytes(p *piece) []byte {
	out := make([]byte, p.size)
	at := int(p.end-int64(p.size)) % len(j.buf)
	n := copy(out, j.buf[at:])
	copy(out[n:], j.buf)
	return out
}

// Process is the journal of one process.
type Process struct {
	journal *Journal
	command string
	pid     uint32
	begun   bool
}

// Process returns the journal of a process that is to be started.
func (j *Journal) Process(command string) *Process {
	return &Process{journal: j, command: command[:min(len(command), maxCommand)]}
}

// Began tells a process's number. Whoever learns it first tells it: a short
// command may have ended before its start is known to have succeeded.
func (p *Process) Began(pid uint32) {
	p.journal.mu.Lock()
	defer p.journal.mu.Unlock()
	p.begin(pid)
}

func (p *Process) begin(pid uint32) {
	if !p.begun {
		p.begun, p.pid = true, pid
		p.journal.note(agentapi.Record{Type: agentapi.RecordStart, PID: pid, Command: p.command})
	}
}

// Wrote keeps what a process has written.
func (p *Process) Wrote(stream string, bytes []byte) {
	p.journal.mu.Lock()
	defer p.journal.mu.Unlock()
	p.journal.write(p.pid, stream, bytes)
}

// Ended tells a process's end.
func (p *Process) Ended(code int, status string) {
	p.journal.mu.Lock()
	defer p.journal.mu.Unlock()
	p.begin(p.pid)
	p.journal.note(agentapi.Record{Type: agentapi.RecordExit, PID: p.pid, ExitCode: code, Status: status})
}
