package agentapi

import "time"

// PathLogs, GET: the journal of what ran in the sandbox and what it wrote, as
// far as it is kept, oldest first: one Record as JSON per line. It is no
// activity. Parameters:
//
//	follow=1   go on with what happens from now on, until somebody leaves
//	after=N    leave out the records up to the sequence number N
//	output=0   leave out what commands have written
const PathLogs = "/quixand/v1/logs"

// PathTail, GET: the end of what commands have written, whichever they were, at
// most MaxEndOutput bytes of whole lines. It is no activity.
const PathTail = "/quixand/v1/tail"

// Record is one line of the journal. The host reads it as untrusted input.
type Record struct {
	Seq  int64      `json:"seq"` // ascending; unique while the agent lives
	Time time.Time  `json:"time"`
	Type RecordType `json:"type"`
	PID  uint32     `json:"pid,omitempty"`

	Command  string `json:"command,omitempty"`  // of start: its beginning
	ExitCode int    `json:"exitCode,omitempty"` // of exit; -1 when a signal ended it
	Status   string `json:"status,omitempty"`   // of exit, in words
	Stream   string `json:"stream,omitempty"`   // of output: stdout, stderr or pty
	Data     []byte `json:"data,omitempty"`     // of output
	// Lost is, for RecordLost, at most how many records are missing; for output,
	// how many bytes before Data were not kept.
	Lost int64 `json:"lost,omitempty"`
}

// RecordType says what a Record tells.
type RecordType string

// What a journal tells.
const (
	RecordReady  RecordType = "ready"  // the agent began
	RecordStart  RecordType = "start"  // a command began
	RecordOutput RecordType = "output" // a command wrote something
	RecordExit   RecordType = "exit"   // a command ended
	RecordMemory RecordType = "oom"    // the kernel killed something of the sandbox for want of memory
	RecordLost   RecordType = "lost"   // records are missing here
)
