package agent_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/agent"
)

// harmless are the agent's endpoints that change nothing outside of the agent,
// whatever they are told: fuzzing runs on the developer's own machine.
var harmless = []string{
	"GET /health", "GET /metrics", "GET /envs", "POST /init", "GET /files",
	"GET /quixand/v1/status", "POST /quixand/v1/timeout",
	"POST /process.Process/List", "POST /process.Process/Connect", "POST /process.Process/Update",
	"POST /process.Process/SendInput", "POST /process.Process/SendSignal", "POST /process.Process/CloseStdin",
	"POST /process.Process/StreamInput",
	"POST /filesystem.Filesystem/Stat", "POST /filesystem.Filesystem/GetWatcherEvents", "POST /filesystem.Filesystem/RemoveWatcher",
}

// FuzzRequest sends any query, header and body to the agent: no handler may
// panic, and each has to answer.
func FuzzRequest(f *testing.F) {
	for i := range harmless {
		f.Add(i, "path=/etc/passwd", "Content-Type", "application/json", []byte(`{"process":{"pid":1}}`))
	}
	f.Add(3, "", "Content-Type", "application/json", []byte(`{"envVars":{"A":"b"},"accessToken":"t","timestamp":"2026-01-01T00:00:00Z"}`))
	f.Add(4, "path=/etc/passwd", "Range", "bytes=-5,3-2", []byte{})
	f.Add(6, "", "Content-Encoding", "gzip", []byte(`{"idleTimeoutMs":-9223372036855}`))
	f.Add(8, "", "Quixand-Offset", "-1", []byte("\x00\x00\x00\x00\x02{}"))
	f.Add(8, "", "Connect-Timeout-Ms", "99999999999999999999", []byte("\x00\xff\xff\xff\xff"))
	f.Add(13, "", "Keepalive-Ping-Interval", "1e9", []byte{})
	f.Add(14, "", "Authorization", "Basic ////", []byte(`{"path":"\u0000"}`))
	f.Fuzz(func(t *testing.T, endpoint int, query, header, value string, body []byte) {
		a, err := agent.New(agent.Config{ID: "fuzz", Home: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		method, path, _ := strings.Cut(harmless[uint(endpoint)%uint(len(harmless))], " ")
		for _, contentType := range []string{"application/json", "application/proto", "application/connect+json", "application/connect+proto"} {
			req := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(body))
			req.URL.RawQuery = query
			req.Header.Set("Content-Type", contentType)
			req.Header[http.CanonicalHeaderKey(header)] = []string{value}
			res := httptest.NewRecorder()
			begin := time.Now()
			a.Handler().ServeHTTP(res, req)
			if took := time.Since(begin); took > 10*time.Second || res.Code == 0 {
				t.Fatalf("%s %s: %d after %v", method, path, res.Code, took)
			}
		}
	})
}
