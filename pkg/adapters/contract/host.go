package contract

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// marks are what tells the host processes of a sandbox from others.
func (f *fixture) marks(ctx context.Context, b *box) []string {
	GinkgoHelper()
	marks := []string{b.ID()}
	if f.harness.Marks != nil {
		more, err := f.harness.Marks(ctx, b.ID())
		Expect(err).NotTo(HaveOccurred())
		marks = append(marks, more...)
	}
	return marks
}

// hostProcesses lists the processes of this machine whose command lines contain
// one of the marks, with all that share a foreign PID namespace with one of them.
func hostProcesses(marks []string) []string {
	own, _ := os.Readlink("/proc/self/ns/pid")
	lines, namespaces := map[string]string{}, map[string]string{}
	var found, inside []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		lines[dir] = string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '}))
		namespaces[dir], _ = os.Readlink(filepath.Join(dir, "ns/pid"))
		if slices.ContainsFunc(marks, func(m string) bool { return strings.Contains(lines[dir], m) }) {
			found = append(found, dir)
			if ns := namespaces[dir]; ns != "" && ns != own {
				inside = append(inside, ns)
			}
		}
	}
	for dir, ns := range namespaces {
		if slices.Contains(inside, ns) && !slices.Contains(found, dir) {
			found = append(found, dir)
		}
	}
	for i, dir := range found {
		found[i] = filepath.Base(dir) + " " + lines[dir]
	}
	return found
}

// memoryOf returns by how many bytes this process grew, at its largest, while do
// ran. The agent of an adapter that has it in this process counts, too. What is
// held is asked for, not how much garbage the collector lets lie, which depends
// on all that ran before.
func memoryOf(do func()) int64 {
	GinkgoHelper()
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	debug.FreeOSMemory()
	// 5 sets the peak back to the present size: proc(5).
	Expect(os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)).To(Succeed())
	before := peak()
	do()
	return peak() - before
}

// peak is the most memory that this process has had.
func peak() int64 {
	GinkgoHelper()
	status, err := os.ReadFile("/proc/self/status")
	Expect(err).NotTo(HaveOccurred())
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	_, err = fmt.Sscan(rest, &kib)
	Expect(err).NotTo(HaveOccurred())
	return kib << 10
}

// descriptors counts this process's open files.
func descriptors() int {
	GinkgoHelper()
	entries, err := os.ReadDir("/proc/self/fd")
	Expect(err).NotTo(HaveOccurred())
	return len(entries)
}
