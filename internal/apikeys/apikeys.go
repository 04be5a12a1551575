// Package apikeys keeps the keys that `qs serve` lets clients in with. A key is
// shown once, when it is made; what is kept is its hash, what it is called, and
// what it may do. It knows nothing of HTTP, nor of what a key is asked for.
package apikeys

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/filelock"
)

// Errors of this package.
var (
	ErrUnknown = errors.New("no such key")
	ErrTaken   = errors.New("there is a key of that name")
)

// prefix and the length of the digits are what E2B's clients insist on.
const (
	prefix = "e2b_"
	digits = 40
)

// Key is what is known of one key.
type Key struct {
	ID      string    `json:"id"`   // stands for the key where the key itself must not be: logs, labels
	Name    string    `json:"name"` // that people gave it
	Hash    string    `json:"hash"` // of the key, SHA-256 in hexadecimal digits
	Created time.Time `json:"created"`
	Limits  Limits    `json:"limits"`
}

// Limits bound what one key can do. A zero field bounds nothing.
type Limits struct {
	Sandboxes int           `json:"sandboxes,omitempty"` // that live at once
	Rate      float64       `json:"rate,omitempty"`      // calls of the control plane in a second
	Timeout   time.Duration `json:"timeout,omitempty"`   // the longest that a sandbox may be given, in ns
	Lifetime  time.Duration `json:"lifetime,omitempty"`  // after which a sandbox ends however often its timeout is moved, in ns
	Templates []string      `json:"templates,omitempty"` // names that may be used; none named: all
}

// Allows reports whether sandboxes may start from a template.
func (l Limits) Allows(template string) bool {
	return len(l.Templates) == 0 || slices.Contains(l.Templates, template)
}

// Store is the keys in one file, which other processes may change. It is safe
// for concurrent use.
type Store struct {
	path  string
	extra map[string]Key // by hash

	mu     sync.Mutex
	read   fs.FileInfo // of the file when it was read last
	byHash map[string]Key
}

// Open returns the keys of a Quixand root, and others that are kept elsewhere:
// Find knows them too. The file need not be there.
func Open(root string, others ...string) *Store {
	s := &Store{path: filepath.Join(root, "serve", "keys.json"), extra: make(map[string]Key)}
	for _, key := range others {
		k := Of(key, "")
		s.extra[k.Hash] = k
	}
	return s
}

// Find returns what is known of a key. A key that was revoked, by whomever, is
// not known from that moment on.
func (s *Store) Find(key string) (Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return Key{}, err
	}
	// The look-up by hash takes its time by the hash, which tells nothing of the key.
	h := hash(key)
	if k, ok := s.byHash[h]; ok {
		return k, nil
	}
	if k, ok := s.extra[h]; ok {
		return k, nil
	}
	return Key{}, ErrUnknown
}

// All returns all keys, oldest first.
func (s *Store) All() ([]Key, error) {
	keys, err := s.load()
	slices.SortStableFunc(keys, func(a, b Key) int { return a.Created.Compare(b.Created) })
	return keys, err
}

// Create makes a key. It is returned in the clear this once.
func (s *Store) Create(ctx context.Context, name string, limits Limits) (key string, k Key, err error) {
	key = newKey()
	k = Of(key, name)
	k.Limits = limits
	return key, k, s.change(ctx, func(keys []Key) ([]Key, error) {
		if name != "" && slices.ContainsFunc(keys, func(k Key) bool { return k.Name == name }) {
			return nil, fmt.Errorf("%w: %s", ErrTaken, name)
		}
		return append(keys, k), nil
	})
}

// Revoke forgets the key that an id or a name means.
func (s *Store) Revoke(ctx context.Context, ref string) error {
	return s.change(ctx, func(keys []Key) ([]Key, error) {
		left := slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.ID == ref || ref != "" && k.Name == ref })
		if len(left) == len(keys) {
			return nil, fmt.Errorf("%w: %s", ErrUnknown, ref)
		}
		return left, nil
	})
}

// Of describes a key that may do everything.
func Of(key, name string) Key {
	h := hash(key)
	return Key{ID: h[:12], Name: name, Hash: h, Created: time.Now().UTC()}
}

// newKey has 160 random bits, so that a plain hash of it cannot be searched
// for.
func newKey() string {
	b := make([]byte, digits/2)
	_, _ = rand.Read(b) // never fails
	return prefix + hex.EncodeToString(b)
}

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// refresh reads the file when it is another one than before: it is only ever
// replaced as a whole.
func (s *Store) refresh() error {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		s.read, s.byHash = nil, nil
		return nil
	}
	if err != nil {
		return err
	}
	if s.read != nil && os.SameFile(info, s.read) && info.ModTime().Equal(s.read.ModTime()) {
		return nil
	}
	keys, err := s.load()
	if err != nil {
		return err
	}
	s.read, s.byHash = info, make(map[string]Key, len(keys))
	for _, k := range keys {
		s.byHash[k.Hash] = k
	}
	return nil
}

func (s *Store) load() ([]Key, error) {
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var keys []Key
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return keys, nil
}

// change replaces the file. Two changes at once come one after the other.
func (s *Store) change(ctx context.Context, f func([]Key) ([]Key, error)) error {
	lock, err := filelock.Acquire(ctx, s.path+".lock")
	if err != nil {
		return err
	}
	defer lock.Release()
	keys, err := s.load()
	if err != nil {
		return err
	}
	if keys, err = f(keys); err != nil {
		return err
	}
	text, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(s.path+".new", s.path)
}
