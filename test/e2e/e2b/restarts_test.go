package e2b

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var (
	restartSeed = flag.Uint64("restart.seed", 0, "seed of the servers' kills; 0 chooses one")
	restarts    = flag.Int("restarts", 6, "how many servers are killed")
)

// shortLife is the timeout, in seconds, of what is created under load: a creation
// that nobody got the answer of is gone after it.
const shortLife = 12

var _ = Describe("a server that is killed", Ordered, func() {
	l := &load{known: make(map[string]box), unsure: make(map[string]bool)}

	It("loses no sandbox and leaves none behind", SpecTimeout(time.Duration(60+6**restarts)*time.Second), func(ctx SpecContext) {
		if *restartSeed == 0 {
			*restartSeed = uint64(time.Now().UnixNano())
		}
		GinkgoWriter.Printf("the same moments again: -restarts=%d -restart.seed=%d\n", *restarts, *restartSeed)
		rnd := rand.New(rand.NewPCG(*restartSeed, 0))
		l.key = strings.TrimSpace(qs(ctx, "serve", "keys", "create", "load"))
		defer qs(ctx, "serve", "keys", "revoke", "load")
		for range *restarts {
			l.server = serve(ctx, anyPort)
			l.check(ctx)
			l.run(ctx, time.Duration(rnd.Int64N(int64(time.Second))), rnd.Uint64())
		}
		l.server = serve(ctx, anyPort)
		defer l.server.stop(ctx)
		l.check(ctx)
		l.expectNoRemains()
		for id := range l.known {
			l.unsure[id] = true
		}
		for id := range l.unsure {
			status, err := l.ask(ctx, "DELETE", "/sandboxes/"+id, "", nil)
			Expect(err).NotTo(HaveOccurred())
			Expect(status).To(BeElementOf(204, 404))
		}
		Eventually(func() []string { return l.list(ctx) }, (shortLife+10)*time.Second, 200*time.Millisecond).Should(BeEmpty(), "creations without an answer outlive their timeout")
		for _, name := range templatesOfClients(ctx) {
			status, err := l.ask(ctx, "DELETE", "/templates/"+name, "", nil)
			Expect(err).NotTo(HaveOccurred())
			Expect(status).To(Equal(204), name)
		}
	})
})

// load is clients that know what they were answered.
type load struct {
	server *server
	key    string

	mu     sync.Mutex
	known  map[string]box  // that were answered, and not killed
	unsure map[string]bool // that were to live on or to be killed, without an answer
	built  int
}

// run keeps a server busy and kills it after a while.
func (l *load) run(ctx context.Context, after time.Duration, seed uint64) {
	busy, stop := context.WithCancel(ctx)
	var clients sync.WaitGroup
	for i := range 4 {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		clients.Go(func() {
			defer GinkgoRecover()
			for busy.Err() == nil {
				l.step(busy, rnd)
			}
		})
	}
	time.Sleep(after) // the moment is what this is about
	_ = l.server.cmd.Process.Kill()
	stop()
	clients.Wait()
	<-l.server.logged
	_ = l.server.cmd.Wait()
}

// step is one thing that a client does. What it gets no answer to may have been
// done or not.
func (l *load) step(ctx context.Context, rnd *rand.Rand) {
	switch n := rnd.IntN(10); {
	case n < 3:
		l.create(ctx)
	case n < 6:
		if b, ok := l.any(); ok {
			_, _ = l.ask(ctx, "POST", "/process.Process/List", "{}", nil, agentHeaders(b)...)
		}
	case n < 7:
		l.kill(ctx)
	case n < 8:
		if b, ok := l.any(); ok {
			_, _ = l.ask(ctx, "POST", "/sandboxes/"+b.ID+"/pause", "", nil)
		}
	case n < 9:
		if b, ok := l.any(); ok {
			_, _ = l.ask(ctx, "POST", "/v2/sandboxes/"+b.ID+"/connect", `{"timeout":600}`, nil)
		}
	default:
		l.build(ctx)
	}
}

func (l *load) create(ctx context.Context) {
	var b box
	canary := fmt.Sprintf("m%016x", rand.Uint64())
	body := fmt.Sprintf(`{"templateID":"base","timeout":%d,"metadata":{"canary":%q},"allow_internet_access":false}`, shortLife, canary)
	if status, err := l.ask(ctx, "POST", "/v2/sandboxes", body, &b); err != nil || status != 201 {
		return
	}
	b.canary = canary
	l.doubt(b.ID, true)
	// What is known lives on for as long as the test.
	if status, err := l.ask(ctx, "POST", "/sandboxes/"+b.ID+"/timeout", `{"timeout":600}`, nil); err != nil || status != 204 {
		return
	}
	l.doubt(b.ID, false)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[b.ID] = b
}

// doubt notes whether it is not known what has become of a sandbox.
func (l *load) doubt(id string, unsure bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if unsure {
		l.unsure[id] = true
	} else {
		delete(l.unsure, id)
	}
}

// any is a sandbox that is known.
func (l *load) any() (b box, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b = range l.known {
		return b, true
	}
	return b, false
}

func (l *load) kill(ctx context.Context) {
	b, ok := l.any()
	if !ok {
		return
	}
	l.mu.Lock()
	delete(l.known, b.ID)
	l.mu.Unlock()
	l.doubt(b.ID, true)
	if status, err := l.ask(ctx, "DELETE", "/sandboxes/"+b.ID, "", nil); err == nil && status == 204 {
		l.doubt(b.ID, false)
	}
}

// build sends the files of a template and begins to build it.
func (l *load) build(ctx context.Context) {
	l.mu.Lock()
	l.built++
	name := fmt.Sprintf("load-%d", l.built%3)
	l.mu.Unlock()
	var made struct {
		TemplateID, BuildID string
	}
	if status, err := l.ask(ctx, "POST", "/v3/templates", fmt.Sprintf(`{"name":%q}`, name), &made); err != nil || status != 202 {
		return
	}
	var files struct{ URL string }
	if _, err := l.ask(ctx, "GET", fmt.Sprintf("/templates/%s/files/%s", name, made.BuildID), "", &files); err != nil || files.URL == "" {
		return
	}
	at := strings.TrimPrefix(files.URL, l.server.url)
	if status, err := l.ask(ctx, "PUT", at, string(make([]byte, 1<<20)), nil); err != nil || status != 204 {
		return
	}
	steps := fmt.Sprintf(`{"fromImage":%q,"steps":[{"type":"COPY","args":["x","/x"],"filesHash":%q},{"type":"RUN","args":["true"]}]}`, os.Getenv("QS_IMAGE"), made.BuildID)
	_, _ = l.ask(ctx, "POST", fmt.Sprintf("/v2/templates/%s/builds/%s", name, made.BuildID), steps, nil)
}

// check makes sure that every sandbox is there that was answered, as it was.
func (l *load) check(ctx context.Context) {
	listed := l.list(ctx)
	for id, b := range l.known {
		Expect(listed).To(ContainElement(id), "a sandbox is lost")
		var seen struct{ Metadata map[string]string }
		status, err := l.ask(ctx, "GET", "/sandboxes/"+id, "", &seen)
		Expect(err).NotTo(HaveOccurred())
		Expect(status).To(Equal(200))
		Expect(seen.Metadata).To(HaveKeyWithValue("canary", b.canary))
		status, err = l.ask(ctx, "POST", "/v2/sandboxes/"+id+"/connect", `{"timeout":600}`, nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(status).To(BeElementOf(200, 201), "it cannot be connected to")
		status, err = l.ask(ctx, "POST", "/process.Process/List", "{}", nil, agentHeaders(b)...)
		Expect(err).NotTo(HaveOccurred())
		Expect(status).To(Equal(200), "its old token lets nobody in")
	}
}

func (l *load) list(ctx context.Context) (ids []string) {
	var all []box
	status, err := l.ask(ctx, "GET", "/v2/sandboxes?state=running,paused", "", &all)
	Expect(err).NotTo(HaveOccurred())
	Expect(status).To(Equal(200))
	for _, b := range all {
		ids = append(ids, b.ID)
	}
	return ids
}

// expectNoRemains looks for what servers that were killed were at.
func (l *load) expectNoRemains() {
	Eventually(func() ([]string, error) {
		return filepath.Glob(filepath.Join(suite.root, "serve", "uploads", "*.part"))
	}, 10*time.Second, 100*time.Millisecond).Should(BeEmpty(), "what killed servers have left of uploads and builds")
}

func agentHeaders(b box) []string {
	return []string{"E2b-Sandbox-Id", b.ID, "E2b-Sandbox-Port", "49983", "X-Access-Token", b.Token, "Content-Type", "application/json"}
}

// ask makes a request, and reads the answer into v if it is not nil.
func (l *load) ask(ctx context.Context, method, path, body string, v any, headers ...string) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, l.server.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-API-KEY", l.key)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && v != nil && resp.StatusCode < 300 {
		err = json.Unmarshal(text, v)
	}
	return resp.StatusCode, err
}
