package server_test

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/quixand/quixand/internal/server"
	"github.com/quixand/quixand/pkg/quixand"
)

func TestListensToThisMachineAlone(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0", "example.com:0", "nonsense"} {
		l, err := server.Listen(t.Context(), address, nil)
		if err == nil {
			l.Close()
		}
		if !errors.Is(err, quixand.ErrInvalid) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:0"} {
		l, err := server.Listen(t.Context(), address, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
	l, err := server.Listen(t.Context(), "0.0.0.0:0", &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestASocketIsItsUsersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := server.Listen(t.Context(), "unix:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := server.Listen(t.Context(), "unix:"+path, nil); !errors.Is(err, quixand.ErrExists) {
		t.Errorf("where somebody listens: %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false) // as after a kill
	first.Close()
	second, err := server.Listen(t.Context(), "unix:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Listen(t.Context(), "unix:"+file, nil); err == nil {
		t.Error("a file was taken for a socket")
	}
	if text, _ := os.ReadFile(file); string(text) != "kept" {
		t.Error("a file has been removed")
	}
}

func TestTheSecretIsMadeOnce(t *testing.T) {
	root := t.TempDir()
	first, err := server.Secret(root)
	if err != nil {
		t.Fatal(err)
	}
	again, err := server.Secret(root)
	if err != nil || string(again) != string(first) {
		t.Errorf("another one, or %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "serve", "secret"), first[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Secret(root); err == nil {
		t.Error("a secret that was cut off is taken")
	}
}

// TestWhatIsInheritedIsHeldToTheRules for a unit file is no reason to let keys
// travel in the clear.
func TestWhatIsInheritedIsHeldToTheRules(t *testing.T) {
	for _, c := range []struct {
		network, address string
		config           *tls.Config
		ok, secured      bool
	}{
		{"tcp", "0.0.0.0:0", nil, false, false},
		{"tcp", "[::]:0", nil, false, false},
		{"tcp", "127.0.0.1:0", nil, true, false},
		{"tcp", "0.0.0.0:0", &tls.Config{}, true, true},
		{"unix", filepath.Join(t.TempDir(), "s"), &tls.Config{}, true, false},
	} {
		made, err := new(net.ListenConfig).Listen(t.Context(), c.network, c.address)
		if err != nil {
			t.Fatal(err)
		}
		defer made.Close()
		l, err := server.Inherit(made, c.config)
		if (err == nil) != c.ok || c.ok && (l != made) != c.secured {
			t.Errorf("%s %s: %v, %v", c.network, c.address, l, err)
		}
	}
	if _, err := server.Inherit(nil, nil); err == nil {
		t.Error("a descriptor that is no socket is taken")
	}
}
