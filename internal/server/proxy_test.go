package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/agent/access"
)

func TestTheTokenOfASandboxIsItsOwn(t *testing.T) {
	w := newWorld(t)
	sb, other := w.create(`{"templateID":"base"}`), w.create(`{"templateID":"base"}`)
	w.expectOK(w.agent(sb, "GET", "/envs", ""))
	for _, token := range []string{"", "wrong", other.Token, w.key} {
		stolen := sandbox{ID: sb.ID, Token: token}
		for _, call := range []string{"GET /envs", "GET /files?path=x", "POST /process.Process/List", "GET /quixand/v1/status", "GET /metrics"} {
			method, path, _ := strings.Cut(call, " ")
			w.expect(http.StatusUnauthorized, w.agent(stolen, method, path, "{}"))
		}
		if a := w.agent(stolen, "GET", "/health", ""); a.StatusCode != http.StatusNoContent {
			t.Errorf("health needs no token: %d", a.StatusCode)
		}
	}
}

func TestWhatIsForTheHostAlone(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base"}`)
	for _, path := range []string{
		"/init", "/%69nit", "//init", "/./init", "/x/../init", "/init/", "/freeze", "/upgrade", "/", "/nosuch",
		"/quixand/v1/timeout", "/quixand/v1/expire",
		"/process.Process/../init", "/process.Process/%2e%2e/init", "/process.Process/", "/process.Process/a/b",
	} {
		if a := w.agent(sb, "POST", path, "{}"); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d: %s", path, a.StatusCode, a.body)
		}
	}
}

func TestNoSuchSandbox(t *testing.T) {
	w := newWorld(t)
	for _, port := range []string{"49983", "8000"} {
		a := w.ask("GET", "/health", "", "E2b-Sandbox-Id", "nosuchsandbox", "E2b-Sandbox-Port", port)
		w.expect(http.StatusBadGateway, a)
		if !strings.Contains(string(a.body), `"message":"The sandbox was not found"`) {
			t.Errorf("%s", a.body)
		}
	}
	for _, headers := range [][]string{
		{"E2b-Sandbox-Id", "nosuch"},
		{"E2b-Sandbox-Port", "1"},
		{"E2b-Sandbox-Id", "a", "E2b-Sandbox-Port", "0"},
		{"E2b-Sandbox-Id", "a", "E2b-Sandbox-Port", "65536"},
		{"E2b-Sandbox-Id", "../x", "E2b-Sandbox-Port", "1"},
		{"Host", "1-UPPER.test"},
		{"Host", "99999-a.test"},
	} {
		w.expect(http.StatusBadRequest, w.ask("GET", "/health", "", headers...))
	}
}

// service is a web server that a sandbox of the fake reaches at its own port.
func service(t *testing.T, h http.HandlerFunc) (port string) {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, _ := url.Parse(s.URL)
	return u.Port()
}

func TestPortsLearnNothingOfTheClient(t *testing.T) {
	w := newWorld(t)
	var seen http.Header
	var host string
	port := service(t, func(rw http.ResponseWriter, r *http.Request) {
		seen, host = r.Header.Clone(), r.Host
		_, _ = io.WriteString(rw, "here")
	})
	sb := w.create(`{"templateID":"base"}`)
	a := w.ask("GET", "/a%2fb?q=1", "", "Host", port+"-"+sb.ID+".sandboxes.test",
		"X-API-KEY", w.key, "X-Access-Token", sb.Token, "E2B-Traffic-Access-Token", "t", "Authorization", "Bearer own", "Cookie", "c=1")
	if a.StatusCode != http.StatusOK || string(a.body) != "here" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	for _, name := range []string{"X-Api-Key", "X-Access-Token", "E2b-Traffic-Access-Token", "E2b-Sandbox-Id", "E2b-Sandbox-Port"} {
		if seen.Get(name) != "" {
			t.Errorf("the service has seen %s", name)
		}
	}
	if seen.Get("Authorization") != "Bearer own" || seen.Get("Cookie") != "c=1" || host != port+"-"+sb.ID+".sandboxes.test" {
		t.Errorf("the service has seen %v of %s", seen, host)
	}
	masked := w.create(`{"templateID":"base","network":{"maskRequestHost":"localhost:${PORT}"}}`)
	w.ask("GET", "/", "", "E2b-Sandbox-Id", masked.ID, "E2b-Sandbox-Port", port)
	if host != "localhost:"+port {
		t.Errorf("the host is masked as %s", host)
	}
}

func TestPrivatePorts(t *testing.T) {
	w := newWorld(t)
	port := service(t, func(http.ResponseWriter, *http.Request) {})
	sb := w.create(`{"templateID":"base","network":{"allowPublicTraffic":false}}`)
	if sb.Traffic == "" || sb.Traffic == sb.Token {
		t.Fatalf("%+v", sb)
	}
	for token, status := range map[string]int{"": http.StatusForbidden, sb.Token: http.StatusForbidden, sb.Traffic: http.StatusOK} {
		a := w.ask("GET", "/", "", "E2b-Sandbox-Id", sb.ID, "E2b-Sandbox-Port", port, "E2B-Traffic-Access-Token", token)
		w.expect(status, a)
	}
	w.expectOK(w.agent(sb, "GET", "/envs", "")) // which has a token of its own
}

func TestAClosedPort(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base"}`)
	a := w.ask("GET", "/", "", "E2b-Sandbox-Id", sb.ID, "E2b-Sandbox-Port", "1")
	w.expect(http.StatusBadGateway, a)
	var e struct{ Port int }
	if a.into(t, &e); e.Port != 1 {
		t.Errorf("%s", a.body)
	}
}

// TestSignedLinks that name no sandbox: a browser sends no headers of E2B's.
func TestSignedLinks(t *testing.T) {
	w := newWorld(t)
	w.create(`{"templateID":"base"}`)
	sb := w.create(`{"templateID":"base"}`)
	w.expectOK(w.agent(sb, "POST", "/files?path=hello.txt", "hello", "Content-Type", "application/octet-stream"))
	link := func(token string, expires time.Time) string {
		at := strconv.FormatInt(expires.Unix(), 10)
		return "/files?path=hello.txt&signature_expiration=" + at + "&signature=" + url.QueryEscape(access.Sign("hello.txt", "read", "", token, at))
	}
	if a := w.ask("GET", link(sb.Token, time.Now().Add(time.Hour)), ""); string(a.body) != "hello" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	w.expect(http.StatusUnauthorized, w.ask("GET", link("wrong", time.Now().Add(time.Hour)), ""))
	expired := w.ask("GET", link(sb.Token, time.Now().Add(-time.Hour)), "")
	w.expect(http.StatusUnauthorized, expired)
	if !strings.Contains(string(expired.body), "signature is already expired") {
		t.Errorf("%s", expired.body)
	}
	w.expect(http.StatusBadRequest, w.ask("GET", "/files?path=hello.txt", ""))
}

// TestAnAnswerMayComeBeforeTheRequestHasEnded: see the first trap of a server in
// front of agents.
func TestAnAnswerMayComeBeforeTheRequestHasEnded(t *testing.T) {
	w := newWorld(t)
	port := service(t, func(rw http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(rw)
		if err := rc.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		buffer := make([]byte, 1)
		for {
			if _, err := r.Body.Read(buffer); err != nil {
				return
			}
			_, _ = rw.Write(buffer)
			_ = rc.Flush()
		}
	})
	sb := w.create(`{"templateID":"base"}`)
	in, out := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.http.URL, in)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("E2b-Sandbox-Id", sb.ID)
	req.Header.Set("E2b-Sandbox-Port", port)
	go func() { _, _ = out.Write([]byte("a")) }()
	resp, err := w.http.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := make([]byte, 1)
	for _, letter := range []string{"a", "b", "c"} {
		if letter != "a" {
			if _, err := out.Write([]byte(letter)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != letter {
			t.Fatalf("%q, %v; want %s", got, err, letter)
		}
	}
	out.Close()
}

// TestADyingSandboxBreaksItsStreams rather than end them: a client could not
// tell that from the end of a command.
func TestADyingSandboxBreaksItsStreams(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base"}`)
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.http.URL+"/quixand/v1/life", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"E2b-Sandbox-Id": sb.ID, "E2b-Sandbox-Port": "49983", "X-Access-Token": sb.Token} {
		req.Header.Set(name, value)
	}
	resp, err := w.http.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	w.call(http.StatusNoContent, "DELETE", "/sandboxes/"+sb.ID, "")
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the stream has ended as if all were well")
	}
	w.expect(http.StatusBadGateway, w.agent(sb, "GET", "/health", ""))
}
