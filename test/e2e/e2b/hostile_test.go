package e2b

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var (
	badSeed  = flag.Uint64("bad.seed", 0, "seed of the bad requests; 0 chooses one")
	badCount = flag.Int("bad.count", 1000, "how many bad requests there are")
)

// A round is half of the bad requests. What the second round takes of memory on
// top of the first is lost.
var _ = Describe("bad requests", Ordered, func() {
	a := &attacker{}

	BeforeAll(func(ctx SpecContext) {
		if *badSeed == 0 {
			*badSeed = uint64(time.Now().UnixNano())
		}
		GinkgoWriter.Printf("%d bad requests; the same again: -bad.count=%d -bad.seed=%d\n", *badCount, *badCount, *badSeed)
		a.metrics = filepath.Join(tempDir("metrics-"), "s")
		a.server = serve(ctx, anyPort, "--read-timeout=300ms", "--metrics-listen=unix:"+a.metrics)
		a.key = strings.TrimSpace(qs(ctx, "serve", "keys", "create", "attacker"))
		a.own, a.victim = a.newTarget(ctx, a.key), a.newTarget(ctx, ownKey)
		dead := a.newTarget(ctx, a.key)
		a.kill(ctx, a.key, dead.ID)
		a.dead = dead.ID
	}, NodeTimeout(time.Minute))

	AfterAll(func(ctx SpecContext) {
		if a.server == nil {
			return
		}
		for _, key := range []string{a.key, ownKey} {
			for _, id := range a.list(ctx, key) {
				a.kill(ctx, key, id)
			}
		}
		a.server.stop(ctx)
		qs(ctx, "serve", "keys", "revoke", "attacker")
	}, NodeTimeout(time.Minute))

	It("get no answer but the documented, and none of another key's", limit, func(ctx SpecContext) {
		var used [2]usage
		before := a.settled(usage{})
		for round := range used {
			Expect(a.shootAll(*badCount / 2)).To(Succeed())
			used[round] = a.settled(before)
		}
		Expect(used[1].fds).To(BeNumerically("<=", before.fds+8), "descriptors that stay open")
		Expect(used[1].rss-used[0].rss).To(BeNumerically("<", 16<<20), "bytes that the second round has taken for good")
	})

	It("for sandboxes are refused before they reach the engine, or made good", limit, func(ctx SpecContext) {
		for _, body := range []string{
			`{"templateID":"base","metadata":{"a\u0000b":"c"}}`, `{"templateID":"base","metadata":{"a":"b\u0000c"}}`,
			`{"templateID":"base","metadata":{"":""}}`, `{"templateID":"base","metadata":{"a":"` + "\xff\xfe" + `"}}`,
			`{"templateID":"base","metadata":{"a":"` + strings.Repeat("x", 900<<10) + `"}}`,
			`{"templateID":"base","envVars":{"A=B":"c"}}`, `{"templateID":"base","envVars":{"":"c"}}`,
			`{"templateID":"base","envVars":{"A\nB":"c"}}`, `{"templateID":"base","envVars":{"A":"b\u0000c"}}`,
			`{"templateID":"base","envVars":{"A":"` + strings.Repeat("x", 300<<10) + `"}}`,
			`{"templateID":"base","network":{"maskRequestHost":"a\r\nX-Evil: b"}}`, `{"templateID":"base","network":{"maskRequestHost":"a b/../"}}`,
			`{"templateID":"../../etc"}`, `{"templateID":"base\u0000"}`, `{"templateID":"` + strings.Repeat("x", 900<<10) + `"}`,
			`{"templateID":"snapshot:../../x"}`, `{"templateID":"localhost/quixand/x:y"}`, `{"templateID":"base","timeout":9223372036854775807}`,
			`{"templateID":"base","timeout":-1}`, `{"templateID":"base","timeout":1e400}`,
		} {
			status, answer := a.call(ctx, a.key, "POST", "/v2/sandboxes", body)
			Expect(status).To(SatisfyAny(Equal(201), And(BeNumerically(">=", 400), BeNumerically("<", 500))), "%.200s\n%.300s", body, answer)
		}
	})
})

// box is a sandbox with a canary in it: a text that nobody else may read.
type box struct {
	ID     string `json:"sandboxID"`
	Token  string `json:"envdAccessToken"`
	canary string
}

type attacker struct {
	server      *server
	metrics     string // socket
	key         string
	own, victim box
	dead        string // id of a sandbox that has ended
}

func (a *attacker) newTarget(ctx context.Context, key string) (b box) {
	b.canary = fmt.Sprintf("canary%016x", rand.Uint64())
	body := fmt.Sprintf(`{"templateID":"base","timeout":300,"metadata":{"canary":%q},"envVars":{"CANARY":%q}}`, b.canary, b.canary)
	status, answer := a.call(ctx, key, "POST", "/v2/sandboxes", body)
	Expect(status).To(Equal(201), answer)
	Expect(json.Unmarshal([]byte(answer), &b)).To(Succeed())
	status, answer = a.call(ctx, key, "POST", "/files?path=/tmp/canary", b.canary, "E2b-Sandbox-Id", b.ID, "E2b-Sandbox-Port", "49983",
		"X-Access-Token", b.Token, "Content-Type", "application/octet-stream")
	Expect(status).To(Equal(200), answer)
	return b
}

func (a *attacker) call(ctx context.Context, key, method, path, body string, headers ...string) (int, string) {
	req, err := http.NewRequestWithContext(ctx, method, a.server.url+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	req.Header.Set("X-API-KEY", key)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	Expect(err).NotTo(HaveOccurred())
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	return resp.StatusCode, string(text)
}

func (a *attacker) list(ctx context.Context, key string) (ids []string) {
	_, answer := a.call(ctx, key, "GET", "/v2/sandboxes", "")
	var all []box
	Expect(json.Unmarshal([]byte(answer), &all)).To(Succeed())
	for _, b := range all {
		ids = append(ids, b.ID)
	}
	return ids
}

func (a *attacker) kill(ctx context.Context, key, id string) {
	status, answer := a.call(ctx, key, "DELETE", "/sandboxes/"+id, "")
	Expect(status).To(Equal(204), answer)
}

// shootAll makes requests, some at a time. Each has random numbers of its own,
// so that a seed makes the same ones again.
func (a *attacker) shootAll(n int) error {
	var all sync.WaitGroup
	turns, wrong := make(chan int), make(chan error, n)
	for range 8 {
		all.Go(func() {
			for i := range turns {
				wrong <- a.shoot(i)
			}
		})
	}
	for i := range n {
		turns <- i
	}
	close(turns)
	all.Wait()
	close(wrong)
	var found []error
	for err := range wrong {
		if err != nil && len(found) < 10 {
			found = append(found, err)
		}
	}
	return errors.Join(found...)
}

func (a *attacker) shoot(i int) error {
	rnd := rand.New(rand.NewPCG(*badSeed, uint64(i)))
	kind := kinds[i%len(kinds)]
	request := kind.make(a, rnd)
	shown := fmt.Sprintf("request %d, %s: %.700q", i, kind.name, request)
	got, err := a.send(request, kind.held)
	if err != nil {
		return fmt.Errorf("%s: %w", shown, err)
	}
	if bytes.Contains(got, []byte(a.victim.canary)) || bytes.Contains(got, []byte(a.victim.Token)) {
		return fmt.Errorf("%s: the answer has another key's data in it: %.700q", shown, got)
	}
	for _, status := range statusesIn(got) {
		switch {
		case status < 500, status == http.StatusNotImplemented:
		case status == http.StatusBadGateway && kind.mayBeGone:
		default:
			return fmt.Errorf("%s: %.700q", shown, got)
		}
	}
	return nil
}

// send returns all that the server answers until it closes the connection. held
// says not to tell the server that nothing more comes.
func (a *attacker) send(request string, held bool) ([]byte, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.server.url, "http://"))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	_, _ = io.WriteString(conn, request) // it may be refused before its end
	if !held {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	got, err := io.ReadAll(conn)
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		return got, err
	}
	return got, nil // whether it was closed or reset
}

// statusesIn are those of all the answers on a connection.
func statusesIn(got []byte) (statuses []int) {
	r := bufio.NewReader(bytes.NewReader(got))
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return statuses
		}
		statuses = append(statuses, resp.StatusCode)
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// usage is what the server's process has.
type usage struct{ rss, fds, goroutines int }

// settled measures when all requests have ended: when there are no more
// goroutines and descriptors than before, or after a while.
func (a *attacker) settled(before usage) (u usage) {
	Eventually(func() usage {
		u = a.measure()
		return u
	}, 15*time.Second, 100*time.Millisecond).Should(SatisfyAny(
		BeZero(), // never
		WithTransform(func(u usage) bool {
			return before == usage{} || u.goroutines <= before.goroutines+10 && u.fds <= before.fds+8
		}, BeTrue()),
	), "goroutines and descriptors, of %+v before", before)
	return u
}

func (a *attacker) measure() (u usage) {
	pid := a.server.cmd.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	Expect(err).NotTo(HaveOccurred())
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	Expect(err).NotTo(HaveOccurred())
	u.rss = pages * os.Getpagesize()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	Expect(err).NotTo(HaveOccurred())
	u.fds = len(entries)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", a.metrics)
	}}}
	resp, err := client.Get("http://metrics/metrics")
	Expect(err).NotTo(HaveOccurred())
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			u.goroutines, err = strconv.Atoi(n)
			Expect(err).NotTo(HaveOccurred())
		}
	}
	return u
}

func pick[T any](rnd *rand.Rand, of ...T) T { return of[rnd.IntN(len(of))] }

func query(s string) string { return url.QueryEscape(s) }
