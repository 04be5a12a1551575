package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"github.com/onsi/gomega/types"
)

// outcome is how a run of qs ended.
type outcome struct {
	Stdout, Stderr string
	Code           int
}

// qs runs qs with no input and waits for it.
func qs(ctx context.Context, args ...string) outcome {
	GinkgoHelper()
	return run(command(ctx, args...))
}

// ok is qs for what must succeed; it returns the output without the last newline.
func ok(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out := qs(ctx, args...)
	Expect(out.Code).To(BeZero(), "qs %s\n%s", strings.Join(args, " "), out.Stderr)
	return strings.TrimSuffix(out.Stdout, "\n")
}

// command is qs, to be completed by the caller.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program(), args...)
	// A case that fails must not leave a qs that would have cleaned up.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// run completes a command.
func run(cmd *exec.Cmd) outcome {
	GinkgoHelper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil {
		Expect(errors.As(err, &exit)).To(BeTrue(), "%v", err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// start runs qs in the background. It is killed with the case, at the latest.
func start(cmd *exec.Cmd) *gexec.Session {
	GinkgoHelper()
	session, err := gexec.Start(cmd, nil, nil)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { session.Kill().Wait(10 * time.Second) })
	return session
}

// create makes a sandbox that ends with the case, or the group.
func create(ctx context.Context, flags ...string) string {
	GinkgoHelper()
	id := ok(ctx, append([]string{"create", "--quiet"}, flags...)...)
	Expect(id).To(MatchRegexp(`^[a-z0-9]{8,32}$`))
	DeferCleanup(func(ctx SpecContext) { ok(ctx, "kill", "--force", id) }, NodeTimeout(20*time.Second))
	return id
}

// shared makes a sandbox for all cases of an Ordered group.
func shared(flags ...string) *string {
	id := new(string)
	BeforeAll(func(ctx SpecContext) { *id = create(ctx, flags...) }, NodeTimeout(time.Minute))
	return id
}

// eventually is Eventually for as long as ctx. Gomega takes a context as its first
// argument, too, but then formats the second one, which is a race with those
// who write to it.
func eventually(ctx context.Context, actual any) types.AsyncAssertion {
	GinkgoHelper()
	return Eventually(actual).WithContext(ctx)
}

// decode reads JSON that must have no field that T lacks: what qs prints is a
// promise, and T is how it is written down here.
func decode[T any](text string) T {
	GinkgoHelper()
	var v T
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	Expect(d.Decode(&v)).To(Succeed(), text)
	Expect(d.More()).To(BeFalse(), "more than one value: %s", text)
	return v
}
