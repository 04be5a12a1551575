package contract

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// describeSeam calls the adapter as pkg/quixand does, for what its comments
// promise and pkg/quixand does not show.
func describeSeam(f *fixture) {
	Describe("adapter", Ordered, ContinueOnFailure, func() {
		var a adapters.Adapter
		var made *adapters.Info
		BeforeAll(func(ctx SpecContext) {
			a = f.adapter()
			spec := f.spec()
			var err error
			made, err = a.Create(ctx, spec)
			Expect(err).NotTo(HaveOccurred())
			f.own(spec.ID)
		}, NodeTimeout(time.Minute))

		it("describes what it created", func(_ SpecContext) {
			Expect(made.Adapter).To(Equal(f.name))
			Expect(made.Root).To(Equal(f.root))
			Expect(made.Image).To(Equal(f.harness.Image))
			Expect(made.State).To(Equal(adapters.StateRunning))
			Expect(made.Created).To(BeTemporally("~", time.Now(), time.Minute))
			Expect(made.Workdir).NotTo(BeEmpty())
			Expect(made.Network).To(Equal(adapters.NetworkBridge))
			Expect(made.Metadata).To(HaveKeyWithValue(runKey, f.run))
		})

		it("says the same in Create, Get and List", func(ctx SpecContext) {
			got, err := a.Get(ctx, made.ID)
			Expect(err).NotTo(HaveOccurred())
			Expect(got).To(sameAs(made))
			listed, err := a.List(ctx, adapters.Filter{Root: f.root, Metadata: made.Metadata})
			Expect(err).NotTo(HaveOccurred())
			Expect(listed).To(ContainElement(sameAs(made)))
		})

		it("refuses a taken id and leaves its owner alone", func(ctx SpecContext) {
			spec := f.spec()
			spec.ID = made.ID
			_, err := a.Create(ctx, spec)
			Expect(err).To(failAs(adapters.ErrExists))
			Expect(health(ctx, a, made.ID)).To(Equal(http.StatusNoContent))
		})

		it("does not find or kill an id that nobody has", func(ctx SpecContext) {
			id := newID()
			_, err := a.Get(ctx, id)
			Expect(err).To(failAs(adapters.ErrNotFound))
			Expect(a.Kill(ctx, id)).To(failAs(adapters.ErrNotFound))
			Expect(a.SetDeadline(ctx, id, time.Minute)).To(failAs(adapters.ErrNotFound))
		})

		it("selects nothing with the zero filter", func(ctx SpecContext) {
			Expect(a.List(ctx, adapters.Filter{})).To(BeEmpty())
		})

		it("filters by state", func(ctx SpecContext) {
			running := adapters.Filter{Root: f.root, States: []adapters.State{adapters.StateRunning}}
			Expect(a.List(ctx, running)).To(ContainElement(sameAs(made)))
			stopped := adapters.Filter{Root: f.root, States: []adapters.State{adapters.StateStopped, adapters.StatePaused}}
			Expect(a.List(ctx, stopped)).NotTo(ContainElement(HaveField("ID", made.ID)))
		})

		it("kills once", func(ctx SpecContext) {
			spec := f.spec()
			_, err := a.Create(ctx, spec)
			Expect(err).NotTo(HaveOccurred())
			f.own(spec.ID)
			Expect(a.Kill(ctx, spec.ID)).To(Succeed())
			Expect(a.Kill(ctx, spec.ID)).To(failAs(adapters.ErrNotFound))
		})

		it("sets the deadline of a sandbox", func(ctx SpecContext) {
			Expect(a.SetDeadline(ctx, made.ID, time.Hour)).To(Succeed())
			Expect(get(ctx, a, made.ID, agentapi.PathStatus)).To(ContainSubstring(`"idleTimeoutMs":3600000`))
		})

		it("reaches the agent by its transport", func(ctx SpecContext) {
			Expect(health(ctx, a, made.ID)).To(Equal(http.StatusNoContent))
		})

		it("serves many requests at once by one transport", func(ctx SpecContext) {
			rt := transport(ctx, a, made.ID, adapters.AgentPort)
			inParallel(32, func(int) {
				Expect(roundTrip(ctx, rt, "/health")).To(Equal(http.StatusNoContent))
			})
		})

		it("fails at the first request to a sandbox that is not there", func(ctx SpecContext) {
			rt, err := a.Transport(ctx, newID(), adapters.AgentPort)
			if err == nil {
				_, err = roundTripErr(ctx, rt, "/health")
			}
			Expect(err).To(Or(failAs(adapters.ErrNotFound), failAs(adapters.ErrUnavailable)))
		})

		it("leaves sandboxes alive when it is closed", func(ctx SpecContext) {
			other, err := f.harness.New(adapters.Config{Root: f.root, Logger: quiet})
			Expect(err).NotTo(HaveOccurred())
			spec := f.spec()
			_, err = other.Create(ctx, spec)
			Expect(err).NotTo(HaveOccurred())
			f.own(spec.ID)
			Expect(other.Close()).To(Succeed())
			Expect(health(ctx, a, spec.ID)).To(Equal(http.StatusNoContent))
		})

		it("completes an id without its engine", needs(Resolver), func(ctx SpecContext) {
			r := a.(adapters.Resolver)
			id, ok, err := r.Resolve(made.ID[:12])
			Expect(err).NotTo(HaveOccurred())
			Expect(ok).To(BeTrue())
			Expect(id).To(Equal(made.ID))
		})

		it("refuses a port where nobody listens", needs(Dialer), func(ctx SpecContext) {
			_, err := a.(adapters.Dialer).DialPort(ctx, made.ID, 1)
			Expect(err).To(failAs(adapters.ErrUnavailable))
		})

		it("finds nothing amiss with a host that works", needs(Checker), func(ctx SpecContext) {
			checks := a.(adapters.Checker).Check(ctx)
			Expect(checks).NotTo(BeEmpty())
			for _, c := range checks {
				Expect(c.Name).NotTo(BeEmpty())
				Expect(c.Detail).NotTo(BeEmpty(), c.Name)
				Expect(c.Status).To(Or(Equal(adapters.CheckOK), Equal(adapters.CheckWarn)), "%+v", c)
				if c.Status != adapters.CheckOK {
					Expect(c.Cure).NotTo(BeEmpty(), "%+v", c)
				}
			}
		})
	})

	it("tells the life of a sandbox as events, whoever causes them", needs(EventStreamer), func(ctx SpecContext) {
		events := f.events(ctx)
		a, spec := f.adapter(), f.spec()
		_, err := a.Create(ctx, spec)
		Expect(err).NotTo(HaveOccurred())
		f.own(spec.ID)
		Expect(a.Kill(ctx, spec.ID)).To(Succeed())
		for _, want := range []adapters.EventType{
			adapters.EventCreated, adapters.EventStarted, adapters.EventDied, adapters.EventRemoved,
		} {
			eventually(ctx, events).Should(Receive(SatisfyAll(
				HaveField("ID", spec.ID), HaveField("Type", want), HaveField("Time", BeTemporally("~", time.Now(), time.Minute)),
			)))
		}
	})
}

// events streams the events of an adapter of its own until the case ends. An engine
// tells what happens from some moment on and does not say when that is, so
// sandboxes come and go until the first one is told.
func (f *fixture) events(ctx context.Context) <-chan adapters.Event {
	GinkgoHelper()
	ctx, stop := context.WithCancel(ctx)
	a, events := f.adapter(), make(chan adapters.Event, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for e, err := range a.(adapters.EventStreamer).Events(ctx) {
			if err != nil {
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
			}
		}
	}()
	DeferCleanup(func(ctx SpecContext) {
		stop()
		eventually(ctx, ended).Should(BeClosed())
	}, NodeTimeout(10*time.Second))
	eventually(ctx, func(g Gomega) {
		b, err := f.tryCreate(ctx, nil)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(b.Kill(ctx)).To(Succeed())
		g.Eventually(ctx, events).WithTimeout(time.Second).Should(Receive(SatisfyAll(
			HaveField("ID", b.ID()), HaveField("Type", adapters.EventRemoved),
		)))
	}).Should(Succeed())
	return events
}

// spec is a complete one, as pkg/quixand makes them.
func (f *fixture) spec() *adapters.Spec {
	return &adapters.Spec{
		ID:          newID(),
		Root:        f.root,
		Image:       f.harness.Image,
		Workdir:     agentapi.DefaultWorkdir,
		Metadata:    map[string]string{runKey: f.run},
		IdleTimeout: 5 * time.Minute,
		Lifetime:    adapters.NoTimeout,
		Network:     adapters.NetworkBridge,
		Pull:        adapters.PullNever,
		Budgets: adapters.Budgets{
			Pull: time.Minute, Create: time.Minute, Start: time.Minute, Ready: time.Minute,
		},
	}
}

func newID() string { return strings.ToLower(rand.Text())[:20] }

func transport(ctx context.Context, a adapters.Adapter, id string, port int) http.RoundTripper {
	GinkgoHelper()
	rt, err := a.Transport(ctx, id, port)
	Expect(err).NotTo(HaveOccurred())
	return rt
}

func health(ctx context.Context, a adapters.Adapter, id string) int {
	GinkgoHelper()
	return roundTrip(ctx, transport(ctx, a, id, adapters.AgentPort), "/health")
}

// get returns the body of an answer of the agent.
func get(ctx context.Context, a adapters.Adapter, id, path string) string {
	GinkgoHelper()
	res, err := request(ctx, transport(ctx, a, id, adapters.AgentPort), path)
	Expect(err).NotTo(HaveOccurred())
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	Expect(err).NotTo(HaveOccurred())
	return string(body)
}

func roundTrip(ctx context.Context, rt http.RoundTripper, path string) int {
	GinkgoHelper()
	status, err := roundTripErr(ctx, rt, path)
	Expect(err).NotTo(HaveOccurred())
	return status
}

func roundTripErr(ctx context.Context, rt http.RoundTripper, path string) (int, error) {
	res, err := request(ctx, rt, path)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, err
}

func request(ctx context.Context, rt http.RoundTripper, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://sandbox"+path, nil)
	if err != nil {
		return nil, err
	}
	return rt.RoundTrip(req)
}
