package agent_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agent"
)

// BenchmarkExec compares a command through the agent with the same command
// started directly.
func BenchmarkExec(b *testing.B) {
	b.Run("fork", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("agent", func(b *testing.B) {
		box := newBox(b, agent.Config{})
		for b.Loop() {
			if r := box.run(b, command("/bin/true")); r.err != nil {
				b.Fatal(r.err)
			}
		}
	})
	b.Run("fork-parallel", func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if err := exec.Command("/bin/true").Run(); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("agent-parallel", func(b *testing.B) {
		box := newBox(b, agent.Config{})
		b.SetParallelism(8)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if r := box.run(b, command("/bin/true")); r.err != nil {
					b.Error(r.err)
				}
			}
		})
	})
}

// BenchmarkOutput streams a command's output.
func BenchmarkOutput(b *testing.B) {
	box := newBox(b, agent.Config{})
	const size = 256 << 20
	b.SetBytes(size)
	for b.Loop() {
		s, err := box.process.Start(b.Context(), connect.NewRequest(command("/bin/sh", "-c", "head -c 268435456 /dev/zero")))
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for s.Receive() {
			n += len(s.Msg().GetEvent().GetData().GetStdout())
		}
		if n != size || s.Err() != nil {
			b.Fatal(n, s.Err())
		}
	}
}

// BenchmarkFiles moves 256 MiB, and 1 KiB, up and down.
func BenchmarkFiles(b *testing.B) {
	dir, err := os.MkdirTemp(benchDir(), "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	box := newBox(b, agent.Config{})
	url := base + "/files?path=" + filepath.Join(dir, "f")
	for name, size := range map[string]int{"1KiB": 1 << 10, "256MiB": 256 << 20} {
		data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		b.Run("up/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				res, err := box.http.Post(url, "application/octet-stream", bytes.NewReader(data))
				if err != nil {
					b.Fatal(err)
				}
				discard(b, res)
			}
		})
		b.Run("down/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				res, err := box.http.Get(url)
				if err != nil {
					b.Fatal(err)
				}
				if n := discard(b, res); n != int64(size) {
					b.Fatal(n)
				}
			}
		})
	}
}

// benchDir is in memory where there is such a place: the agent is measured,
// not the disk.
func benchDir() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}

var discardBuffer = make([]byte, 1<<20)

func discard(b *testing.B, res *http.Response) int64 {
	b.Helper()
	defer res.Body.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, res.Body, discardBuffer)
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatal(res.Status, err)
	}
	return n
}
