package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
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

// TestServesUntilItIsTold and lets a request end that is under way.
func TestServesUntilItIsTold(t *testing.T) {
	w := newWorld(t)
	began, end := make(chan struct{}), make(chan struct{})
	port := service(t, func(rw http.ResponseWriter, _ *http.Request) {
		close(began)
		<-end
		_, _ = io.WriteString(rw, "the end")
	})
	sb := w.create(`{"templateID":"base"}`)
	l, err := server.Listen(t.Context(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- server.New(w.config).Serve(ctx, l) }()
	go func() {
		<-began
		stop()
		close(end)
	}()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("E2b-Sandbox-Id", sb.ID)
	req.Header.Set("E2b-Sandbox-Port", port)
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); string(text) != "the end" {
		t.Errorf("%q, %v", text, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
