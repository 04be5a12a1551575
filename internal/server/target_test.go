package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
)

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		host, id, port string
		want           string // id:port; empty: the control plane; "!": refused
	}{
		{"127.0.0.1:3000", "", "", ""},
		{"localhost:3000", "abc", "49983", "abc:49983"},
		{"sandbox.example.com", "abc", "80", "abc:80"},
		{"8000-abc.localhost:3000", "", "", "abc:8000"},
		{"8000-abc-more.example.com", "", "", "abc:8000"},
		{"8000-abc.example.com", "xyz", "1", "abc:8000"}, // the name is what the client's user sees
		{"my-host.example.com", "", "", ""},
		{"8000-abc", "", "", ""}, // no domain: somebody's own name
		{"8000-.example.com", "", "", "!"},
		{"-abc.example.com", "", "", ""},
		{"99999-abc.example.com", "", "", "!"},
		{"0-abc.example.com", "", "", "!"},
		{"localhost", "abc", "", "!"},
		{"localhost", "", "80", "!"},
		{"localhost", "a b", "80", "!"},
		{"localhost", "abc", "+80", "!"},
		{"localhost", "abc", "80 ", "!"},
	} {
		r := &http.Request{Host: c.host, Header: http.Header{}}
		if c.id != "" {
			r.Header.Set(serverapi.HeaderSandbox, c.id)
		}
		if c.port != "" {
			r.Header.Set(serverapi.HeaderPort, c.port)
		}
		to, err := targetOf(r)
		got := ""
		switch {
		case err != nil:
			got = "!"
		case to != nil:
			got = to.String()
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add("a%3Db%2520c%2526")
	f.Add("%25zz&=&&==")
	f.Fuzz(func(t *testing.T, text string) {
		pairs, err := parseMetadata(text)
		if (err == nil) == (pairs == nil) && text != "" {
			t.Errorf("%v, %v", pairs, err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("MjAyNi0xMS0yM1QxMzowMDowMFogYQ")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text)
		if err != nil || c == nil {
			return
		}
		again, err := parseCursor(c.String())
		if err != nil || again.compare(*c) != 0 {
			t.Errorf("%v becomes %v, %v", c, again, err)
		}
	})
}

func FuzzTarget(f *testing.F) {
	f.Add("8000-abc.localhost:3000", "", "")
	f.Add("49983-abc-more.x", "xyz", "1")
	f.Add("localhost", "../x", "+80")
	f.Add("0-..", "\x00", "99999999999999999999")
	f.Fuzz(func(t *testing.T, host, id, port string) {
		r := &http.Request{Host: host, Header: http.Header{serverapi.HeaderSandbox: {id}, serverapi.HeaderPort: {port}}}
		to, err := targetOf(r)
		if err == nil && to != nil && (!adapters.ValidID(to.id) || to.port < 1 || to.port > 65535) {
			t.Errorf("%+v", to)
		}
	})
}

// FuzzCreateBody: a body is refused, or asks for what can be kept.
func FuzzCreateBody(f *testing.F) {
	f.Add([]byte(`{"templateID":"base","timeout":1,"metadata":{"a":"b"},"envVars":{"A":"b"}}`))
	f.Add([]byte(`{"timeout":9223372036854775807,"network":{"denyOut":["0.0.0.0/0"],"allowOut":[]},"autoResume":{}}`))
	f.Add([]byte(`{"metadata":null,"network":null,"volumeMounts":[null],"mcp":null,"autoPauseMemory":false}`))
	f.Add([]byte("{\"metadata\":{\"quixand.serve\":\"x\"},\"a\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var req newSandbox
		if json.Unmarshal(body, &req) != nil {
			return
		}
		c := &call{key: apikeys.Key{ID: "k", Limits: apikeys.Limits{Timeout: time.Hour}}}
		if timeout, err := c.timeout(req.Timeout, timeoutV1); err == nil && (timeout <= 0 || timeout > time.Hour) {
			t.Errorf("a timeout of %v", timeout)
		}
		if checkOffered(&req, record{}) == nil && req.Metadata[recordKey] != "" {
			t.Error("the server's own metadata can be written")
		}
		envFor(&req)
		networkFor(&req)
	})
}

// FuzzSteps: what a build asks for is refused, or a Containerfile that copies
// nothing from outside of its own files.
func FuzzSteps(f *testing.F) {
	f.Add("RUN", "echo a\nb", "")
	f.Add("COPY", "../x", "/")
	f.Add("COPY", "a/../../b", "/")
	f.Add("USER", "a\nRUN b", "")
	f.Fuzz(func(t *testing.T, kind, first, second string) {
		b, err := (&buildRequest{Steps: []buildStep{{Type: kind, Args: []string{first, second}}}}).recipe("x")
		if err != nil {
			return
		}
		text, err := b.Containerfile()
		if err == nil && kind == "COPY" && (!strings.Contains(text, `["step-1`) || strings.Contains(text, `["step-1/..`)) {
			t.Errorf("%q", text)
		}
	})
}
