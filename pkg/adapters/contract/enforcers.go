package contract

import (
	"context"
	"io"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
	"github.com/quixand/quixand/pkg/timeouts"
)

// punctual is how late a deadline may fire.
const punctual = time.Second

// describeEnforcers is about who ends a sandbox: each enforcer has to be enough
// while the others are switched off.
func describeEnforcers(f *fixture) {
	Describe("enforcer", func() {
		for name, capabilities := range map[string][]Capability{
			timeouts.AgentName: nil, timeouts.ProcessName: {Local}, timeouts.SystemdName: {Local, Systemd},
		} {
			Describe(name+" alone", needs(capabilities...), func() { describeEnforcer(f, name) })
		}
		it("is told", needs(Local), func(ctx SpecContext) {
			b := f.createWith(ctx, f.enforcedBy("agent,process"), nil)
			Expect(b.Info(ctx)).To(HaveField("Enforcers", Equal([]string{"agent", "process"})))
			Expect(b.Status(ctx)).To(HaveField("Enforcers", Equal([]string{"agent", "process"})))
		})
		it("in the process ends with its client", needs(Local), func(ctx SpecContext) {
			c := f.enforcedBy(timeouts.ProcessName)
			b := f.createWith(ctx, c, &quixand.Options{Timeout: time.Second})
			Expect(c.Close()).To(Succeed())
			a := f.adapter()
			Consistently(ctx, func() error { _, err := a.Get(ctx, b.ID()); return err }).
				WithTimeout(1500 * time.Millisecond).Should(Succeed())
			By("a call that finds it overdue")
			Expect(f.client.List(ctx, nil)).NotTo(ContainElement(HaveField("ID", b.ID())))
			_, err := a.Get(ctx, b.ID())
			Expect(err).To(failAs(quixand.ErrNotFound))
		})
		it("by timers leaves none behind", needs(Local, Systemd), func(ctx SpecContext) {
			c := f.enforcedBy(timeouts.SystemdName)
			b := f.createWith(ctx, c, nil)
			Expect(f.timers(ctx)).To(ContainElement(b.ID()))
			Expect(f.another().Kill(ctx, b.ID())).To(Succeed())
			Expect(f.timers(ctx)).NotTo(ContainElement(b.ID()))
		})
		it("by timers forgets what ended behind its back", needs(Local, Systemd), func(ctx SpecContext) {
			b := f.createWith(ctx, f.enforcedBy("agent,systemd"), nil)
			Expect(f.adapter().Kill(ctx, b.ID(), adapters.KillOptions{Reason: adapters.ReasonKilled})).To(Succeed())
			Expect(f.timers(ctx)).To(ContainElement(b.ID()))
			Expect(f.another().Prune(ctx)).To(HaveField("Timers", ContainElement(b.ID())))
			Expect(f.timers(ctx)).NotTo(ContainElement(b.ID()))
		})
	})
	Describe("on timeout", func() {
		for name, capabilities := range map[string][]Capability{
			timeouts.ProcessName: {Local, Pauser}, timeouts.SystemdName: {Local, Pauser, Systemd},
		} {
			Describe(name, needs(capabilities...), func() { describePauseOnTimeout(f, "agent,"+name) })
		}
		it("pause is refused where nobody would, or could, do it", needs(Local), func(ctx SpecContext) {
			nobody := []string{timeouts.AgentName}
			if !f.has(Pauser) {
				nobody = append(nobody, timeouts.ProcessName)
			}
			for _, name := range nobody {
				_, err := f.enforcedBy(name).Create(ctx, f.marked(&quixand.Options{OnTimeout: quixand.TimeoutPause}))
				Expect(err).To(failAs(quixand.ErrUnsupported), name)
			}
		})
	})
}

func describeEnforcer(f *fixture, name string) {
	create := func(ctx context.Context, opts *quixand.Options) *box {
		GinkgoHelper()
		return f.createWith(ctx, f.enforcedBy(name), opts)
	}
	it("ends an idle sandbox on time", func(ctx SpecContext) {
		b := create(ctx, &quixand.Options{Timeout: time.Second})
		b.expectEndAfter(ctx, time.Now(), time.Second)
	})
	it("ends a busy sandbox at the end of its lifetime", func(ctx SpecContext) {
		begun := time.Now()
		b := create(ctx, &quixand.Options{Lifetime: 2 * time.Second})
		created := time.Now()
		Expect(b.Command("sleep", "1000").Start(ctx)).To(Succeed())
		b.expectEndSince(ctx, begun, created, 2*time.Second)
	})
	it("ends no sandbox in which a command runs", func(ctx SpecContext) {
		b := create(ctx, &quixand.Options{Timeout: time.Second})
		Expect(b.sh(ctx, "sleep 2.5; echo done")).To(Equal("done"))
		idle := time.Now()
		b.expectEndAfter(ctx, idle, time.Second)
	})
	it("ends no sandbox to which a file moves", func(ctx SpecContext) {
		b := create(ctx, &quixand.Options{Timeout: time.Second})
		Expect(b.Files.WriteFrom(ctx, "slow", &trickle{chunks: 25, every: 100 * time.Millisecond}, nil)).Error().NotTo(HaveOccurred())
		idle := time.Now()
		b.expectEndAfter(ctx, idle, time.Second)
	})
	it("waits for a longer timeout of later", func(ctx SpecContext) {
		b := create(ctx, &quixand.Options{Timeout: time.Second})
		Expect(b.RefreshTimeout(ctx, 2500*time.Millisecond)).To(Succeed())
		b.expectEndAfter(ctx, time.Now(), 2500*time.Millisecond)
	})
	it("minds a shorter timeout of later", func(ctx SpecContext) {
		b := create(ctx, &quixand.Options{Timeout: time.Hour})
		Expect(b.RefreshTimeout(ctx, time.Second)).To(Succeed())
		b.expectEndAfter(ctx, time.Now(), time.Second)
	})
	it("ends no sandbox that somebody keeps", func(ctx SpecContext) {
		b := create(ctx, &quixand.Options{Timeout: time.Second})
		release, err := b.Keep(ctx)
		Expect(err).NotTo(HaveOccurred())
		a := f.adapter()
		Consistently(ctx, func() error { _, err := a.Get(ctx, b.ID()); return err }).
			WithTimeout(2500 * time.Millisecond).Should(Succeed())
		release()
		b.expectEndAfter(ctx, time.Now(), time.Second)
	})
	if name == timeouts.ProcessName {
		return
	}
	it("does not need its creator", func(ctx SpecContext) {
		c := f.enforcedBy(name)
		b := f.createWith(ctx, c, &quixand.Options{Timeout: 2 * time.Second})
		idle := time.Now()
		Expect(c.Close()).To(Succeed())
		b.expectEndAfter(ctx, idle, 2*time.Second)
	})
}

func describePauseOnTimeout(f *fixture, enforcers string) {
	it("pauses an idle sandbox, again after it was resumed, and ends it at last", func(ctx SpecContext) {
		b := f.createWith(ctx, f.enforcedBy(enforcers), &quixand.Options{
			Timeout: time.Second, Lifetime: 8 * time.Second, OnTimeout: quixand.TimeoutPause,
		})
		created, a := time.Now(), f.adapter()
		state := func() (quixand.State, error) {
			info, err := a.Get(ctx, b.ID())
			if err != nil {
				return "", err
			}
			return info.State, nil
		}
		Expect(b.sh(ctx, "echo kept >file")).To(BeEmpty())
		for range 2 {
			eventually(ctx, state).WithTimeout(time.Second + 2*punctual).Should(Equal(quixand.StatePaused))
			Expect(b.Resume(ctx)).To(Succeed())
			Expect(b.sh(ctx, "cat file")).To(Equal("kept"))
		}
		eventually(ctx, state).WithTimeout(time.Second + 2*punctual).Should(Equal(quixand.StatePaused))
		eventually(ctx, func() error { _, err := state(); return err }).
			WithTimeout(10 * time.Second).Should(failAs(quixand.ErrNotFound))
		Expect(time.Since(created)).To(BeNumerically("~", 8*time.Second, punctual+backstop))
	})
}

// backstop is by how much the host's enforcers let the agent go first.
const backstop = 500 * time.Millisecond

// enforcedBy is a client that leaves the end of sandboxes to these enforcers.
func (f *fixture) enforcedBy(names string) *quixand.Client {
	GinkgoHelper()
	registry := new(adapters.Registry)
	registry.Register(f.name, f.harness.New)
	c, err := quixand.New(&quixand.Config{
		Adapter: f.name, Registry: registry, Root: f.root, Image: f.harness.Image, Timeout: 5 * time.Minute,
		Enforcer: names, QSPath: f.harness.QS,
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(c.Close)
	return c
}

// createWith is create for another client than the fixture's.
func (f *fixture) createWith(ctx context.Context, c *quixand.Client, opts *quixand.Options) *box {
	GinkgoHelper()
	sb, err := c.Create(ctx, f.marked(opts))
	Expect(err).NotTo(HaveOccurred())
	f.own(sb.ID())
	return &box{Sandbox: sb, f: f}
}

// expectEndAfter waits for the sandbox's end without any call that could put it
// off or bring it about, and wants it to come a timeout after begin.
func (b *box) expectEndAfter(ctx context.Context, begin time.Time, timeout time.Duration) {
	GinkgoHelper()
	b.expectEndSince(ctx, begin, begin, timeout)
}

// expectEndSince is for a time that begins at some moment between two.
func (b *box) expectEndSince(ctx context.Context, earliest, latest time.Time, timeout time.Duration) {
	GinkgoHelper()
	a := b.f.adapter()
	rt, err := a.Transport(ctx, b.ID(), adapters.AgentPort)
	Expect(err).NotTo(HaveOccurred())
	Expect(agentclient.New(rt).AwaitEnd(ctx)).To(Succeed())
	took := time.Since(latest)
	// It may have been idle since a moment before.
	Expect(time.Since(earliest)).To(BeNumerically(">", timeout-400*time.Millisecond))
	Expect(took).To(BeNumerically("<", timeout+punctual))
	AddReportEntry("late", took-timeout, ReportEntryVisibilityFailureOrVerbose)
	eventually(ctx, func() error { _, err := a.Get(ctx, b.ID()); return err }).
		WithTimeout(15 * time.Second).Should(failAs(quixand.ErrNotFound))
}

// timers lists the sandboxes of the fixture's root that systemd has timers for.
func (f *fixture) timers(ctx context.Context) []string {
	GinkgoHelper()
	ids, err := systemdOf(f.name, f.root).Armed(ctx)
	Expect(err).NotTo(HaveOccurred())
	return ids
}

// trickle is a file that takes its time.
type trickle struct {
	chunks int
	every  time.Duration
}

func (t *trickle) Read(p []byte) (int, error) {
	if t.chunks == 0 {
		return 0, io.EOF
	}
	t.chunks--
	time.Sleep(t.every)
	return copy(p, "a little more"), nil
}
