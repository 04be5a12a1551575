package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/internal/server"
	"github.com/quixand/quixand/pkg/quixand"
)

var engine = fake.NewEngine()

func TestMain(m *testing.M) {
	code := m.Run()
	_ = engine.Close()
	os.Exit(code)
}

// world is a server with two keys on an engine without containers.
type world struct {
	*testing.T
	config server.Config
	keys   *apikeys.Store
	http   *httptest.Server
	key    string // the first
	other  string
}

func newWorld(t *testing.T) *world {
	root := t.TempDir()
	client, err := quixand.New(&quixand.Config{Adapter: fake.Name, Registry: engine.Registry(), Root: root, Enforcer: "agent"})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := server.Secret(root)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, keys: apikeys.Open(root)}
	w.key, w.other = w.newKey(apikeys.Limits{}), w.newKey(apikeys.Limits{})
	w.config = server.Config{Client: client, Keys: w.keys, Secret: secret, Domain: "sandboxes.test"}
	w.start()
	t.Cleanup(func() {
		w.http.Close()
		all, _ := client.List(t.Context(), nil)
		for _, info := range all {
			_ = client.Kill(t.Context(), info.ID)
		}
		_ = client.Close()
	})
	return w
}

// start puts a server in the place of the one that there was.
func (w *world) start() {
	if w.http != nil {
		w.http.Close()
	}
	w.http = httptest.NewServer(server.New(w.config))
}

func (w *world) newKey(limits apikeys.Limits) string {
	key, _, err := w.keys.Create(w.Context(), "", limits)
	if err != nil {
		w.Fatal(err)
	}
	return key
}

// answer is a response whose body has been read.
type answer struct {
	*http.Response
	body []byte
}

func (a *answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

// ask makes a request; headers are pairs.
func (w *world) ask(method, path, body string, headers ...string) *answer {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := w.http.Client().Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	a := &answer{resp, bytes.TrimSpace(text)}
	if isControl(resp.Request) {
		if err := conforms(a); err != nil {
			w.Errorf("%s %s: %d: %s: %v", method, path, resp.StatusCode, a.body, err)
		}
	}
	return a
}

// call is ask with the first key, and an answer that is expected.
func (w *world) call(status int, method, path, body string) *answer {
	w.Helper()
	a := w.ask(method, path, body, "X-API-KEY", w.key)
	w.expect(status, a)
	return a
}

// expect compares the status, and the number in the body of an error with it.
func (w *world) expect(status int, a *answer) {
	w.Helper()
	if a.StatusCode != status {
		w.Fatalf("%s %s: %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
	}
	if status < 400 {
		return
	}
	var e struct {
		Code    int
		Message string
	}
	if a.into(w.T, &e); e.Code != status || e.Message == "" {
		w.Errorf("%s %s: the error is %s", a.Request.Method, a.Request.URL.Path, a.body)
	}
}

// sandbox is what its creator knows.
type sandbox struct {
	ID      string `json:"sandboxID"`
	Token   string `json:"envdAccessToken"`
	Traffic string `json:"trafficAccessToken"`
	Domain  string `json:"domain"`
	Version string `json:"envdVersion"`
}

func (w *world) create(body string) sandbox {
	w.Helper()
	var sb sandbox
	w.call(http.StatusCreated, "POST", "/v2/sandboxes", body).into(w.T, &sb)
	return sb
}

// agent asks a sandbox's agent as E2B's clients do.
func (w *world) agent(sb sandbox, method, path, body string, headers ...string) *answer {
	w.Helper()
	return w.ask(method, path, body, append([]string{
		"E2b-Sandbox-Id", sb.ID, "E2b-Sandbox-Port", "49983", "X-Access-Token", sb.Token,
	}, headers...)...)
}
