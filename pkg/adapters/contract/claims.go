package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// describeClaims holds the harness to its word: what it claims is there, and
// what it does not claim is not.
func describeClaims(f *fixture) {
	Describe("claims", func() {
		for _, claim := range []struct {
			capability Capability
			holds      func(context.Context, *fixture) bool
		}{
			{Dialer, implements[adapters.Dialer]},
			{Resolver, implements[adapters.Resolver]},
			{Checker, implements[adapters.Checker]},
			{EventStreamer, implements[adapters.EventStreamer]},
			{Historian, implements[adapters.Historian]},
			{Pauser, freezes},
			{Snapshotter, implements[adapters.Snapshotter]},
			{StatsReader, implements[adapters.StatsReader]},
			{Renamer, implements[adapters.Renamer]},
			{ImageBuilder, builds},
			{Isolation, isolates},
			{Networks, separatesNetworks},
			{RootUser, lendsRoot},
			{Python, hasPython},
			{Publish, accepts(quixand.Options{Publish: []quixand.PortMapping{{Port: 8000}}})},
			{MemoryLimit, accepts(quixand.Options{Resources: quixand.Resources{MemoryBytes: 256 << 20}})},
			{CPULimit, accepts(quixand.Options{Resources: quixand.Resources{CPUs: 0.5}})},
			{PIDsLimit, accepts(quixand.Options{Resources: quixand.Resources{PIDs: 100}})},
		} {
			it(fmt.Sprintf("tells the truth about: %s", claim.capability), func(ctx SpecContext) {
				claimed := slices.Contains(f.capabilities, claim.capability)
				Expect(claim.holds(ctx, f)).To(Equal(claimed), "claimed: %v", claimed)
			})
		}
	})
}

func implements[T any](_ context.Context, f *fixture) bool {
	_, ok := f.adapter().(T)
	return ok
}

// accepts reports whether a sandbox can be had with the options. An adapter that
// cannot keep what they ask for has to refuse them as unsupported.
func accepts(opts quixand.Options) func(context.Context, *fixture) bool {
	return func(ctx context.Context, f *fixture) bool {
		_, err := f.tryCreate(ctx, &opts)
		if errors.Is(err, quixand.ErrUnsupported) {
			return false
		}
		Expect(err).NotTo(HaveOccurred())
		return true
	}
}

// isolates looks for the agent as the first process of a world of its own.
func isolates(ctx context.Context, f *fixture) bool {
	first := f.create(ctx, nil).sh(ctx, `tr '\0' ' ' </proc/1/cmdline`)
	return strings.HasPrefix(first, agentapi.BinaryPath)
}

// freezes pauses a sandbox. Who cannot has to refuse it as unsupported, and to
// leave the sandbox alone.
func freezes(ctx context.Context, f *fixture) bool {
	b := f.create(ctx, nil)
	err := b.Pause(ctx)
	if errors.Is(err, quixand.ErrUnsupported) {
		Expect(b.Resume(ctx)).To(failAs(quixand.ErrUnsupported))
		Expect(b.sh(ctx, "echo alive")).To(Equal("alive"))
		return false
	}
	Expect(err).NotTo(HaveOccurred())
	return true
}

func separatesNetworks(ctx context.Context, f *fixture) bool {
	b, err := f.tryCreate(ctx, &quixand.Options{Network: quixand.NetworkNone})
	if errors.Is(err, quixand.ErrUnsupported) {
		return false
	}
	Expect(err).NotTo(HaveOccurred())
	return b.sh(ctx, interfaces) == "lo"
}

// interfaces is a script that prints the network interfaces, one a line.
const interfaces = `sed -n 's/^ *\([^ :]*\):.*/\1/p' /proc/net/dev | sort`

func lendsRoot(ctx context.Context, f *fixture) bool {
	b := f.create(ctx, nil)
	if b.sh(ctx, "id -u") == "0" {
		return false
	}
	cmd := b.Command("id", "-u")
	cmd.User = "root"
	out, err := cmd.Output(ctx)
	return err == nil && string(out) == "0\n"
}

func hasPython(ctx context.Context, f *fixture) bool {
	res, err := f.create(ctx, nil).Run(ctx, "python3", "-m", "pip", "--version")
	Expect(err).NotTo(HaveOccurred())
	return res.Success()
}
