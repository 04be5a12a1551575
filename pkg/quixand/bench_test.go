package quixand_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/quixand/quixand/pkg/quixand"
)

// BenchmarkHostExec is what BenchmarkRun is compared with: a plain fork and
// exec of the same program on the host, its output collected.
func BenchmarkHostExec(b *testing.B) {
	for b.Loop() {
		if _, err := exec.CommandContext(b.Context(), "true").Output(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	sb := newSandbox(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sb.Run(b.Context(), "true"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRunParallel(b *testing.B) {
	sb := newSandbox(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := sb.Run(b.Context(), "true"); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkStdin(b *testing.B) {
	sb := newSandbox(b)
	for b.Loop() {
		cmd := sb.Command("cat")
		cmd.Stdin = bytes.NewReader([]byte("hello"))
		if _, err := cmd.Output(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteSmall(b *testing.B) {
	sb := newSandbox(b)
	data := make([]byte, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sb.Files.Write(b.Context(), "small", data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadSmall(b *testing.B) {
	sb := newSandbox(b)
	if _, err := sb.Files.Write(b.Context(), "small", make([]byte, 1<<10)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sb.Files.Read(b.Context(), "small"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPTYEcho types a character and waits for the terminal to show it.
func BenchmarkPTYEcho(b *testing.B) {
	sb := newSandbox(b)
	pty, err := sb.PTY(b.Context(), &quixand.PTYOptions{Command: []string{"cat"}})
	must(b, err)
	defer pty.Close()
	buf := make([]byte, 1)
	for b.Loop() {
		if _, err := pty.Write([]byte("x")); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(pty, buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPutTree copies a thousand files of 1 KiB.
func BenchmarkPutTree(b *testing.B) {
	sb, dir := newSandbox(b), b.TempDir()
	for i := range 1000 {
		must(b, os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), make([]byte, 1<<10), 0o644))
	}
	for i := 0; b.Loop(); i++ {
		if err := sb.Files.Put(b.Context(), dir, "tree"+strconv.Itoa(i), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGetTree copies them back.
func BenchmarkGetTree(b *testing.B) {
	sb, dir := newSandbox(b), b.TempDir()
	for i := range 1000 {
		_, err := sb.Files.Write(b.Context(), "tree/"+strconv.Itoa(i), make([]byte, 1<<10))
		must(b, err)
	}
	for i := 0; b.Loop(); i++ {
		if err := sb.Files.Get(b.Context(), "tree", filepath.Join(dir, strconv.Itoa(i)), nil); err != nil {
			b.Fatal(err)
		}
	}
}

const large = 256 << 20

// BenchmarkHostCopy is what the large transfers are compared with.
func BenchmarkHostCopy(b *testing.B) {
	src, dst := largeFile(b), filepath.Join(b.TempDir(), "copy")
	b.SetBytes(large)
	for b.Loop() {
		if err := exec.CommandContext(b.Context(), "cp", "--reflink=never", src, dst).Run(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutLarge(b *testing.B) {
	sb, src := newSandbox(b), largeFile(b)
	b.SetBytes(large)
	b.ReportAllocs()
	for b.Loop() {
		if err := sb.Files.Put(b.Context(), src, "large", nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetLarge(b *testing.B) {
	sb, src := newSandbox(b), largeFile(b)
	if err := sb.Files.Put(b.Context(), src, "large", nil); err != nil {
		b.Fatal(err)
	}
	dst := filepath.Join(b.TempDir(), "copy")
	b.SetBytes(large)
	b.ReportAllocs()
	for b.Loop() {
		if err := sb.Files.Get(b.Context(), "large", dst, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOutput(b *testing.B) {
	sb := newSandbox(b)
	b.SetBytes(large)
	for b.Loop() {
		cmd := sb.Command("head", "-c", "268435456", "/dev/zero")
		cmd.Stdout = io.Discard
		if err := cmd.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func largeFile(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "large")
	if err := os.WriteFile(path, make([]byte, large), 0o644); err != nil {
		b.Fatal(err)
	}
	return path
}
