// Package auditlog writes down who has asked `qs serve` for what, and what came
// of it: one line of JSON each. Nothing in it lets anybody in: a key is told by
// its id, a request by its route, and neither headers, queries nor bodies are.
package auditlog

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// The planes of a server.
const (
	Control = "control"
	Data    = "data"
)

// Entry is one line. It is a promise: fields may be added and none changed.
type Entry struct {
	Time    time.Time `json:"time"`  // when the request came
	Plane   string    `json:"plane"` // Control or Data
	Key     string    `json:"key"`   // id of the caller's key, or in the data plane of the one that the sandbox is of; empty: unknown
	Remote  string    `json:"remote"`
	Method  string    `json:"method"`
	Route   string    `json:"route"` // of the server's own, never the path that was asked for
	Sandbox string    `json:"sandbox,omitempty"`
	Port    int       `json:"port,omitempty"` // of the sandbox
	Status  int       `json:"status"`
	Took    float64   `json:"ms"` // until the answer: all of it in the control plane, its beginning in the data plane
	Trace   string    `json:"trace,omitempty"`
}

// Log is where the entries go. It is safe for concurrent use; nil is a log that
// keeps nothing.
type Log struct {
	mu sync.Mutex
	w  io.Writer
}

// New returns a Log that gives w each line in one piece.
func New(w io.Writer) *Log { return &Log{w: w} }

// Write adds a line.
func (l *Log) Write(e *Entry) error {
	if l == nil {
		return nil
	}
	line, err := json.Marshal(e) // which leaves no control character as it is
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.w.Write(append(line, '\n'))
	return err
}
