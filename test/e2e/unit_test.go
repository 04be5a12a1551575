package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/envd/process"
	"github.com/quixand/quixand/internal/envd/process/processconnect"
)

// unit is a service of the user's systemd that runs qs serve, and the socket
// that starts it.
type unit struct{ name, url string }

const unitKey = "e2b_00000000000000000000000000000000000000bb"

// newUnit makes the socket. All of a unit is gone with its case.
func newUnit(ctx SpecContext) *unit {
	GinkgoHelper()
	timers(ctx) // skips where there is no systemd
	free, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	address := free.Addr().String()
	Expect(free.Close()).To(Succeed())
	u := &unit{"qs-e2e-" + strings.ToLower(rand.Text()), "http://" + address}
	u.install("systemd/qs-serve.socket", "systemd/user", "", "127.0.0.1:3000", address)
	DeferCleanup(func(ctx SpecContext) {
		systemctl(ctx, "stop", u.name+".socket")
		_ = exec.CommandContext(ctx, "systemctl", "--user", "stop", u.name+".service").Run() // where there is one
		left, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "*/*", u.name+".*"))
		for _, path := range left {
			Expect(os.Remove(path)).To(Succeed())
		}
		systemctl(ctx, "daemon-reload")
	}, NodeTimeout(30*time.Second))
	return u
}

// install puts a file of contrib where the user's systemd or Podman looks, with
// more at its end and other words in it.
func (u *unit) install(file, dir, more string, replace ...string) {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(suite.checkout, "contrib", file))
	Expect(err).NotTo(HaveOccurred())
	for i := 0; i < len(replace); i += 2 {
		Expect(string(text)).To(ContainSubstring(replace[i]))
	}
	dir = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), dir)
	Expect(os.MkdirAll(dir, 0o755)).To(Succeed())
	path := filepath.Join(dir, u.name+filepath.Ext(file))
	Expect(os.WriteFile(path, []byte(strings.NewReplacer(replace...).Replace(string(text))+more), 0o644)).To(Succeed())
}

func (u *unit) installService(more string) {
	GinkgoHelper()
	u.install("systemd/qs-serve.service", "systemd/user", "[Service]\n"+u.environment()+more,
		"%h/.local/bin/qs", program())
}

// environment has the service's sandboxes be the suite's.
func (u *unit) environment() string {
	return fmt.Sprintf("Environment=QS_ROOT=%s QS_IMAGE=%s QS_SERVE_API_KEY=%s\n", suite.root, os.Getenv("QS_IMAGE"), unitKey)
}

// start has the first request start the service.
func (u *unit) start(ctx SpecContext) {
	GinkgoHelper()
	systemctl(ctx, "daemon-reload")
	systemctl(ctx, "start", u.name+".socket")
	active := func() string {
		out, _ := exec.CommandContext(ctx, "systemctl", "--user", "is-active", u.name+".service").Output()
		return strings.TrimSpace(string(out))
	}
	Expect(active()).To(Equal("inactive"))
	DeferCleanup(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			out, _ := exec.CommandContext(ctx, "journalctl", "--user", "--unit", u.name+"*", "--lines=50").CombinedOutput()
			GinkgoWriter.Printf("%s\n", out)
		}
	})
	u.ask(ctx, "GET", "/readyz", "", http.StatusNoContent, nil)
	Expect(active()).To(Equal("active"))
}

// ask asks over a connection of its own.
func (u *unit) ask(ctx context.Context, method, path, body string, status int, into any) {
	GinkgoHelper()
	req, err := http.NewRequestWithContext(ctx, method, u.url+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	req.Header.Set("X-Api-Key", unitKey)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	Expect(err).NotTo(HaveOccurred())
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(resp.StatusCode).To(Equal(status), string(text))
	if into != nil {
		Expect(json.Unmarshal(text, into)).To(Succeed())
	}
}

// askOn asks again and again, and fails the case when there is no answer. The
// result ends it, and is how many there were.
func (u *unit) askOn(ctx SpecContext) (end func() int) {
	stop, ended, n := make(chan struct{}), make(chan struct{}), 0
	go func() {
		defer GinkgoRecover()
		defer close(ended)
		for ; ; n++ {
			select {
			case <-stop:
				return
			default:
				u.ask(ctx, "GET", "/healthz", "", http.StatusNoContent, nil)
			}
		}
	}()
	return func() int { close(stop); <-ended; return n }
}

// served is a sandbox as E2B's clients know it.
type served struct {
	ID    string `json:"sandboxID"`
	Token string `json:"envdAccessToken"`
	url   string
}

func (u *unit) create(ctx SpecContext) *served {
	GinkgoHelper()
	sb := &served{url: u.url}
	u.ask(ctx, "POST", "/v2/sandboxes", `{"templateID":"base","timeout":600}`, http.StatusCreated, sb)
	DeferCleanup(func(ctx SpecContext) { ok(ctx, "kill", "--force", sb.ID) }, NodeTimeout(20*time.Second))
	return sb
}

// describe is what the server tells of a sandbox.
func (u *unit) describe(ctx SpecContext, sb *served) (all map[string]any) {
	GinkgoHelper()
	u.ask(ctx, "GET", "/sandboxes/"+sb.ID, "", http.StatusOK, &all)
	return all
}

func (sb *served) process() processconnect.ProcessClient {
	return processconnect.NewProcessClient(&http.Client{Transport: sb}, sb.url)
}

// RoundTrip names the sandbox, as E2B's clients do.
func (sb *served) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("E2b-Sandbox-Id", sb.ID)
	r.Header.Set("E2b-Sandbox-Port", "49983")
	r.Header.Set("X-Access-Token", sb.Token)
	return http.DefaultTransport.RoundTrip(r)
}

// count starts a command that counts for ever, and has seen it begin.
func (sb *served) count(ctx SpecContext) (*connect.ServerStreamForClient[process.StartResponse], uint32) {
	GinkgoHelper()
	stream, err := sb.process().Start(ctx, connect.NewRequest(&process.StartRequest{Process: &process.ProcessConfig{
		Cmd: "/bin/sh", Args: []string{"-c", "while :; do echo $((i+=1)); sleep 0.1; done"},
	}}))
	Expect(err).NotTo(HaveOccurred())
	Expect(stream.Receive()).To(BeTrue(), "%v", stream.Err())
	pid := stream.Msg().GetEvent().GetStart().GetPid()
	Expect(pid).NotTo(BeZero())
	Expect(stream.Receive()).To(BeTrue(), "%v", stream.Err())
	return stream, pid
}

func systemctl(ctx SpecContext, args ...string) {
	GinkgoHelper()
	out, err := exec.CommandContext(ctx, "systemctl", append([]string{"--user"}, args...)...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "systemctl %v: %s", args, out)
}
