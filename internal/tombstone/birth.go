package tombstone

import (
	"encoding/json"
	"os"
	"time"
)

// Birth is what is remembered of a sandbox from its creation on, in case that
// nothing else is left of it.
type Birth struct {
	ID       string            `json:"id"`
	Name     string            `json:"name,omitempty"` // at its birth
	Adapter  string            `json:"adapter"`
	Image    string            `json:"image"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Created  time.Time         `json:"created"`
	// Boot and Session tell in which life of the host, and of the user's
	// session, it was created.
	Boot    string `json:"boot"`
	Session string `json:"session"`

	IdleTimeout time.Duration `json:"idleTimeout"` // negative: none
	Lifetime    time.Duration `json:"lifetime"`    // negative: none
	MemoryBytes int64         `json:"memoryBytes,omitempty"`
	// MemoryKills is what the kernel had killed of the user's for want of memory
	// until then; nil: it did not say.
	MemoryKills *int64 `json:"memoryKills,omitempty"`
}

// Born remembers a birth.
func (s *Store) Born(b *Birth) error {
	text, err := json.Marshal(b)
	if err == nil && len(text) > MaxBytes {
		without := *b
		without.Metadata = nil
		text, err = json.Marshal(&without)
	}
	if err != nil {
		return err
	}
	return s.write(b.ID+birthSuffix, text, os.Rename)
}

// Unborn forgets a birth that came to nothing.
func (s *Store) Unborn(id string) error { return s.unlink(id + birthSuffix) }

// Birth returns what is remembered of a sandbox's birth. fs.ErrNotExist tells
// that nothing is.
func (s *Store) Birth(id string) (*Birth, error) {
	text, err := s.read(id + birthSuffix)
	if err != nil {
		return nil, err
	}
	b := new(Birth)
	if err := json.Unmarshal(text, b); err != nil {
		return nil, unreadable(id, err)
	}
	if b.ID != id {
		return nil, unreadable(id, os.ErrNotExist)
	}
	return b, nil
}

// Births lists the sandboxes whose end is not remembered.
func (s *Store) Births() ([]string, error) { return s.ids(birthSuffix) }
