//go:build containers_image_openpgp

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// benchWeight: what an idle sandbox costs the host, in memory and processes.
func benchWeight(ctx context.Context, b *bench) error {
	base := weigh()
	var kills []func()
	defer func() {
		for _, kill := range kills {
			kill()
		}
	}()
	for _, n := range []int{1, 20, b.boxes} {
		for len(kills) < n {
			_, kill, err := b.sandbox(ctx)
			if err != nil {
				return fmt.Errorf("sandbox %d: %w", len(kills)+1, err)
			}
			kills = append(kills, kill)
		}
		now := weigh()
		per := func(before, after int) samples { return samples{float64(after-before) / float64(n)} }
		b.report(fmt.Sprintf("memory per idle sandbox, %d", n), "MiB", per(base.kiB/1024, now.kiB/1024), "", nil, noTarget)
		b.report(fmt.Sprintf("processes per idle sandbox, %d", n), "", per(base.processes, now.processes), "", nil, noTarget)
	}
	return nil
}

type weight struct{ kiB, processes int }

// weigh adds up the proportional memory of every process that this user may
// look into, except this program's own, and counts all of the user's.
func weigh() weight {
	var w weight
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if pid, _ := strconv.Atoi(filepath.Base(dir)); pid == os.Getpid() {
			continue
		}
		if kiB, err := field(filepath.Join(dir, "smaps_rollup"), "Pss:"); err == nil {
			w.kiB += kiB
			w.processes++
		}
	}
	return w
}

// field reads a number of kB, or a plain one, from a file of "Name: N kB" lines.
func field(path, name string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == name {
			return strconv.Atoi(words[1])
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

func residentKiB() int {
	kiB, _ := field("/proc/self/status", "VmRSS:")
	return kiB
}

// benchLeaks: what thousands of commands leave on the host.
func benchLeaks(ctx context.Context, b *bench) error {
	sb, kill, err := b.sandbox(ctx)
	if err != nil {
		return err
	}
	defer kill()
	if err := runTrue(ctx, sb); err != nil {
		return err
	}
	before, fds, routines := weigh().processes, openFiles(), runtime.NumGoroutine()
	for range b.soak {
		if err := runTrue(ctx, sb); err != nil {
			return err
		}
	}
	left := func(what string, n int) {
		b.report(fmt.Sprintf("%s after %d commands", what, b.soak), "more", samples{float64(n)}, "", nil, target{0.5, "0"})
	}
	left("processes", weigh().processes-before)
	left("descriptors", openFiles()-fds)
	left("goroutines", runtime.NumGoroutine()-routines)
	return nil
}

func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}
