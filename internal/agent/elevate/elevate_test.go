package elevate

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/spawn"
	"github.com/quixand/quixand/internal/sudo"
)

// world is a Service that starts commands as the user of this test.
type world struct {
	*testing.T
	me     string
	socket *net.UnixAddr
	s      *Service
	busy   atomic.Int32
}

func newWorld(t *testing.T) *world {
	spawner, err := spawn.New(spawn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(spawner.Close)
	me := identity.Current("/etc")
	w := &world{T: t, me: me.Name, socket: &net.UnixAddr{Name: fmt.Sprintf("@quixand-test-%d-%s", os.Getpid(), t.Name()), Net: "unix"}}
	w.s, err = New(Options{
		Spawner: spawner, Users: identity.NewDirectory(identity.Options{EtcDir: "/etc", User: me}), Socket: w.socket.Name,
		Begin: func() func() { w.busy.Add(1); return func() { w.busy.Add(-1) } },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.s.Close() })
	return w
}

func (w *world) dial() *net.UnixConn {
	w.Helper()
	conn, err := net.DialUnix("unix", nil, w.socket)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// begin asks for a command whose output goes to a pipe.
func (w *world) begin(args ...string) (*net.UnixConn, *os.File) {
	w.Helper()
	r, out, err := os.Pipe()
	if err != nil {
		w.Fatal(err)
	}
	defer out.Close()
	w.Cleanup(func() { r.Close() })
	req := sudo.Request{User: w.me}
	for _, a := range args {
		req.Args = append(req.Args, []byte(a))
	}
	body, err := json.Marshal(req)
	if err != nil {
		w.Fatal(err)
	}
	conn := w.dial()
	w.send(conn, uint32(len(body)), []int{0, int(out.Fd()), int(out.Fd())}, body)
	return conn, r
}

func (w *world) send(conn *net.UnixConn, length uint32, files []int, body []byte) {
	w.Helper()
	rights := unix.UnixRights(files...)
	if len(files) == 0 {
		rights = nil
	}
	if _, _, err := conn.WriteMsgUnix(binary.BigEndian.AppendUint32(nil, length), rights, nil); err != nil {
		w.Fatal(err)
	}
	_, _ = conn.Write(body) // it may have heard enough
}

func (w *world) answer(conn *net.UnixConn) (a sudo.Answer) {
	w.Helper()
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		w.Fatal(err)
	}
	return a
}

func TestRunsACommand(t *testing.T) {
	w := newWorld(t)
	conn, out := w.begin("sh", "-c", "echo hello; exit 3")
	if a := w.answer(conn); a != (sudo.Answer{Exit: 3}) {
		t.Errorf("%+v", a)
	}
	if text, err := io.ReadAll(out); string(text) != "hello\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestACommandIsActivityAndEndsWithItsFront(t *testing.T) {
	w := newWorld(t)
	conn, out := w.begin("sh", "-c", "echo $$; exec sleep 1000")
	var first [1]byte
	if _, err := out.Read(first[:]); err != nil {
		t.Fatal(err)
	}
	if n := w.busy.Load(); n != 1 {
		t.Errorf("%d commands are activity", n)
	}
	conn.Close()
	if _, err := io.Copy(io.Discard, out); err != nil { // until the last process that has it is gone
		t.Error(err)
	}
}

func TestACommandEndsWithTheAgent(t *testing.T) {
	w := newWorld(t)
	conn, out := w.begin("sh", "-c", "trap '' HUP; echo x; while :; do sleep 0.01; done")
	var first [1]byte
	if _, err := out.Read(first[:]); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); w.s.Close() }()
	if a := w.answer(conn); a.Signal != unix.SIGKILL {
		t.Errorf("%+v", a)
	}
	<-closed
	w.s, _ = New(w.s.o) // for the end of the test
}

func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	before := descriptors(t)
	three := []int{0, 1, 2}
	for name, c := range map[string]struct {
		length uint32
		files  []int
		body   string
		want   string
	}{
		"no files":          {2, nil, "{}", "three files"},
		"two files":         {2, three[:2], "{}", "three files"},
		"too many files":    {2, []int{0, 1, 2, 0, 1, 2}, "{}", "three files"},
		"a long request":    {1 << 30, three, "{}", "longer than"},
		"no JSON":           {3, three, "{{{", "invalid character"},
		"another's JSON":    {2, three, "[]", "cannot unmarshal"},
		"an unknown user":   {18, three, `{"User":"nosuch!"}`, "unknown user"},
		"a NUL":             {uint32(len(nul(w.me))), three, nul(w.me), "invalid argument"},
		"no terminal":       {uint32(len(noTerminal(w.me))), three, noTerminal(w.me), "inappropriate ioctl"},
		"a missing program": {uint32(len(missing(w.me))), three, missing(w.me), "no such file"},
	} {
		conn := w.dial()
		w.send(conn, c.length, c.files, []byte(c.body))
		if a := w.answer(conn); !strings.Contains(a.Error, c.want) {
			t.Errorf("%s: %+v", name, a)
		}
		conn.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); descriptors(t) > before; {
		if time.Now().After(deadline) {
			t.Fatalf("descriptors: %d before, %d after", before, descriptors(t))
		}
	}
}

func request(user, arg string, tty bool) string {
	text, _ := json.Marshal(sudo.Request{User: user, Args: [][]byte{[]byte(arg)}, TTY: tty})
	return string(text)
}

func nul(user string) string     { return request(user, "/bin/true\x00", false) }
func missing(user string) string { return request(user, "/nosuch", false) }

// noTerminal wants to control what is none: the standard input of a test.
func noTerminal(user string) string { return request(user, "/bin/true", true) }

func descriptors(t *testing.T) int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestABodyThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	began := time.Now()
	conns := make([]*net.UnixConn, 3*maxReading)
	for i := range conns {
		conns[i] = w.dial()
		w.send(conns[i], 100, []int{0, 1, 2}, []byte("{"))
	}
	for _, conn := range conns {
		if a := w.answer(conn); a.Error == "" {
			t.Errorf("%+v", a)
		}
	}
	if took := time.Since(began); took > 2*readTimeout {
		t.Errorf("%d that say nothing are told so after %v", len(conns), took)
	}
}

func TestThereIsABoundOfCommands(t *testing.T) {
	w := newWorld(t)
	for range maxRunning {
		w.s.running <- struct{}{}
	}
	if a := w.answer(w.dial()); !strings.Contains(a.Error, "256 commands") {
		t.Errorf("%+v", a)
	}
	for range maxRunning {
		<-w.s.running
	}
	conn, _ := w.begin("true")
	if a := w.answer(conn); a != (sudo.Answer{}) {
		t.Errorf("%+v", a)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, bytesOf []byte) {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		theirs := os.NewFile(uintptr(pair[0]), "theirs")
		ours := os.NewFile(uintptr(pair[1]), "ours")
		conn, err := net.FileConn(ours)
		ours.Close()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			defer theirs.Close()
			_ = unix.Sendmsg(pair[0], bytesOf[:min(4, len(bytesOf))], unix.UnixRights(0, 1, 2), nil, 0)
			_, _ = io.Copy(theirs, bytes.NewReader(bytesOf[min(4, len(bytesOf)):]))
		}()
		if req, files, err := sudo.Receive(conn.(*net.UnixConn)); err == nil && req != nil {
			for _, fd := range files {
				unix.Close(fd)
			}
		}
	})
}
