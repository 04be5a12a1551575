// Package labels says what the labels of a sandbox can be, and keeps them. Unlike
// metadata they can be changed while the sandbox lives, and are kept by its agent
// alone, so both ends of the wire hold each other to the same bounds.
package labels

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"unicode/utf8"
)

// A sandbox has at most Most labels, with keys and values of so many bytes.
const (
	Most     = 64
	maxKey   = 63
	maxValue = 256
)

// Check fails unless m can be the labels of a sandbox.
func Check(m map[string]string) error {
	if len(m) > Most {
		return fmt.Errorf("%d labels are more than %d", len(m), Most)
	}
	for key, value := range m {
		if err := CheckKey(key); err != nil {
			return err
		}
		if len(value) > maxValue || !utf8.ValidString(value) || strings.ContainsFunc(value, isControl) {
			return fmt.Errorf("value of label %q is not up to %d bytes of text in one line", key, maxValue)
		}
	}
	return nil
}

// CheckKey fails unless key can be the key of a label: letters, digits and . _ / -
// inside. A '-' at the end is how the command line removes one.
func CheckKey(key string) error {
	ok := len(key) > 0 && len(key) <= maxKey && isAlnum(rune(key[0])) && isAlnum(rune(key[len(key)-1])) &&
		!strings.ContainsFunc(key, func(r rune) bool { return !isAlnum(r) && !strings.ContainsRune("._/-", r) })
	if !ok {
		return fmt.Errorf("%.80q cannot be the key of a label: up to %d letters and digits, with . _ / - between them", key, maxKey)
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func isAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// Set holds the labels of one sandbox. Its zero value has none. It is safe for
// concurrent use.
type Set struct {
	mu sync.Mutex
	m  map[string]string
}

// Change sets some labels and removes others, or does nothing and fails.
func (s *Set) Change(set map[string]string, remove []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := maps.Clone(s.m)
	for _, key := range remove {
		delete(changed, key)
	}
	if changed == nil {
		changed = make(map[string]string, len(set))
	}
	maps.Copy(changed, set)
	if err := Check(changed); err != nil {
		return err
	}
	s.m = changed
	return nil
}

// All gives the labels, which the caller must not change.
func (s *Set) All() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m
}

// Match reports whether have has all the pairs of want.
func Match(have, want map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}
