package adapters

import "time"

// Snapshot is the file system of a sandbox at one moment, and what a sandbox
// that starts from it takes over.
type Snapshot struct {
	Name     string            `json:"name"`
	Created  time.Time         `json:"created"`
	Bytes    int64             `json:"bytes"`   // of the whole image, what it shares with others included
	Sandbox  string            `json:"sandbox"` // id of the sandbox that it was taken of
	Image    string            `json:"image"`   // that the sandbox had started from
	Workdir  string            `json:"workdir"`
	User     string            `json:"user,omitempty"`
	Sudo     bool              `json:"sudo,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Startup  map[string]string `json:"startup,omitempty"`
	Root     string            `json:"root"`
}
