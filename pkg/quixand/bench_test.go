package quixand_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
