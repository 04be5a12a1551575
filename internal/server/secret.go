package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const secretBytes = 32

// Secret returns the secret of a Quixand root, which is made at first. Who
// removes its file takes their tokens from all sandboxes that there are.
func Secret(root string) ([]byte, error) {
	path := filepath.Join(root, "serve", "secret")
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret, err = makeSecret(path)
	}
	if err == nil && len(secret) != secretBytes {
		err = fmt.Errorf("%s has %d bytes, not %d: remove it, and another one will be made", path, len(secret), secretBytes)
	}
	return secret, err
}

// makeSecret lets the first of several servers choose.
func makeSecret(path string) ([]byte, error) {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "secret-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(secret)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

// tokenFor derives a sandbox's token for a purpose, so that no server has to
// remember it.
func tokenFor(secret []byte, purpose, id string) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s:%s", purpose, id)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
