package bridge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gleak"
)

// inside is a sandbox's end: what the streams lead to, and a way to it.
type inside struct {
	socket net.Listener
	opened atomic.Int64

	mu   sync.Mutex
	last io.Closer // the exec that was opened last
}

// newInside serves each connection to a socket with handle.
func newInside(t *testing.T, handle func(*net.UnixConn)) *inside {
	t.Helper()
	before := gleak.Goroutines()
	dir := t.TempDir()
	s := &inside{}
	var err error
	if s.socket, err = net.Listen("unix", filepath.Join(dir, "sock")); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := s.socket.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn.(*net.UnixConn))
			}()
		}
	}()
	t.Cleanup(func() {
		s.socket.Close()
		NewWithT(t).Eventually(gleak.Goroutines).WithTimeout(10 * time.Second).ShouldNot(gleak.HaveLeaked(before))
	})
	return s
}

// open is an [Opener], whose exec is a pair of pipes.
func (s *inside) open(context.Context, string) (io.ReadWriteCloser, error) {
	s.opened.Add(1)
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.last = inR
	s.mu.Unlock()
	dir, name := filepath.Split(s.socket.Addr().String())
	go func() { _ = Serve(Stdio{inR, outW}, Socket(dir, name)) }()
	return Stdio{outR, inW}, nil
}

// links are closed with the test.
func (s *inside) links(t *testing.T) *Links {
	l := NewLinks(s.open)
	t.Cleanup(l.Close)
	return l
}

func dial(t *testing.T, l *Links) net.Conn {
	t.Helper()
	c, err := l.Dial(t.Context(), "abc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func echo(c *net.UnixConn) { _, _ = io.Copy(c, c) }

func TestManyStreamsShareOneExec(t *testing.T) {
	s := newInside(t, echo)
	l := s.links(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			c, err := l.Dial(t.Context(), "abc")
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			sent := make([]byte, 512<<10)
			for i := range sent {
				sent[i] = byte(rand.N(256))
			}
			go func() {
				_, _ = c.Write(sent)
				_ = c.(halved).CloseWrite()
			}()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes of %d came back: %v", len(got), len(sent), err)
			}
		})
	}
	all.Wait()
	if n := s.opened.Load(); n != 1 {
		t.Errorf("%d execs", n)
	}
}

// A reader that does not read holds up its own stream alone, and the sandbox
// that writes to it.
func TestBackPressure(t *testing.T) {
	var written atomic.Int64
	s := newInside(t, func(c *net.UnixConn) {
		first := make([]byte, 1)
		if _, err := c.Read(first); err != nil || first[0] == 'e' {
			echo(c)
			return
		}
		for {
			n, err := c.Write(make([]byte, 64<<10))
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	l := s.links(t)
	slow, quick := dial(t, l), dial(t, l)
	if _, err := slow.Write([]byte("s")); err != nil {
		t.Fatal(err)
	}
	NewWithT(t).Eventually(written.Load).WithTimeout(10 * time.Second).ShouldNot(BeZero())
	NewWithT(t).Consistently(written.Load).WithTimeout(time.Second).Should(BeNumerically("<", 4<<20))
	if _, err := quick.Write([]byte("ehello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("hello"))
	if _, err := io.ReadFull(quick, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCloseTellsTheSandbox(t *testing.T) {
	ended := make(chan error, 1)
	s := newInside(t, func(c *net.UnixConn) {
		var err error
		for err == nil {
			_, err = c.Write(make([]byte, 64<<10))
		}
		ended <- err
	})
	c := dial(t, s.links(t))
	if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the sandbox writes to nobody for ever")
	}
}

func TestWhatWasWrittenArrivesAfterClose(t *testing.T) {
	got := make(chan int, 1)
	s := newInside(t, func(c *net.UnixConn) {
		b, _ := io.ReadAll(c)
		got <- len(b)
	})
	c := dial(t, s.links(t))
	const all = 200 << 10
	if _, err := c.Write(make([]byte, all)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if n := <-got; n != all {
		t.Errorf("%d bytes arrived", n)
	}
}

func TestCloseEndsReads(t *testing.T) {
	c := dial(t, newInside(t, echo).links(t))
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		read <- err
	}()
	c.Close()
	if err := <-read; err == nil {
		t.Error("a read of a closed stream succeeded")
	}
}

func TestALostLinkIsMadeAnew(t *testing.T) {
	s := newInside(t, echo)
	l := s.links(t)
	c := dial(t, l)
	s.mu.Lock()
	s.last.Close() // the exec dies
	s.mu.Unlock()
	if _, err := io.ReadAll(c); err == nil {
		t.Error("a stream survived its link")
	}
	again := dial(t, l)
	if _, err := again.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(again, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if n := s.opened.Load(); n != 2 {
		t.Errorf("%d execs", n)
	}
}

func TestAnExecThatFails(t *testing.T) {
	sad := errors.New("no such container")
	l := NewLinks(func(context.Context, string) (io.ReadWriteCloser, error) { return nil, sad })
	for range 2 {
		if _, err := l.Dial(t.Context(), "abc"); !errors.Is(err, sad) {
			t.Error(err)
		}
	}
	// What answers nonsense, and what ends at once.
	for _, answer := range []string{"", "OCI runtime exec failed\n"} {
		n := 0
		l = NewLinks(func(context.Context, string) (io.ReadWriteCloser, error) {
			n++
			return Stdio{io.NopCloser(bytes.NewBufferString(answer)), discard{}}, nil
		})
		if c, err := l.Dial(t.Context(), "abc"); err == nil {
			t.Errorf("%q is an agent: %v", answer, c)
		}
		if n != 1 {
			t.Errorf("%d execs", n)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }

func TestDialEndsWithItsContext(t *testing.T) {
	l := NewLinks(func(ctx context.Context, _ string) (io.ReadWriteCloser, error) {
		silence, _ := io.Pipe()
		return Stdio{silence, discard{}}, nil // nobody is there
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.Dial(ctx, "abc"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	l.Close()
}

// An agent that is about to listen is waited for.
func TestSocketThatAppears(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sock")
	got := make(chan error, 1)
	go func() {
		c, err := Socket(dir, "s")(t.Context())
		if err == nil {
			c.Close()
		}
		got <- err
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	s := &inside{}
	s.socket, _ = net.Listen("unix", filepath.Join(b.TempDir(), "sock"))
	defer s.socket.Close()
	go func() {
		for {
			c, err := s.socket.Accept()
			if err != nil {
				return
			}
			go echo(c.(*net.UnixConn))
		}
	}()
	l := NewLinks(s.open)
	defer l.Close()
	c, err := l.Dial(b.Context(), "abc")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for buf := make([]byte, 64); b.Loop(); {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}
