package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/apikeys"
)

func TestKeysLetIn(t *testing.T) {
	w := newWorld(t)
	for _, headers := range [][]string{nil, {"X-API-KEY", ""}, {"X-API-KEY", "e2b_0"}, {"X-API-KEY", w.key + "0"}, {"Authorization", "Bearer " + w.key}} {
		w.expect(http.StatusUnauthorized, w.ask("GET", "/v2/sandboxes", "", headers...))
	}
	w.call(http.StatusOK, "GET", "/v2/sandboxes", "")
	if a := w.ask("GET", "/healthz", ""); a.StatusCode != http.StatusNoContent {
		t.Errorf("healthz: %d", a.StatusCode)
	}
	if a := w.ask("GET", "/readyz", ""); a.StatusCode != http.StatusNoContent {
		t.Errorf("readyz: %d", a.StatusCode)
	}
}

func TestARevokedKeyIsOutAtOnce(t *testing.T) {
	w := newWorld(t)
	w.call(http.StatusOK, "GET", "/v2/sandboxes", "")
	if err := w.keys.Revoke(t.Context(), apikeys.Of(w.key, "").ID); err != nil {
		t.Fatal(err)
	}
	w.call(http.StatusUnauthorized, "GET", "/v2/sandboxes", "")
}

func TestBothGenerationsCreate(t *testing.T) {
	w := newWorld(t)
	var open, secured sandbox
	w.call(http.StatusCreated, "POST", "/sandboxes", `{"templateID":"base"}`).into(t, &open)
	w.call(http.StatusCreated, "POST", "/sandboxes", `{"templateID":"base","secure":true}`).into(t, &secured)
	second := w.create(`{"templateID":"code-interpreter-v1"}`)
	if open.Token != "" || secured.Token == "" || second.Token == "" || second.Token == secured.Token {
		t.Errorf("tokens: %q, %q, %q", open.Token, secured.Token, second.Token)
	}
	if second.Domain != "sandboxes.test" || second.Version == "" {
		t.Errorf("created %+v", second)
	}
	open.Token = "anything"
	if a := w.agent(open, "GET", "/envs", ""); a.StatusCode != http.StatusOK {
		t.Errorf("an open sandbox: %d", a.StatusCode)
	}
}

func TestDescribesWhatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base","timeout":600,"metadata":{"a":"b"},"envVars":{"X":"1"}}`)
	var d struct {
		SandboxID, TemplateID, State, EnvdAccessToken string
		Metadata                                      map[string]string
		StartedAt, EndAt                              time.Time
		CPUCount, MemoryMB, DiskSizeMB                int
		Lifecycle                                     struct{ OnTimeout string }
	}
	w.call(http.StatusOK, "GET", "/sandboxes/"+sb.ID, "").into(t, &d)
	if d.SandboxID != sb.ID || d.TemplateID != "base" || d.State != "running" || d.EnvdAccessToken != sb.Token || d.Lifecycle.OnTimeout != "kill" {
		t.Errorf("%+v", d)
	}
	if len(d.Metadata) != 1 || d.Metadata["a"] != "b" {
		t.Errorf("metadata %v", d.Metadata)
	}
	if life := d.EndAt.Sub(d.StartedAt); life < 599*time.Second || life > 601*time.Second {
		t.Errorf("lives for %v", life)
	}
	if d.CPUCount < 1 || d.MemoryMB < 1 || d.DiskSizeMB < 1 {
		t.Errorf("size: %+v", d)
	}
	envs := w.agent(sb, "GET", "/envs", "")
	for _, want := range []string{`"X":"1"`, `"E2B_TEMPLATE_ID":"base"`, `"E2B_SANDBOX_ID":"` + sb.ID} {
		if !strings.Contains(string(envs.body), want) {
			t.Errorf("environment lacks %s: %s", want, envs.body)
		}
	}
}

func TestTimeouts(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base","timeout":600}`)
	left := func() time.Duration {
		var d struct{ EndAt time.Time }
		w.call(http.StatusOK, "GET", "/sandboxes/"+sb.ID, "").into(t, &d)
		return time.Until(d.EndAt).Round(10 * time.Second)
	}
	for _, step := range []struct {
		path, body string
		status     int
		want       time.Duration
	}{
		{"/timeout", `{"timeout":100}`, http.StatusNoContent, 100 * time.Second},
		{"/connect", `{"timeout":50}`, http.StatusOK, 100 * time.Second}, // never shortens
		{"/connect", `{"timeout":200}`, http.StatusOK, 200 * time.Second},
		{"/refreshes", `{"duration":300}`, http.StatusNoContent, 300 * time.Second},
		{"/refreshes", ``, http.StatusNoContent, 300 * time.Second},
		{"/timeout", `{"timeout":0}`, http.StatusBadRequest, 300 * time.Second},
		{"/timeout", `{"timeout":-5}`, http.StatusBadRequest, 300 * time.Second},
		{"/timeout", `{"timeout":99999999999}`, http.StatusBadRequest, 300 * time.Second},
		{"/timeout", `{"timeout":"soon"}`, http.StatusBadRequest, 300 * time.Second},
		{"/timeout", `{`, http.StatusBadRequest, 300 * time.Second},
	} {
		w.call(step.status, "POST", "/sandboxes/"+sb.ID+step.path, step.body)
		if got := left(); got != step.want {
			t.Errorf("after %s %s: %v left, want %v", step.path, step.body, got, step.want)
		}
	}
	w.call(http.StatusNoContent, "POST", "/sandboxes/"+sb.ID+"/timeout", `{"timeout":1}`)
	for deadline := time.Now().Add(10 * time.Second); w.ask("GET", "/sandboxes/"+sb.ID, "", "X-API-KEY", w.key).StatusCode != http.StatusNotFound; {
		if time.Now().After(deadline) {
			t.Fatal("its time is long over")
		}
	}
}

// TestKeysAreApart tries every verb on a sandbox of another key.
func TestKeysAreApart(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base"}`)
	for _, verb := range []string{
		"GET ", "DELETE ", "POST /connect", "POST /resume", "POST /timeout", "POST /refreshes", "POST /pause", "POST /fork",
		"POST /snapshots", "GET /metrics", "GET /logs",
	} {
		method, path, _ := strings.Cut(verb, " ")
		stranger := w.ask(method, "/sandboxes/"+sb.ID+path, `{"timeout":1}`, "X-API-KEY", w.other)
		w.expect(http.StatusNotFound, stranger)
		unknown := w.ask(method, "/sandboxes/nosuchsandbox"+path, `{"timeout":1}`, "X-API-KEY", w.other)
		if string(stranger.body) != string(unknown.body) {
			t.Errorf("%s tells another's sandbox from none: %s, %s", verb, stranger.body, unknown.body)
		}
	}
	if a := w.ask("GET", "/v2/sandboxes", "", "X-API-KEY", w.other); string(a.body) != "[]" {
		t.Errorf("another key sees %s", a.body)
	}
	w.call(http.StatusNoContent, "DELETE", "/sandboxes/"+sb.ID, "")
	if a := w.ask("GET", "/sandboxes/"+sb.ID, "", "X-API-KEY", w.other); strings.Contains(string(a.body), "ended") {
		t.Errorf("another key learns of its end: %s", a.body)
	}
	w.call(http.StatusNotFound, "DELETE", "/sandboxes/"+sb.ID, "")
}

// TestIDsAreWhole because a prefix or a name would be good for the library.
func TestIDsAreWhole(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base"}`)
	for _, id := range []string{sb.ID[:8], strings.ToUpper(sb.ID), sb.ID + "x", "%2e%2e", "a%2fb", "a%00", strings.Repeat("a", 5000)} {
		w.call(http.StatusNotFound, "GET", "/sandboxes/"+id, "")
	}
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for i := range 5 {
		ids = append(ids, w.create(fmt.Sprintf(`{"templateID":"base","metadata":{"n":"%d","all":"x & y=z"}}`, i)).ID)
	}
	slices.Reverse(ids) // newest first
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"", ids},
		{"?state=running", ids},
		{"?state=paused", nil},
		{"?order=asc", []string{ids[4], ids[3], ids[2], ids[1], ids[0]}},
		{"?template=base&limit=1000", ids},
		{"?template=other", nil},
		{"?metadata=" + metadata("n", "3"), ids[1:2]},
		{"?metadata=" + metadata("all", "x & y=z", "n", "0"), ids[4:]},
		{"?metadata=" + metadata("n", "30"), nil},
		{"?startedAfter=" + url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339)), nil},
	} {
		if got := w.listed(c.query); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.query, got, c.want)
		}
	}
	for _, order := range []string{"asc", "desc"} {
		var paged []string
		token := ""
		for {
			a := w.call(http.StatusOK, "GET", "/v2/sandboxes?limit=2&order="+order+"&nextToken="+token, "")
			paged = append(paged, idsIn(t, a)...)
			if token = a.Header.Get("X-Next-Token"); token == "" {
				break
			}
		}
		if got := w.listed("?order=" + order); !slices.Equal(paged, got) {
			t.Errorf("pages %s: %v, want %v", order, paged, got)
		}
	}
	for _, query := range []string{"state=dead", "order=up", "limit=0", "limit=x", "nextToken=%21", "startedAfter=soon", "metadata=%25zz"} {
		w.call(http.StatusBadRequest, "GET", "/v2/sandboxes?"+query, "")
	}
}

// metadata encodes pairs as E2B's clients do: each part, the form, the query.
func metadata(pairs ...string) string {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(strings.ReplaceAll(url.QueryEscape(pairs[i]), "+", "%20"), strings.ReplaceAll(url.QueryEscape(pairs[i+1]), "+", "%20"))
	}
	return url.QueryEscape(form.Encode())
}

func (w *world) listed(query string) []string {
	w.Helper()
	return idsIn(w.T, w.call(http.StatusOK, "GET", "/v2/sandboxes"+query, ""))
}

func idsIn(t *testing.T, a *answer) (ids []string) {
	var all []sandbox
	a.into(t, &all)
	for _, sb := range all {
		ids = append(ids, sb.ID)
	}
	return ids
}

func TestLimitsOfKeys(t *testing.T) {
	w := newWorld(t)
	w.key = w.newKey(apikeys.Limits{Sandboxes: 2, Timeout: time.Minute, Templates: []string{"base"}})
	w.call(http.StatusBadRequest, "POST", "/v2/sandboxes", `{"templateID":"base","timeout":61}`)
	w.call(http.StatusForbidden, "POST", "/v2/sandboxes", `{"templateID":"code-interpreter-v1","timeout":60}`)
	first := w.create(`{"templateID":"base","timeout":60}`)
	w.create(`{"templateID":"base","timeout":60}`)
	w.call(http.StatusTooManyRequests, "POST", "/v2/sandboxes", `{"templateID":"base","timeout":60}`)
	w.call(http.StatusNoContent, "DELETE", "/sandboxes/"+first.ID, "")
	w.create(`{"templateID":"base","timeout":60}`)
}

func TestRates(t *testing.T) {
	w := newWorld(t)
	w.key = w.newKey(apikeys.Limits{Rate: 0.1})
	w.call(http.StatusOK, "GET", "/v2/sandboxes", "")
	if a := w.call(http.StatusTooManyRequests, "GET", "/v2/sandboxes", ""); a.Header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
	}
	w.key = w.other
	w.call(http.StatusOK, "GET", "/v2/sandboxes", "")
}

func TestRefusesWhatItCannotKeep(t *testing.T) {
	w := newWorld(t)
	for body, status := range map[string]int{
		`{"templateID":"nosuch"}`:                                         http.StatusNotFound,
		`{"templateID":""}`:                                               http.StatusNotFound,
		`{"templateID":"./dir"}`:                                          http.StatusNotFound,
		`{"templateID":"/etc"}`:                                           http.StatusNotFound,
		`{"templateID":"docker.io/library/alpine"}`:                       http.StatusNotFound,
		`{"templateID":"snapshot:nosuch"}`:                                http.StatusNotFound,
		`{"templateID":"snapshot:../x"}`:                                  http.StatusNotFound,
		`{"templateID":"base","timeout":0}`:                               http.StatusBadRequest,
		`{"templateID":"base","metadata":{"quixand.serve":"x"}}`:          http.StatusBadRequest,
		`{"templateID":"base","metadata":{"":"x"}}`:                       http.StatusBadRequest,
		`{"templateID":"base","envVars":{"A=B":"x"}}`:                     http.StatusBadRequest,
		`{"templateID":"base","volumeMounts":[{"name":"a","path":"/b"}]}`: http.StatusNotImplemented,
		`{"templateID":"base","mcp":{}}`:                                  http.StatusNotImplemented,
		`{"templateID":"base","iam":{"tokens":{}}}`:                       http.StatusNotImplemented,
		`{"templateID":"base","network":{"allowOut":["example.com"]}}`:    http.StatusNotImplemented,
		`{"templateID":"base","network":{"denyOut":["10.0.0.0/8"]}}`:      http.StatusNotImplemented,
		`{"templateID":"base","network":{"rules":{"a":[]}}}`:              http.StatusNotImplemented,
		`{"templateID":"base","autoPause":true,"autoPauseMemory":false}`:  http.StatusNotImplemented,
		`[]`:   http.StatusBadRequest,
		`null`: http.StatusNotFound,
	} {
		w.call(status, "POST", "/v2/sandboxes", body)
	}
	w.call(http.StatusBadRequest, "POST", "/sandboxes", `{"templateID":"base","network":{"allowPublicTraffic":false}}`)
	w.call(http.StatusRequestEntityTooLarge, "POST", "/v2/sandboxes", `{"templateID":"`+strings.Repeat("x", 2<<20)+`"}`)
	if ids := w.listed(""); len(ids) != 0 {
		t.Errorf("there are %v", ids)
	}
}

func TestWhatOnlyTheCloudCan(t *testing.T) {
	w := newWorld(t)
	for _, call := range []string{"GET /teams", "GET /secrets", "POST /secrets/x", "POST /volumes", "GET /volumes/x", "GET /templates/x/tags"} {
		method, path, _ := strings.Cut(call, " ")
		w.call(http.StatusNotImplemented, method, path, "")
	}
	w.call(http.StatusNotFound, "GET", "/nosuch", "")
	w.call(http.StatusNotFound, "PATCH", "/sandboxes", "")
}

func TestSnapshotsAreTheirKeys(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base","metadata":{"a":"b"}}`)
	w.expectOK(w.agent(sb, "POST", "/files?path=kept.txt", "kept", "Content-Type", "application/octet-stream"))
	var snap struct {
		SnapshotID string
		Names      []string
	}
	w.call(http.StatusCreated, "POST", "/sandboxes/"+sb.ID+"/snapshots", `{"name":"first"}`).into(t, &snap)
	w.call(http.StatusConflict, "POST", "/sandboxes/"+sb.ID+"/snapshots", `{"name":"first"}`)
	w.call(http.StatusBadRequest, "POST", "/sandboxes/"+sb.ID+"/snapshots", `{"name":"../x"}`)
	w.call(http.StatusCreated, "POST", "/sandboxes/"+sb.ID+"/snapshots", ``)
	copied := w.create(`{"templateID":"` + snap.SnapshotID + `"}`)
	if a := w.agent(copied, "GET", "/files?path=kept.txt", ""); string(a.body) != "kept" {
		t.Errorf("the snapshot has %q", a.body)
	}
	if a := w.call(http.StatusOK, "GET", "/snapshots?limit=1", ""); a.Header.Get("X-Next-Token") == "" {
		t.Error("two snapshots on one page")
	}
	path := "/templates/" + url.PathEscape(snap.SnapshotID)
	for _, a := range []*answer{
		w.ask("POST", "/v2/sandboxes", `{"templateID":"`+snap.SnapshotID+`"}`, "X-API-KEY", w.other),
		w.ask("DELETE", path, "", "X-API-KEY", w.other),
	} {
		w.expect(http.StatusNotFound, a)
	}
	var theirs sandbox
	w.ask("POST", "/v2/sandboxes", `{"templateID":"base"}`, "X-API-KEY", w.other).into(t, &theirs)
	named := w.ask("POST", "/sandboxes/"+theirs.ID+"/snapshots", `{"name":"first"}`, "X-API-KEY", w.other)
	w.expect(http.StatusCreated, named) // a name is its key's own
	w.expect(http.StatusNoContent, w.ask("DELETE", path, "", "X-API-KEY", w.other))
	w.expect(http.StatusOK, w.call(http.StatusOK, "GET", "/snapshots?name=first", ""))
	if a := w.ask("GET", "/snapshots", "", "X-API-KEY", w.other); string(a.body) != "[]" {
		t.Errorf("another key sees %s", a.body)
	}
	w.call(http.StatusNoContent, "DELETE", "/sandboxes/"+copied.ID, "")
	w.call(http.StatusNoContent, "DELETE", path, "")
	w.call(http.StatusNotFound, "DELETE", path, "")
}

func (w *world) expectOK(a *answer) {
	w.Helper()
	w.expect(http.StatusOK, a)
}

func TestForks(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base"}`)
	var forks []struct{ Sandbox sandbox }
	w.call(http.StatusCreated, "POST", "/sandboxes/"+sb.ID+"/fork", `{"count":2,"timeout":100}`).into(t, &forks)
	if len(forks) != 2 || forks[0].Sandbox.Token == "" || forks[0].Sandbox.ID == forks[1].Sandbox.ID {
		t.Errorf("%+v", forks)
	}
	if ids := w.listed(""); len(ids) != 3 {
		t.Errorf("there are %v", ids)
	}
	for _, body := range []string{`{"count":0}`, `{"count":17}`, `{"timeout":0}`} {
		w.call(http.StatusBadRequest, "POST", "/sandboxes/"+sb.ID+"/fork", body)
	}
}

func TestLogsAndMetrics(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base"}`)
	var logs struct {
		Logs       []struct{ Line string }
		LogEntries []struct{ Level string }
	}
	w.call(http.StatusOK, "GET", "/sandboxes/"+sb.ID+"/logs?start=0&limit=1", "").into(t, &logs)
	if len(logs.Logs) != 1 || len(logs.LogEntries) != 1 || !strings.Contains(logs.Logs[0].Line, `"level":"info"`) {
		t.Errorf("%+v", logs)
	}
	var samples []struct{ MemTotal, CPUCount, TimestampUnix int64 }
	w.call(http.StatusOK, "GET", "/sandboxes/"+sb.ID+"/metrics", "").into(t, &samples)
	if len(samples) != 1 || samples[0].MemTotal == 0 || samples[0].CPUCount == 0 || samples[0].TimestampUnix == 0 {
		t.Errorf("%+v", samples)
	}
	if a := w.call(http.StatusOK, "GET", "/sandboxes/"+sb.ID+"/metrics?end=1", ""); string(a.body) != "[]" {
		t.Errorf("of the past: %s", a.body)
	}
	w.call(http.StatusBadRequest, "GET", "/sandboxes/"+sb.ID+"/metrics?start=x", "")
}

// TestAServerThatIsStartedAnew knows what the one before has created.
func TestAServerThatIsStartedAnew(t *testing.T) {
	w := newWorld(t)
	sb := w.create(`{"templateID":"base","network":{"allowPublicTraffic":false}}`)
	w.start()
	w.expectOK(w.agent(sb, "GET", "/envs", ""))
	var again sandbox
	w.call(http.StatusOK, "POST", "/v2/sandboxes/"+sb.ID+"/connect", "").into(t, &again)
	if again != sb {
		t.Errorf("%+v, want %+v", again, sb)
	}
}
