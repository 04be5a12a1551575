package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/internal/auditlog"
	"github.com/quixand/quixand/internal/server"
)

// audited starts a server anew that writes an audit log. Its lines are complete
// once the server has been closed.
func (w *world) audited(proxies ...string) *bytes.Buffer {
	var err error
	if w.config.Proxies, err = server.ParseProxies(proxies); err != nil {
		w.Fatal(err)
	}
	log := new(bytes.Buffer)
	w.config.Audit = auditlog.New(log)
	w.start()
	return log
}

func (w *world) entries(log *bytes.Buffer) (all []auditlog.Entry) {
	w.Helper()
	w.http.Close()
	for line := range strings.Lines(log.String()) {
		var e auditlog.Entry
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			w.Fatalf("%q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

func TestTheAuditLogTellsWhoDidWhat(t *testing.T) {
	w := newWorld(t)
	log := w.audited()
	sb := w.create(`{"templateID":"base"}`)
	w.expect(http.StatusNotFound, w.ask("DELETE", "/sandboxes/"+sb.ID, "", "X-API-KEY", w.other))
	w.expectOK(w.agent(sb, "POST", "/files?path=x", "x", "Content-Type", "application/octet-stream"))
	w.expectOK(w.agent(sb, "GET", "/files?path=x", ""))
	w.expect(http.StatusUnauthorized, w.agent(sandbox{ID: sb.ID}, "GET", "/envs", ""))
	w.expect(http.StatusUnauthorized, w.ask("GET", "/v2/sandboxes", ""))
	w.call(http.StatusNotFound, "BREW", "/coffee%0A{}", "")
	w.call(http.StatusNoContent, "DELETE", "/sandboxes/"+sb.ID, "")
	key, other := apikeys.Of(w.key, "").ID, apikeys.Of(w.other, "").ID
	want := []auditlog.Entry{
		{Plane: "control", Key: key, Method: "POST", Route: "/v2/sandboxes", Sandbox: sb.ID, Status: 201},
		{Plane: "control", Key: other, Method: "DELETE", Route: "/sandboxes/{id}", Sandbox: sb.ID, Status: 404},
		{Plane: "data", Key: key, Method: "POST", Route: "/files", Sandbox: sb.ID, Port: 49983, Status: 200},
		{Plane: "data", Key: key, Method: "GET", Route: "other", Sandbox: sb.ID, Port: 49983, Status: 401},
		{Plane: "control", Method: "GET", Route: "/v2/sandboxes", Status: 401},
		{Plane: "control", Method: "other", Route: "other", Status: 404},
		{Plane: "control", Key: key, Method: "DELETE", Route: "/sandboxes/{id}", Sandbox: sb.ID, Status: 204},
	}
	got := w.entries(log)
	if len(got) != len(want) {
		t.Fatalf("%d lines:\n%s", len(got), log)
	}
	for i, e := range got {
		if e.Time.IsZero() || e.Took <= 0 || !strings.HasPrefix(e.Remote, "127.0.0.1:") {
			t.Errorf("line %d: %+v", i, e)
		}
		want[i].Time, want[i].Took, want[i].Remote = e.Time, e.Took, e.Remote
		if e != want[i] {
			t.Errorf("line %d: %+v, want %+v", i, e, want[i])
		}
	}
}

// TestTheAuditLogKeepsSecrets makes every call there is with things that must
// not be in a log, in whatever place a client might put them.
func TestTheAuditLogKeepsSecrets(t *testing.T) {
	w := newWorld(t)
	log := w.audited("127.0.0.1")
	const secret = "s3cr3t\nforged"
	sb := w.create(`{"templateID":"base","network":{"allowPublicTraffic":false},"metadata":{"a":"s3cr3t"},"envVars":{"A":"s3cr3t"}}`)
	secrets := []string{"s3cr3t", "forged", w.key, w.other, sb.Token, sb.Traffic, "e2b_"}
	for _, in := range []string{secret, w.key, sb.Token, sb.Traffic} {
		in = url.QueryEscape(in)
		for _, pattern := range server.Patterns() {
			method, path, found := strings.Cut(pattern, " ")
			if !found {
				method, path = "GET", pattern
			}
			for _, id := range []string{in, sb.ID} {
				path := strings.NewReplacer("{id}", id, "{rest...}", in).Replace(path)
				for _, name := range []string{"{first}", "{second}", "{hash}", "{build}", "{key}"} {
					path = strings.ReplaceAll(path, name, in)
				}
				body := `{"name":"` + in + `","templateID":"` + in + `","timeout":600}`
				w.ask(method, path+"?signature="+in+"&token="+in, body, "X-API-KEY", w.key, "X-Forwarded-For", in, "User-Agent", in, "Referer", in, "Quixand-Root", in, "Quixand-By", in, "Quixand-Call", in)
				w.ask(method, path, body, "X-API-KEY", in, "Authorization", "Bearer "+in)
			}
		}
		w.agent(sb, "POST", "/files?path="+in+"&signature="+in, in, "Content-Type", "application/octet-stream")
		w.agent(sb, "POST", "/process.Process/"+in, in)
		w.ask("GET", "/"+in, "", "E2b-Sandbox-Id", sb.ID, "E2b-Sandbox-Port", "1", "E2b-Traffic-Access-Token", in)
		w.ask("GET", "/", "", "Host", "1-"+strings.ToLower(sb.Token)+".test")
	}
	if n := len(w.entries(log)); n < 200 {
		t.Errorf("%d lines", n)
	}
	for _, secret := range secrets {
		if text := log.String(); strings.Contains(text, secret) {
			at := strings.Index(text, secret)
			t.Errorf("%q is in the log: %s", secret, text[max(0, at-300):at+50])
		}
	}
}

func TestAddressesThatProxiesTell(t *testing.T) {
	for _, c := range []struct {
		trusted   string
		forwarded string
		want      string
	}{
		{"", "192.0.2.1", "127.0.0.1"},
		{"10.0.0.0/8,unix", "192.0.2.1", "127.0.0.1"},
		{"127.0.0.1", "", "127.0.0.1"},
		{"127.0.0.1", "192.0.2.1", "192.0.2.1"},
		{"127.0.0.0/8", "198.51.100.7, 192.0.2.1", "192.0.2.1"}, // what a client says of itself
		{"127.0.0.0/8,10.0.0.0/8", "192.0.2.1, 10.0.0.1, 10.1.2.3", "192.0.2.1"},
		{"127.0.0.0/8,10.0.0.0/8", "10.0.0.1", "10.0.0.1"},
		{"127.0.0.1", "nonsense", "127.0.0.1"},
		{"127.0.0.1", "192.0.2.1, nonsense", "127.0.0.1"},
		{"127.0.0.1", "2001:db8::1%eth0", "2001:db8::1"},
	} {
		w := newWorld(t)
		log := w.audited(strings.FieldsFunc(c.trusted, func(r rune) bool { return r == ',' })...)
		w.ask("GET", "/nosuch", "", "X-Forwarded-For", c.forwarded)
		if got := w.entries(log)[0].Remote; got != c.want && !strings.HasPrefix(got, c.want+":") {
			t.Errorf("%q trusting %q: %s, want %s", c.forwarded, c.trusted, got, c.want)
		}
	}
	for _, text := range []string{"", "proxy.example", "10.0.0.0/33", "*"} {
		if _, err := server.ParseProxies([]string{text}); err == nil {
			t.Errorf("%q is taken for a proxy", text)
		}
	}
}
