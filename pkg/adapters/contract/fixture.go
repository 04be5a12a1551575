package contract

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gleak"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// runKey is the metadata key by which a run knows its sandboxes.
const runKey = "qs.test"

// limit bounds a case that does not say otherwise.
const limit = SpecTimeout(30 * time.Second)

// fixture is what the cases of one adapter share. Cases close over it when the
// tree is built; prepare fills it in before the first of them runs.
type fixture struct {
	name         string
	harness      Harness
	capabilities []Capability

	things                               // made by the first of several parallel processes
	undo   []func(context.Context) error // what it has to do at the end

	run    string
	root   string
	client *quixand.Client
	canary string // a value in this process's environment

	before []gleak.Goroutine
	mu     sync.Mutex
	ids    []string // of all sandboxes of this process
}

// things are made once and used by all parallel processes.
type things struct {
	Dir     string            // temporary, of the whole run
	Probe   string            // the probe program
	Images  map[string]string // scratch and busybox, as the engine calls them
	Lacking string            // why the engine cannot be used, or empty
}

func newFixture(name string, h Harness) *fixture {
	return &fixture{name: name, harness: h, capabilities: h.capabilities()}
}

// it is It with a time limit. args ends with the body; a SpecTimeout among them
// replaces the usual limit.
func it(text string, args ...any) {
	It(text, append([]any{Offset(1), limit}, args...)...)
}

// adapter opens one more adapter on the fixture's root.
func (f *fixture) adapter() adapters.Adapter {
	GinkgoHelper()
	return f.adapterAt(f.root)
}

func (f *fixture) adapterAt(root string) adapters.Adapter {
	GinkgoHelper()
	a, err := f.harness.New(adapters.Config{Root: root, Logger: hclog.NewNullLogger()})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(a.Close)
	return a
}

// clientAt opens one more client, as another program would.
func (f *fixture) clientAt(root string, open adapters.Factory) *quixand.Client {
	GinkgoHelper()
	registry := new(adapters.Registry)
	registry.Register(f.name, open)
	c, err := quixand.New(&quixand.Config{
		Adapter: f.name, Registry: registry, Root: root, Image: f.harness.Image, Timeout: 5 * time.Minute,
	})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// another is a client of the same root that shares nothing with the fixture's.
func (f *fixture) another() *quixand.Client {
	GinkgoHelper()
	c := f.clientAt(f.root, f.harness.New)
	DeferCleanup(c.Close)
	return c
}

// create starts a sandbox that ends with the case, or with the group when a
// BeforeAll calls it.
func (f *fixture) create(ctx context.Context, opts *quixand.Options) *box {
	GinkgoHelper()
	b, err := f.tryCreate(ctx, opts)
	Expect(err).NotTo(HaveOccurred())
	return b
}

// tryCreate is create for cases that look at the error.
func (f *fixture) tryCreate(ctx context.Context, opts *quixand.Options) (*box, error) {
	sb, err := f.client.Create(ctx, f.marked(opts))
	if err != nil {
		return nil, err
	}
	f.own(sb.ID())
	return &box{Sandbox: sb, f: f}, nil
}

// own has the sandbox killed when the case ends, and looked for when all have.
func (f *fixture) own(id string) {
	f.mu.Lock()
	f.ids = append(f.ids, id)
	f.mu.Unlock()
	DeferCleanup(func(ctx SpecContext) {
		if err := f.client.Kill(ctx, id); !errors.Is(err, quixand.ErrNotFound) {
			Expect(err).NotTo(HaveOccurred())
		}
	}, NodeTimeout(10*time.Second))
}

// marked adds the run's mark to the metadata.
func (f *fixture) marked(opts *quixand.Options) *quixand.Options {
	var o quixand.Options
	if opts != nil {
		o = *opts
	}
	o.Metadata = maps.Clone(o.Metadata)
	if o.Metadata == nil {
		o.Metadata = map[string]string{}
	}
	o.Metadata[runKey] = f.run
	return &o
}

// shared gives an Ordered group one sandbox for all its cases. The box is filled in
// before the first of them.
func (f *fixture) shared(opts *quixand.Options) *box {
	b := new(box)
	BeforeAll(func(ctx SpecContext) {
		*b = *f.create(ctx, opts)
	}, NodeTimeout(time.Minute))
	return b
}

// prepareOnce makes what all parallel processes use.
func (f *fixture) prepareOnce(ctx SpecContext) []byte {
	var made things
	if f.harness.Available != nil {
		if err := f.harness.Available(ctx); err != nil {
			made.Lacking = err.Error()
			if required(f.name) {
				Fail(fmt.Sprintf("QS_TEST_REQUIRE names %s, but: %v", f.name, err))
			}
		}
	}
	if made.Lacking == "" {
		var err error
		made.Dir, err = os.MkdirTemp("", "qs-contract-")
		Expect(err).NotTo(HaveOccurred())
		f.undo = append(f.undo, func(context.Context) error { return os.RemoveAll(made.Dir) })
		made.Probe = buildProbe(ctx, made.Dir)
		made.Images = f.importImages(ctx, made.Probe)
	}
	b, err := json.Marshal(made)
	Expect(err).NotTo(HaveOccurred())
	return b
}

// cleanUpOnce runs when all parallel processes are done.
func (f *fixture) cleanUpOnce(ctx SpecContext) {
	for _, undo := range f.undo {
		Expect(undo(ctx)).To(Succeed())
	}
}

// required reports whether $QS_TEST_REQUIRE names the adapter, or a capability.
func required(name string) bool {
	return slices.Contains(strings.Split(os.Getenv("QS_TEST_REQUIRE"), ","), name)
}

// prepare opens this process's client.
func (f *fixture) prepare(_ SpecContext, b []byte) {
	Expect(json.Unmarshal(b, &f.things)).To(Succeed())
	if f.Lacking != "" {
		return
	}
	f.capabilities = append(f.capabilities, Engine)
	f.run = strings.ToLower(rand.Text())
	f.root = filepath.Join(f.Dir, f.run[:8])
	f.canary = rand.Text()
	Expect(os.Setenv("QS_CONTRACT_CANARY", f.canary)).To(Succeed())
	DeferCleanup(os.Unsetenv, "QS_CONTRACT_CANARY")
	f.before = gleak.Goroutines()
	f.client = f.clientAt(f.root, f.harness.New)
	if !f.hosted() {
		f.capabilities = append(f.capabilities, Local)
	}
}

func (f *fixture) hosted() bool {
	a, err := f.harness.New(adapters.Config{Root: f.root, Logger: hclog.NewNullLogger()})
	Expect(err).NotTo(HaveOccurred())
	defer a.Close()
	_, hosted := a.(adapters.Hosted)
	return hosted
}
