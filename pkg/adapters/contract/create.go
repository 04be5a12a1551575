package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// describeCreate is about making sandboxes: what options do, and what is left
// when it does not work out.
func describeCreate(f *fixture) {
	Describe("create", func() {
		it("returns a sandbox that takes commands at once", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			Expect(adapters.ValidID(b.ID())).To(BeTrue(), b.ID())
			Expect(b.sh(ctx, "echo hello")).To(Equal("hello"))
		})

		it("takes image and idle timeout from the configuration", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			info, err := b.Info(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(info.Image).To(Equal(f.harness.Image))
			status, err := b.Status(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(status.IdleTimeout).To(Equal(5 * time.Minute))
			Expect(status.Lifetime).To(BeZero())
		})

		it("starts commands in a workdir that it makes and gives to the user", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			Expect(b.sh(ctx, "pwd")).To(Equal(b.Workdir()))
			Expect(b.sh(ctx, "touch mine && ls")).To(Equal("mine"))
		})

		it("takes another workdir", needs(Isolation), func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Workdir: "/srv/deep/work dir"})
			Expect(b.Workdir()).To(Equal("/srv/deep/work dir"))
			Expect(b.sh(ctx, "touch mine && pwd")).To(Equal("/srv/deep/work dir"))
			info, err := b.Info(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(info.Workdir).To(Equal("/srv/deep/work dir"))
		})

		it("sets the environment of every command", func(ctx SpecContext) {
			value := "a 'quoted' \"value\" with $signs,\nlines and ünicode"
			b := f.create(ctx, &quixand.Options{Env: map[string]string{"QS_A": value, "QS_EMPTY": ""}})
			Expect(b.sh(ctx, `printf %s "$QS_A"`)).To(Equal(value))
			Expect(b.sh(ctx, `echo "${QS_EMPTY-unset}"`)).To(BeEmpty())
		})

		it("keeps the environment from the engine", needs(Inspect), func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Env: map[string]string{"QS_TOKEN": "correct-horse-battery"}})
			Expect(f.harness.Inspect(ctx, b.ID())).NotTo(ContainSubstring("correct-horse-battery"))
		})

		it("keeps metadata as it is", func(ctx SpecContext) {
			metadata := map[string]string{
				"plain": "value", "empty": "", "a key with spaces, =, \" and ünicode": "line 1\nline 2\t'x'",
				"long": strings.Repeat("x", 4096),
			}
			b := f.create(ctx, &quixand.Options{Metadata: metadata})
			info, err := b.Info(ctx)
			Expect(err).NotTo(HaveOccurred())
			for k, v := range metadata {
				Expect(info.Metadata).To(HaveKeyWithValue(k, v))
			}
		})

		it("reports its phases in order", func(ctx SpecContext) {
			var done []quixand.Phase
			f.create(ctx, &quixand.Options{Progress: func(p quixand.Progress) {
				Expect(p.Elapsed).To(BeNumerically(">=", 0))
				if p.Done {
					done = append(done, p.Phase)
				}
			}})
			order := []quixand.Phase{adapters.PhasePull, adapters.PhaseCreate, adapters.PhaseStart, adapters.PhaseReady}
			Expect(done).To(ContainElement(adapters.PhaseReady))
			Expect(slices.IsSortedFunc(done, func(a, b quixand.Phase) int {
				return slices.Index(order, a) - slices.Index(order, b)
			})).To(BeTrue(), "%v", done)
		})

		it("makes ten sandboxes at once that know nothing of each other", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
			boxes := make([]*box, 10)
			inParallel(len(boxes), func(i int) {
				boxes[i] = f.create(ctx, nil)
				boxes[i].write(ctx, "who", boxes[i].ID())
			})
			for _, b := range boxes {
				Expect(b.sh(ctx, "cat who")).To(Equal(b.ID()))
			}
		})

		describeRefusals(f)
		describeInterruptions(f)
	})
}

// describeRefusals lists what can never become a sandbox.
func describeRefusals(f *fixture) {
	for _, refused := range []struct {
		what string
		opts quixand.Options
	}{
		{"a relative workdir", quixand.Options{Workdir: "work"}},
		{"a negative idle timeout", quixand.Options{Timeout: -time.Minute}},
		{"a negative lifetime", quixand.Options{Lifetime: -time.Minute}},
		{"an unknown network", quixand.Options{Network: "host"}},
		{"an unknown pull policy", quixand.Options{Pull: "sometimes"}},
		{"a port out of range", quixand.Options{Publish: []quixand.PortMapping{{Port: 70000}}}},
		{"negative memory", quixand.Options{Resources: quixand.Resources{MemoryBytes: -1}}},
		{"negative CPUs", quixand.Options{Resources: quixand.Resources{CPUs: -1}}},
		{"a variable without a name", quixand.Options{Env: map[string]string{"": "x"}}},
		{"a variable with = in its name", quixand.Options{Env: map[string]string{"A=B": "x"}}},
		{"a variable with a zero byte", quixand.Options{Env: map[string]string{"A": "x\x00y"}}},
	} {
		it("refuses "+refused.what, func(ctx SpecContext) {
			_, err := f.tryCreate(ctx, &refused.opts)
			Expect(err).To(failAs(quixand.ErrInvalid))
		})
	}

	for _, image := range []string{"Not An Image!", "--privileged", "a//b"} {
		it(fmt.Sprintf("refuses the image name %q", image), needs(Images), func(ctx SpecContext) {
			_, err := f.tryCreate(ctx, &quixand.Options{Template: image, Pull: quixand.PullNever})
			Expect(err).To(failAs(quixand.ErrInvalid))
		})
	}

	it("says what to do about an image that is not there", needs(Images), func(ctx SpecContext) {
		_, err := f.tryCreate(ctx, &quixand.Options{Template: "localhost/quixand-no-such-image:1", Pull: quixand.PullNever})
		Expect(err).To(failAs(quixand.ErrNotFound))
		var e *quixand.Error
		Expect(errors.As(err, &e)).To(BeTrue())
		Expect(e.Hint).NotTo(BeEmpty())
		Expect(e.Phase).To(Or(Equal(adapters.PhasePull), Equal(adapters.PhaseCreate)))
	})
}

// describeInterruptions cuts creations short and looks for what is left.
func describeInterruptions(f *fixture) {
	for _, phase := range []quixand.Phase{adapters.PhasePull, adapters.PhaseCreate, adapters.PhaseStart, adapters.PhaseReady} {
		it(fmt.Sprintf("leaves nothing when it is cancelled in the phase %q", phase), func(ctx SpecContext) {
			ctx1, cancel := context.WithCancel(ctx)
			defer cancel()
			mark := newID()
			_, err := f.tryCreate(ctx1, &quixand.Options{
				Metadata: map[string]string{"mark": mark},
				Progress: func(p quixand.Progress) {
					if p.Phase == phase && !p.Done {
						cancel()
					}
				},
			})
			if ctx1.Err() == nil {
				Expect(err).NotTo(HaveOccurred()) // this adapter has no such phase
				return
			}
			Expect(err).To(MatchError(context.Canceled))
			f.expectNone(ctx, mark)
		})
	}

	it("leaves nothing when its context was over before", func(ctx SpecContext) {
		over, cancel := context.WithCancel(ctx)
		cancel()
		mark := newID()
		_, err := f.tryCreate(over, &quixand.Options{Metadata: map[string]string{"mark": mark}})
		Expect(err).To(MatchError(context.Canceled))
		f.expectNone(ctx, mark)
	})

	it("leaves nothing when its deadline passes", func(ctx SpecContext) {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		mark := newID()
		_, err := f.tryCreate(short, &quixand.Options{
			Metadata: map[string]string{"mark": mark},
			Progress: func(quixand.Progress) { <-short.Done() },
		})
		Expect(err).To(MatchError(context.DeadlineExceeded))
		f.expectNone(ctx, mark)
	})

	for _, short := range []struct {
		phase   quixand.Phase
		budgets quixand.Budgets
	}{
		{adapters.PhaseCreate, quixand.Budgets{Create: time.Nanosecond}},
		{adapters.PhaseStart, quixand.Budgets{Start: time.Nanosecond}},
		{adapters.PhaseReady, quixand.Budgets{Ready: time.Nanosecond}},
	} {
		it(fmt.Sprintf("names the phase %q when its budget is used up", short.phase), func(ctx SpecContext) {
			mark := newID()
			_, err := f.tryCreate(ctx, &quixand.Options{Metadata: map[string]string{"mark": mark}, Budgets: short.budgets})
			Expect(err).To(failAs(quixand.ErrTimeout))
			var e *quixand.Error
			Expect(errors.As(err, &e)).To(BeTrue())
			Expect(e.Phase).To(Equal(short.phase))
			f.expectNone(ctx, mark)
		})
	}
}

// expectNone asserts that no sandbox has the mark, and that this root has no
// directory on the host that belongs to none.
func (f *fixture) expectNone(ctx context.Context, mark string) {
	GinkgoHelper()
	listed, err := f.client.List(ctx, nil)
	Expect(err).NotTo(HaveOccurred())
	var ids []string
	for _, info := range listed {
		Expect(info.Metadata).NotTo(HaveKeyWithValue("mark", mark))
		ids = append(ids, info.ID)
	}
	for _, id := range f.directories() {
		Expect(ids).To(ContainElement(id), "a directory that belongs to no sandbox")
	}
}

// directories lists what this root's sandboxes share with the host.
func (f *fixture) directories() []string {
	GinkgoHelper()
	ids, err := statedir.Open(f.root).IDs()
	Expect(err).NotTo(HaveOccurred())
	return ids
}
