package template

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// gauge finds out how much memory is in use while something is written to it.
type gauge struct {
	every, next, written int64
	least, most          uint64
}

func (g *gauge) Write(p []byte) (int, error) {
	g.written += int64(len(p))
	if g.written >= g.next {
		g.next += g.every
		g.look()
	}
	return len(p), nil
}

func (g *gauge) look() {
	var m runtime.MemStats
	runtime.GC() // what is not in use does not count
	runtime.ReadMemStats(&m)
	if g.least == 0 {
		g.least = m.HeapAlloc
	}
	g.most = max(g.most, m.HeapAlloc)
}

// TestLargeContexts: however much there is in a context, it goes through a few
// megabytes of memory. Files with holes are read like others.
func TestLargeContexts(t *testing.T) {
	for what, c := range map[string]struct {
		files int
		bytes int64
		every int64
		limit uint64
	}{
		"2 GB":         {2, 2 << 30, 256 << 20, 1 << 20},
		"50,000 files": {50_000, 0, 4 << 20, 8 << 20},
	} {
		t.Run(what, func(t *testing.T) {
			dir := tree(t, "Dockerfile: FROM x\nCOPY files /")
			must(t, os.Mkdir(filepath.Join(dir, "files"), 0o755))
			for i := range c.files {
				fill(t, filepath.Join(dir, "files", fmt.Sprint(i)), c.bytes/int64(c.files))
			}
			s := open(t, dir)
			g := &gauge{every: c.every}
			g.look()
			must(t, s.WriteTar(g, nil))
			must(t, s.hashFiles(g))
			if g.written < 2*c.bytes {
				t.Errorf("%d bytes of %d, written and hashed", g.written, c.bytes)
			}
			if used := g.most - g.least; used > c.limit {
				t.Errorf("%d bytes of memory in use", used)
			}
		})
	}
}

// fill makes a file that begins with what no file system can make smaller.
func fill(t *testing.T, path string, size int64) {
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	_, err = io.CopyN(f, rand.Reader, min(size, 16<<20))
	must(t, err)
	must(t, f.Truncate(size))
}
