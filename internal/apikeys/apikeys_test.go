package apikeys

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAKeyIsKnownUntilItIsRevoked(t *testing.T) {
	root := t.TempDir()
	// Whoever revokes is another process than the one that lets in.
	admin, door := Open(root), Open(root)
	if _, err := door.Find("e2b_0"); !errors.Is(err, ErrUnknown) {
		t.Errorf("before there are keys: %v", err)
	}
	want := Limits{Sandboxes: 3, Timeout: time.Hour, Templates: []string{"base"}}
	key, made, err := admin.Create(t.Context(), "ci", want)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^e2b_[0-9a-f]{40}$`).MatchString(key) {
		t.Errorf("key %q is not of E2B's form", key)
	}
	k, err := door.Find(key)
	if err != nil || k.ID != made.ID || k.Name != "ci" || k.Limits.Sandboxes != 3 {
		t.Errorf("found %+v, %v", k, err)
	}
	if !k.Limits.Allows("base") || k.Limits.Allows("other") {
		t.Error("templates are not limited as told")
	}
	if err := admin.Revoke(t.Context(), "ci"); err != nil {
		t.Fatal(err)
	}
	if _, err := door.Find(key); !errors.Is(err, ErrUnknown) {
		t.Errorf("after the revocation: %v", err)
	}
	if err := admin.Revoke(t.Context(), made.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestTheKeyItselfIsNotKept(t *testing.T) {
	root := t.TempDir()
	key, _, err := Open(root).Create(t.Context(), "", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "serve", "keys.json")
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), key[len(prefix):]) {
		t.Errorf("the file has the key in it, or cannot be read: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestNamesAreUnique(t *testing.T) {
	store := Open(t.TempDir())
	for _, want := range []error{nil, ErrTaken} {
		if _, _, err := store.Create(t.Context(), "ci", Limits{}); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	for range 2 { // no name is not one
		if _, _, err := store.Create(t.Context(), "", Limits{}); err != nil {
			t.Error(err)
		}
	}
}

func TestKeysThatAreKeptElsewhere(t *testing.T) {
	const key = "e2b_0123"
	k, err := Open(t.TempDir(), key).Find(key)
	if err != nil || k.ID != Of(key, "").ID {
		t.Errorf("%+v, %v", k, err)
	}
	if _, err := Open(t.TempDir()).Find(""); !errors.Is(err, ErrUnknown) {
		t.Errorf("no key at all: %v", err)
	}
}

func TestTwoAtOnceLoseNothing(t *testing.T) {
	root := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, _, err := Open(root).Create(t.Context(), "", Limits{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	keys, err := Open(root).All()
	if err != nil || len(keys) != 8 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func TestABrokenFileIsNoKeys(t *testing.T) {
	root := t.TempDir()
	store := Open(root)
	key, _, err := store.Create(t.Context(), "", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "serve", "keys.json")
	if err := os.WriteFile(path+".new", []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Find(key); err == nil || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken file: %v", err)
	}
}
