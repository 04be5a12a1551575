package agentclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/internal/envd/process"
	"github.com/quixand/quixand/pkg/adapters"
)

// rawAgent is a double of an agent that answers every request by what answer
// writes. Its client reaches it as a real one's does.
func rawAgent(t testing.TB, answer func(w io.Writer, req *http.Request)) *Client {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, agentapi.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				// The body of a stream of input has no end yet.
				go io.Copy(io.Discard, req.Body)
				answer(conn, req)
			}()
		}
	}()
	rt := agentsock.Transport(dir, adapters.AgentPort)
	t.Cleanup(func() {
		rt.CloseIdleConnections()
		l.Close()
		<-served
	})
	return New(rt)
}

// calls is one of each way in which the client takes something from an agent.
var calls = map[string]func(ctx context.Context, c *Client) error{
	"status":    func(ctx context.Context, c *Client) error { _, err := c.Status(ctx); return err },
	"usage":     func(ctx context.Context, c *Client) error { _, err := c.Usage(ctx); return err },
	"init":      func(ctx context.Context, c *Client) error { return c.Init(ctx, map[string]string{"A": "b"}) },
	"stat":      func(ctx context.Context, c *Client) error { _, err := c.Stat(ctx, "/x"); return err },
	"list":      func(ctx context.Context, c *Client) error { _, err := c.List(ctx, "/x", 1); return err },
	"remove":    func(ctx context.Context, c *Client) error { return c.Remove(ctx, "/x", true) },
	"processes": func(ctx context.Context, c *Client) error { _, err := c.Processes(ctx); return err },
	"signal":    func(ctx context.Context, c *Client) error { return c.Signal(ctx, Selector{PID: 1}, 9) },
	"end":       func(ctx context.Context, c *Client) error { return c.AwaitEnd(ctx) },
	"start": func(ctx context.Context, c *Client) error {
		return drain(c.Start(ctx, &Start{Path: "true"}))
	},
	"attach": func(ctx context.Context, c *Client) error {
		return drain(c.Attach(ctx, Selector{PID: 1}, 0))
	},
	"input": func(ctx context.Context, c *Client) error {
		in, err := c.OpenInput(ctx, Selector{PID: 1}, false)
		if err != nil {
			return err
		}
		if _, err := in.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
		return in.Close()
	},
	"watch": func(ctx context.Context, c *Client) error {
		return c.Watch(ctx, "/x", false, func() {}, func(Change) bool { return true })
	},
	"read": func(ctx context.Context, c *Client) error {
		return download(c.ReadFile(ctx, "/x", "", 0, -1))
	},
	"range": func(ctx context.Context, c *Client) error {
		return download(c.ReadFile(ctx, "/x", "", 10, 1000))
	},
	"archive": func(ctx context.Context, c *Client) error { return download(c.ReadArchive(ctx, "/x", "")) },
	"write": func(ctx context.Context, c *Client) error {
		_, err := c.WriteFile(ctx, &Upload{Path: "/x", Size: 3, Body: strings.NewReader("abc")})
		return err
	},
	"unpack": func(ctx context.Context, c *Client) error {
		return c.WriteArchive(ctx, "/x", "", io.LimitReader(zeros{}, 1<<20))
	},
	"tunnel": func(ctx context.Context, c *Client) error {
		conn, err := c.Tunnel(ctx, 80)
		if err == nil {
			conn.Close()
		}
		return err
	},
}

func drain(o *Output, err error) error {
	for err == nil {
		var e Event
		if e, err = o.Next(); e.Exit != nil {
			return err
		}
	}
	return err
}

// download takes what a caller with a bound of 1 MiB would.
func download(d *Download, err error) error {
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = io.CopyN(io.Discard, d, 1<<20)
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// forever writes chunks of p until the client has had enough.
func forever(w io.Writer, p string) {
	for {
		if _, err := io.WriteString(w, p); err != nil {
			return
		}
	}
}

func envelope(flags byte, msg []byte) string {
	head := binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(msg)))
	return string(head) + string(msg)
}

func startEvent(pid uint32) string {
	msg, _ := proto.Marshal(&process.StartResponse{Event: &process.ProcessEvent{Event: &process.ProcessEvent_Start{
		Start: &process.ProcessEvent_StartEvent{Pid: pid},
	}}})
	return envelope(0, msg)
}

const (
	streamHead = "HTTP/1.1 200 OK\r\nContent-Type: application/connect+proto\r\nQuixand-Offset: 0\r\nConnection: close\r\n\r\n"
	protoHead  = "HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nConnection: close\r\n\r\n"
	jsonHead   = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
)

// misbehaviours are the answers of agents that lie.
var misbehaviours = map[string]func(w io.Writer){
	"silence":         func(w io.Writer) { io.Copy(io.Discard, w.(net.Conn)) },
	"hangs up":        func(io.Writer) {},
	"garbage":         func(w io.Writer) { io.WriteString(w, "\x00\x1b[2J\xff\xfe\r\n\r\n") },
	"endless garbage": func(w io.Writer) { forever(w, strings.Repeat("\xff", 32<<10)) },
	"endless headers": func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\n"); forever(w, "X-A: b\r\n") },
	"endless header": func(w io.Writer) {
		io.WriteString(w, "HTTP/1.1 200 OK\r\nX: ")
		forever(w, strings.Repeat("x", 32<<10))
	},
	"endless information": func(w io.Writer) { forever(w, "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n") },
	"redirect":            func(w io.Writer) { io.WriteString(w, "HTTP/1.1 307 T\r\nLocation: /\r\nContent-Length: 0\r\n\r\n") },
	"nothing":             func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") },
	"wrong type": func(w io.Writer) {
		io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")
	},
	"switches": func(w io.Writer) { io.WriteString(w, "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: tls\r\n\r\n") },
	"short body": func(w io.Writer) {
		io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 1000000000\r\n\r\nabc")
	},
	"negative length": func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n") },
	"10 GB": func(w io.Writer) {
		io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 10000000000\r\n\r\n")
		forever(w, strings.Repeat("\x08", 32<<10))
	},
	"endless message": func(w io.Writer) { io.WriteString(w, protoHead); forever(w, strings.Repeat("\x0a", 32<<10)) },
	"endless JSON":    func(w io.Writer) { io.WriteString(w, jsonHead); forever(w, strings.Repeat("[", 32<<10)) },
	"endless error": func(w io.Writer) {
		io.WriteString(w, strings.Replace(jsonHead, "200 OK", "500 Oh", 1))
		forever(w, strings.Repeat(" ", 32<<10))
	},
	"endless error text": func(w io.Writer) {
		io.WriteString(w, strings.Replace(jsonHead, "200 OK", "404 No", 1)+`{"message":"`)
		forever(w, strings.Repeat("x", 32<<10))
	},
	"long error": func(w io.Writer) {
		io.WriteString(w, strings.Replace(jsonHead, "200 OK", "404 No", 1)+`{"code":"not_found","message":"`+strings.Repeat(`\n\u001b[2J`, 1<<16)+`"}`)
	},
	"gzip": func(w io.Writer) {
		io.WriteString(w, strings.Replace(protoHead, "Connection", "Content-Encoding: gzip\r\nConnection", 1)+"\x1f\x8b\x08")
	},
	"huge envelope": func(w io.Writer) {
		io.WriteString(w, streamHead+"\x00\xff\xff\xff\xff")
		forever(w, strings.Repeat("x", 32<<10))
	},
	"short envelope":       func(w io.Writer) { io.WriteString(w, streamHead+"\x00\x00\x00\x01\x00abc") },
	"compressed envelope":  func(w io.Writer) { io.WriteString(w, streamHead+envelope(1, []byte("\x1f\x8b\x08"))) },
	"unknown flags":        func(w io.Writer) { io.WriteString(w, streamHead+envelope(0xf0, []byte("abc"))) },
	"no start":             func(w io.Writer) { io.WriteString(w, streamHead+envelope(0, nil)+envelope(2, []byte("{}"))) },
	"endless empty events": func(w io.Writer) { io.WriteString(w, streamHead); forever(w, strings.Repeat(envelope(0, nil), 1000)) },
	"PID zero":             func(w io.Writer) { io.WriteString(w, streamHead+startEvent(0)) },
	"PID out of range":     func(w io.Writer) { io.WriteString(w, streamHead+startEvent(1<<31)) },
	"two starts":           func(w io.Writer) { io.WriteString(w, streamHead+startEvent(5)+startEvent(5)) },
	"start and silence":    func(w io.Writer) { io.WriteString(w, streamHead+startEvent(5)); io.Copy(io.Discard, w.(net.Conn)) },
	"start and hangs up":   func(w io.Writer) { io.WriteString(w, streamHead+startEvent(5)) },
	"start and no end":     func(w io.Writer) { io.WriteString(w, streamHead+startEvent(5)+envelope(2, []byte("{}"))) },
	"endless end": func(w io.Writer) {
		io.WriteString(w, streamHead+"\x02\xff\xff\xff\xff")
		forever(w, strings.Repeat("{", 32<<10))
	},
	"garbage end": func(w io.Writer) { io.WriteString(w, streamHead+envelope(2, []byte("}{"))) },
}

// TestHostileAgent makes every call of every liar. Whatever happens, it is an
// error of ours on one line, it comes by the caller's deadline at the latest,
// and nothing is left behind.
func TestHostileAgent(t *testing.T) {
	for name, answer := range misbehaviours {
		t.Run(name, func(t *testing.T) {
			c := rawAgent(t, func(w io.Writer, _ *http.Request) { answer(w) })
			goroutines, heap := runtime.NumGoroutine(), heapInUse()
			for call, f := range calls {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				begin := time.Now()
				err := f(ctx, c)
				cancel()
				if took := time.Since(begin); took > 2*time.Second {
					t.Errorf("%s took %v", call, took)
				}
				checkError(t, call, err)
			}
			if grown := heapInUse() - heap; grown > 64<<20 {
				t.Errorf("memory has grown by %d bytes", grown)
			}
			waitForGoroutines(t, goroutines)
		})
	}
}

// TestEndedContext makes every call when it is too late: none may reach the
// agent.
func TestEndedContext(t *testing.T) {
	c := rawAgent(t, func(_ io.Writer, req *http.Request) { t.Errorf("%s came", req.URL.Path) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls {
		if err := call(ctx, c); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func checkError(t *testing.T, call string, err error) {
	t.Helper()
	if err == nil || errors.Is(err, io.EOF) {
		return // the answer happened to fit the call
	}
	if _, ok := errors.AsType[*adapters.Error](err); !ok {
		t.Errorf("%s: %T is no *adapters.Error: %v", call, err, err)
	}
	if text := err.Error(); strings.ContainsAny(text, "\n\x1b") || len(text) > 4096 {
		t.Errorf("%s: not one line: %.200q", call, text)
	}
}

// heapInUse is what is left after a collection: garbage is no growth.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// waitForGoroutines waits until there are no more of them than before.
func waitForGoroutines(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			var stacks bytes.Buffer
			buf := make([]byte, 1<<20)
			stacks.Write(buf[:runtime.Stack(buf, true)])
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, &stacks)
		}
		time.Sleep(time.Millisecond)
	}
}
