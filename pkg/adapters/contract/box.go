package contract

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/quixand/quixand/pkg/quixand"
)

// box is a sandbox with the steps that cases take often. Steps fail the case.
type box struct {
	*quixand.Sandbox
	f *fixture
}

var fresh atomic.Int64

// dir makes a new empty directory, so that cases can share a sandbox.
func (b *box) dir(ctx context.Context) string {
	GinkgoHelper()
	dir := path.Join(b.Workdir(), fmt.Sprintf("case-%d", fresh.Add(1)))
	Expect(b.Files.Mkdir(ctx, dir)).To(Succeed())
	return dir
}

// sh runs a shell script that must succeed in silence on stderr, and returns its
// output without the last newline.
func (b *box) sh(ctx context.Context, script string) string {
	GinkgoHelper()
	res, err := b.Shell(ctx, script)
	Expect(err).NotTo(HaveOccurred())
	Expect(res.ExitCode).To(BeZero(), "stdout: %s\nstderr: %s", res.Stdout, res.Stderr)
	Expect(string(res.Stderr)).To(BeEmpty())
	return strings.TrimSuffix(res.Text(), "\n")
}

// number is sh for a script that prints one.
func (b *box) number(ctx context.Context, script string) int {
	GinkgoHelper()
	n, err := strconv.Atoi(strings.TrimSpace(b.sh(ctx, script)))
	Expect(err).NotTo(HaveOccurred())
	return n
}

// write makes a file that must not fail.
func (b *box) write(ctx context.Context, path, text string) {
	GinkgoHelper()
	_, err := b.Files.WriteString(ctx, path, text)
	Expect(err).NotTo(HaveOccurred())
}

// read returns a file's text.
func (b *box) read(ctx context.Context, path string) string {
	GinkgoHelper()
	text, err := b.Files.ReadString(ctx, path)
	Expect(err).NotTo(HaveOccurred())
	return text
}

// running starts a script and returns when it has printed "ready", with what it
// prints. It is killed with the case, at the latest.
func (b *box) running(ctx context.Context, script string) (*quixand.Cmd, *gbytes.Buffer) {
	GinkgoHelper()
	cmd, out := b.Command("sh", "-c", script), gbytes.NewBuffer()
	cmd.Stdout = out
	Expect(cmd.Start(ctx)).To(Succeed())
	eventually(ctx, out).Should(gbytes.Say("ready\n"))
	return cmd, out
}

// probe puts the probe program into the sandbox, where it is not yet, and returns
// its path.
func (b *box) probe(ctx context.Context) string {
	GinkgoHelper()
	to := path.Join(b.Workdir(), "probe")
	there, err := b.Files.Exists(ctx, to)
	Expect(err).NotTo(HaveOccurred())
	if !there {
		program, err := os.ReadFile(b.f.Probe)
		Expect(err).NotTo(HaveOccurred())
		_, err = b.Files.WriteFrom(ctx, to, bytes.NewReader(program), &quixand.WriteOptions{Mode: 0o755})
		Expect(err).NotTo(HaveOccurred())
	}
	return to
}

// probed runs the probe program, which must succeed, and returns its output.
func (b *box) probed(ctx context.Context, args ...string) string {
	GinkgoHelper()
	res, err := b.Run(ctx, b.probe(ctx), args...)
	Expect(err).NotTo(HaveOccurred())
	Expect(res.ExitCode).To(BeZero(), "stdout: %s\nstderr: %s", res.Stdout, res.Stderr)
	return res.Text()
}

// serve starts a server of the probe program at an address inside, and returns
// its port.
func (b *box) serve(ctx context.Context, address, kind string, args ...string) int {
	GinkgoHelper()
	return b.listening(ctx, b.Command(b.probe(ctx), append([]string{"serve", address, kind}, args...)...))
}

// listening starts a server that prints its port when it listens, and returns
// that. The server ends with the case.
func (b *box) listening(ctx context.Context, server *quixand.Cmd) int {
	GinkgoHelper()
	out := gbytes.NewBuffer()
	server.Stdout = out
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	Expect(server.Start(running)).To(Succeed())
	DeferCleanup(func() {
		stop()
		Expect(server.Wait()).NotTo(Succeed())
	})
	eventually(ctx, out).Should(gbytes.Say("\n"))
	port, err := strconv.Atoi(strings.TrimSpace(string(out.Contents())))
	Expect(err).NotTo(HaveOccurred())
	return port
}

// cursor is the sandbox's place in lists.
func (b *box) cursor(ctx context.Context) string {
	GinkgoHelper()
	info, err := b.Info(ctx)
	Expect(err).NotTo(HaveOccurred())
	return info.Cursor()
}
