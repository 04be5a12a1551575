//go:build containers_image_openpgp

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/quixand/quixand/pkg/quixand"
)

const (
	small = 1 << 10
	large = 256 << 20
)

// benchFiles: small and large files, and many of them, beside cp on the same
// disk and podman cp.
func benchFiles(ctx context.Context, b *bench) error {
	sb, id, end, err := b.pair(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, step := range []func(context.Context, *bench, *quixand.Sandbox, string) error{smallFiles, largeFiles, manyFiles} {
		if err := step(ctx, b, sb, id); err != nil {
			return err
		}
	}
	return nil
}

func smallFiles(ctx context.Context, b *bench, sb *quixand.Sandbox, container string) error {
	local := filepath.Join(b.tmp, "small")
	data := make([]byte, small)
	rand.Read(data)
	if err := os.WriteFile(local, data, 0o600); err != nil {
		return err
	}
	cp := command(ctx, "cp", local, local+".copy")
	t, err := inTurn(b.n(300),
		func() error { _, err := sb.Files.Write(ctx, "small", data); return err },
		func() error { _, err := sb.Files.Read(ctx, "small"); return err },
		cp)
	if err != nil {
		return err
	}
	b.report("write 1 KiB", "ms", t[0], "cp", t[2], noTarget)
	b.report("read 1 KiB", "ms", t[1], "cp", t[2], noTarget)
	b.report("write 1 KiB", "ms", t[0], "", nil, atMost(0.5, "ms"))
	b.report("read 1 KiB", "ms", t[1], "", nil, atMost(0.5, "ms"))

	t, err = inTurn(b.n(10), command(ctx, "podman", "cp", local, container+":/tmp/small"),
		func() error { _, err := sb.Files.Write(ctx, "small", data); return err })
	if err != nil {
		return err
	}
	b.report("write 1 KiB", "ms", t[1], "podman cp", t[0], noTarget)
	return nil
}

func largeFiles(ctx context.Context, b *bench, sb *quixand.Sandbox, container string) error {
	local := filepath.Join(b.tmp, "large")
	if err := fill(local, large); err != nil {
		return err
	}
	// cp would share the file's blocks or copy inside the kernel where it
	// can; neither is a copy of bytes, so it is told not to.
	cp := command(ctx, "cp", "--reflink=never", "--sparse=never", local, local+".copy")
	before := residentKiB()
	t, err := inTurn(b.n(5),
		func() error { return sb.Files.Put(ctx, local, "large", nil) },
		cp,
		func() error { return sb.Files.Get(ctx, "large", filepath.Join(b.tmp, "large.back"), nil) },
		func() error { return drain(sb.Files.Open(ctx, "large")) },
		command(ctx, "podman", "cp", local, container+":/tmp/large"),
		command(ctx, "podman", "cp", container+":/tmp/large", local+".podman"))
	if err != nil {
		return err
	}
	if err := same(local, filepath.Join(b.tmp, "large.back")); err != nil {
		return err
	}
	b.report("256 MiB up", "ms", t[0], "cp", t[1], ratioAtMost(2))
	b.report("256 MiB down", "ms", t[2], "cp", t[1], ratioAtMost(2))
	b.report("256 MiB read, not stored", "ms", t[3], "cp", t[1], noTarget)
	b.report("256 MiB up", "ms", t[0], "podman cp", t[4], noTarget)
	b.report("256 MiB down", "ms", t[2], "podman cp", t[5], noTarget)
	b.report("memory grown by the transfers", "MiB", samples{float64(residentKiB()-before) / 1024}, "", nil, atMost(32, "MiB"))
	return nil
}

func manyFiles(ctx context.Context, b *bench, sb *quixand.Sandbox, container string) error {
	tree := filepath.Join(b.tmp, "tree")
	for i := range 1000 {
		dir := filepath.Join(tree, strconv.Itoa(i/100))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := fill(filepath.Join(dir, strconv.Itoa(i)), small); err != nil {
			return err
		}
	}
	round := 0
	t, err := inTurn(b.n(5),
		func() error { round++; return sb.Files.Put(ctx, tree, fmt.Sprintf("tree%d", round), nil) },
		func() error {
			return sb.Files.Get(ctx, fmt.Sprintf("tree%d", round), filepath.Join(b.tmp, fmt.Sprintf("back%d", round)), nil)
		},
		func() error {
			return command(ctx, "cp", "-r", tree, filepath.Join(b.tmp, fmt.Sprintf("copy%d", round)))()
		},
		command(ctx, "podman", "cp", tree, container+":/tmp/tree"))
	if err != nil {
		return err
	}
	b.report("1,000 small files up", "ms", t[0], "cp -r", t[2], noTarget)
	b.report("1,000 small files down", "ms", t[1], "cp -r", t[2], noTarget)
	b.report("1,000 small files up", "ms", t[0], "podman cp", t[3], noTarget)
	return nil
}

// fill writes size random bytes, a mebibyte of them again and again.
func fill(path string, size int) error {
	block := make([]byte, min(size, 1<<20))
	rand.Read(block)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for written := 0; written < size; written += len(block) {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	return f.Close()
}

func drain(r io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// same compares two files, block by block.
func same(a, b string) error {
	fa, err := os.Open(a)
	if err != nil {
		return err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return err
	}
	defer fb.Close()
	bufA, bufB := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		na, errA := io.ReadFull(fa, bufA)
		nb, errB := io.ReadFull(fb, bufB)
		if !bytes.Equal(bufA[:na], bufB[:nb]) {
			return fmt.Errorf("%s and %s differ", a, b)
		}
		if errA != nil || errB != nil {
			return nil
		}
	}
}
