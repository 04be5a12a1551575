package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/server"
)

// monitored starts a server anew and returns what operators may ask of it.
func (w *world) monitored() http.Handler {
	w.http.Close()
	s := server.New(w.config)
	w.http = httptest.NewServer(s)
	return s.Monitor()
}

// scrape returns the samples of the metrics as they are written.
func scrape(t *testing.T, h http.Handler) (samples []string) {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "http://localhost/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("%d: %s", rec.Code, rec.Body)
	}
	for line := range strings.Lines(rec.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			samples = append(samples, strings.TrimSpace(line))
		}
	}
	return samples
}

func wantSamples(t *testing.T, h http.Handler, want ...string) {
	t.Helper()
	samples := scrape(t, h)
	for _, w := range want {
		if !slices.Contains(samples, w) {
			name, _, _ := strings.Cut(w, "{")
			like := slices.DeleteFunc(slices.Clone(samples), func(s string) bool { return !strings.HasPrefix(s, name) })
			t.Errorf("no %s in\n%s", w, strings.Join(like, "\n"))
		}
	}
}

func TestMetricsTellWhatIsGoingOn(t *testing.T) {
	w := newWorld(t)
	h := w.monitored()
	sb, ended := w.create(`{"templateID":"base"}`), w.create(`{"templateID":"base"}`)
	w.call(http.StatusNoContent, "DELETE", "/sandboxes/"+ended.ID, "")
	w.call(http.StatusNotFound, "POST", "/v2/sandboxes", `{"templateID":"nosuch"}`)
	w.expect(http.StatusUnauthorized, w.ask("GET", "/v2/sandboxes", ""))
	w.expect(http.StatusUnauthorized, w.agent(sandbox{ID: sb.ID}, "GET", "/envs", ""))
	w.expectOK(w.agent(sb, "POST", "/files?path=x", "12345", "Content-Type", "application/octet-stream"))
	port := service(t, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(599) })
	w.ask("GET", "/", "", "E2b-Sandbox-Id", sb.ID, "E2b-Sandbox-Port", port)
	w.ask("GET", "/files?signature=x", "")
	wantSamples(
		t, h,
		`quixand_http_requests_total{method="POST",route="/v2/sandboxes",status="201"} 2`,
		`quixand_http_requests_total{method="POST",route="/v2/sandboxes",status="404"} 1`,
		`quixand_http_requests_total{method="DELETE",route="/sandboxes/{id}",status="204"} 1`,
		`quixand_http_request_duration_seconds_count{method="POST",route="/v2/sandboxes"} 3`,
		`quixand_sandboxes{state="running"} 1`,
		`quixand_sandboxes{state="paused"} 0`,
		`quixand_sandbox_creation_duration_seconds_count{result="ok"} 2`,
		`quixand_auth_failures_total{plane="control"} 2`,
		`quixand_auth_failures_total{plane="agent"} 1`,
		`quixand_proxy_requests_total{status="2xx",target="agent"} 1`,
		`quixand_proxy_requests_total{status="4xx",target="agent"} 1`,
		`quixand_proxy_requests_total{status="5xx",target="port"} 1`,
		`quixand_proxy_bytes_total{direction="in",target="agent"} 5`,
		`quixand_proxy_requests_open{target="agent"} 0`,
		`quixand_rate_limited_total 0`,
	)
	if !slices.ContainsFunc(scrape(t, h), func(s string) bool { return strings.HasPrefix(s, "go_goroutines ") }) {
		t.Error("nothing of the Go runtime")
	}
}

// TestMetricsAreBounded whatever is asked for.
func TestMetricsAreBounded(t *testing.T) {
	w := newWorld(t)
	h := w.monitored()
	sb := w.create(`{"templateID":"base"}`)
	ask := func(i int) {
		w.ask(fmt.Sprintf("M%d", i), fmt.Sprintf("/p%d", i), "")
		w.ask("GET", fmt.Sprintf("//p%d/../x%d", i, i), "") // which is redirected
		w.call(http.StatusNotFound, "GET", fmt.Sprintf("/sandboxes/id%d", i), "")
		port := service(t, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(600 + i) })
		w.ask(fmt.Sprintf("M%d", i), fmt.Sprintf("/p%d", i), "", "E2b-Sandbox-Id", sb.ID, "E2b-Sandbox-Port", port)
	}
	ask(0)
	before := scrape(t, h)
	for i := range 20 {
		ask(i + 1)
	}
	if after := scrape(t, h); len(after) != len(before) {
		t.Errorf("%d samples have become %d", len(before), len(after))
	}
}

func TestMetricsAreForOperatorsAlone(t *testing.T) {
	w := newWorld(t)
	h := w.monitored()
	sb := w.create(`{"templateID":"base"}`)
	w.call(http.StatusNotFound, "GET", "/metrics", "")
	for _, host := range []string{"9090-" + sb.ID + ".sandboxes.test", "49983-x.test"} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "http://"+host+"/metrics", nil))
		if rec.Code != http.StatusNotFound || strings.Contains(rec.Body.String(), "quixand_") {
			t.Errorf("%s: %d", host, rec.Code)
		}
	}
	if a := w.agent(sb, "GET", "/metrics", ""); strings.Contains(string(a.body), "quixand_") {
		t.Errorf("an agent's metrics: %s", a.body)
	}
}
