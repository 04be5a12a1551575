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

// subject is an adapter, and a sandbox that it has created.
type subject struct {
	adapter adapters.Adapter
	made    *adapters.Info
}

// asked is a kill that somebody asked for.
var asked = adapters.KillOptions{Reason: adapters.ReasonKilled}

// describeSeam calls the adapter as pkg/quixand does, for what its comments
// promise and pkg/quixand does not show.
func describeSeam(f *fixture) {
	Describe("adapter", Ordered, ContinueOnFailure, func() {
		s := new(subject)
		BeforeAll(func(ctx SpecContext) {
			s.adapter = f.adapter()
			spec := f.spec()
			var err error
			s.made, err = s.adapter.Create(ctx, spec)
			Expect(err).NotTo(HaveOccurred())
			f.own(spec.ID)
		}, NodeTimeout(time.Minute))

		describeLifecycles(f, s)
		describeDataPlane(s)
		describeOptional(s)
	})
	describeEvents(f)
}

func describeLifecycles(f *fixture, s *subject) {
	it("describes what it created", func(_ SpecContext) {
		Expect(s.made.Adapter).To(Equal(f.name))
		Expect(s.made.Root).To(Equal(f.root))
		Expect(s.made.Image).To(Equal(f.harness.Image))
		Expect(s.made.State).To(Equal(adapters.StateRunning))
		Expect(s.made.Created).To(BeTemporally("~", time.Now(), time.Minute))
		Expect(s.made.Workdir).NotTo(BeEmpty())
		Expect(s.made.Network).To(Equal(adapters.NetworkBridge))
		Expect(s.made.Metadata).To(HaveKeyWithValue(runKey, f.run))
	})

	it("says the same in Create, Get and List", func(ctx SpecContext) {
		got, err := s.adapter.Get(ctx, s.made.ID)
		Expect(err).NotTo(HaveOccurred())
		Expect(got).To(sameAs(s.made))
		listed, err := s.adapter.List(ctx, adapters.Filter{Root: f.root, Metadata: s.made.Metadata})
		Expect(err).NotTo(HaveOccurred())
		Expect(listed).To(ContainElement(sameAs(s.made)))
	})

	it("refuses a taken id and leaves its owner alone", func(ctx SpecContext) {
		spec := f.spec()
		spec.ID = s.made.ID
		_, err := s.adapter.Create(ctx, spec)
		Expect(err).To(failAs(adapters.ErrExists))
		Expect(health(ctx, s.adapter, s.made.ID)).To(Equal(http.StatusNoContent))
	})

	it("does not find or kill an id that nobody has", func(ctx SpecContext) {
		id := newID()
		_, err := s.adapter.Get(ctx, id)
		Expect(err).To(failAs(adapters.ErrNotFound))
		Expect(s.adapter.Kill(ctx, id, asked)).To(failAs(adapters.ErrNotFound))
		Expect(s.adapter.SetDeadline(ctx, id, time.Minute)).To(failAs(adapters.ErrNotFound))
	})

	it("selects nothing with the zero filter", func(ctx SpecContext) {
		Expect(s.adapter.List(ctx, adapters.Filter{})).To(BeEmpty())
	})

	it("filters by state", func(ctx SpecContext) {
		running := adapters.Filter{Root: f.root, States: []adapters.State{adapters.StateRunning}}
		Expect(s.adapter.List(ctx, running)).To(ContainElement(sameAs(s.made)))
		stopped := adapters.Filter{Root: f.root, States: []adapters.State{adapters.StateStopped, adapters.StatePaused}}
		Expect(s.adapter.List(ctx, stopped)).NotTo(ContainElement(HaveField("ID", s.made.ID)))
	})

	it("kills once", func(ctx SpecContext) {
		spec := f.spec()
		_, err := s.adapter.Create(ctx, spec)
		Expect(err).NotTo(HaveOccurred())
		f.own(spec.ID)
		Expect(s.adapter.Kill(ctx, spec.ID, asked)).To(Succeed())
		Expect(s.adapter.Kill(ctx, spec.ID, asked)).To(failAs(adapters.ErrNotFound))
	})

	it("leaves sandboxes alive when it is closed", func(ctx SpecContext) {
		other, err := f.harness.New(adapters.Config{Root: f.root, Logger: quiet})
		Expect(err).NotTo(HaveOccurred())
		spec := f.spec()
		_, err = other.Create(ctx, spec)
		Expect(err).NotTo(HaveOccurred())
		f.own(spec.ID)
		Expect(other.Close()).To(Succeed())
		Expect(health(ctx, s.adapter, spec.ID)).To(Equal(http.StatusNoContent))
	})
}

func describeDataPlane(s *subject) {
	it("sets the deadline of a sandbox", func(ctx SpecContext) {
		Expect(s.adapter.SetDeadline(ctx, s.made.ID, time.Hour)).To(Succeed())
		Expect(get(ctx, s.adapter, s.made.ID, agentapi.PathStatus)).To(ContainSubstring(`"idleTimeoutMs":3600000`))
	})

	it("reaches the agent by its transport", func(ctx SpecContext) {
		Expect(health(ctx, s.adapter, s.made.ID)).To(Equal(http.StatusNoContent))
	})

	it("serves many requests at once by one transport", func(ctx SpecContext) {
		rt := transport(ctx, s.adapter, s.made.ID, adapters.AgentPort)
		inParallel(32, func(int) {
			Expect(roundTrip(ctx, rt, "/health")).To(Equal(http.StatusNoContent))
		})
	})

	it("fails at the first request to a sandbox that is not there", func(ctx SpecContext) {
		rt, err := s.adapter.Transport(ctx, newID(), adapters.AgentPort)
		if err == nil {
			_, err = roundTripErr(ctx, rt, "/health")
		}
		Expect(err).To(Or(failAs(adapters.ErrNotFound), failAs(adapters.ErrUnavailable)))
	})
}

func describeOptional(s *subject) {
	it("knows an id without its engine", needs(Resolver), func(ctx SpecContext) {
		r := s.adapter.(adapters.Resolver)
		id, ok, err := r.Resolve(s.made.ID)
		Expect(err).NotTo(HaveOccurred())
		Expect(ok).To(BeTrue())
		Expect(id).To(Equal(s.made.ID))
	})

	it("refuses a port where nobody listens", needs(Dialer), func(ctx SpecContext) {
		_, err := s.adapter.(adapters.Dialer).DialPort(ctx, s.made.ID, 1)
		Expect(err).To(failAs(adapters.ErrUnavailable))
	})

	it("finds nothing amiss with a host that works", needs(Checker), func(ctx SpecContext) {
		checks := s.adapter.(adapters.Checker).Check(ctx)
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
		OnTimeout:   adapters.TimeoutKill,
		Enforcers:   []string{"agent"},
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
