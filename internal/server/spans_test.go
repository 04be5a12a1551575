package server_test

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/internal/traces"
)

// receiver is an OTLP collector.
type receiver struct {
	*testing.T
	mu      sync.Mutex
	spans   []*otlp.Span
	service string
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		plain, err := gzip.NewReader(body)
		if err != nil {
			rc.Error(err)
			return
		}
		body = plain
	}
	text, err := io.ReadAll(body)
	var req collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(text, &req) != nil {
		rc.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	for _, resource := range req.ResourceSpans {
		rc.service = attributes(resource.Resource.Attributes)["service.name"]
		for _, scope := range resource.ScopeSpans {
			rc.spans = append(rc.spans, scope.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// traced starts a server anew that sends its spans to a receiver. They are all
// there when end has been called.
func (w *world) traced() (rc *receiver, end func()) {
	rc = &receiver{T: w.T}
	collector := httptest.NewServer(rc)
	w.Cleanup(collector.Close)
	w.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	provider, flush, err := traces.Start(w.Context(), "qs-serve", os.Getenv, hclog.NewNullLogger())
	if err != nil {
		w.Fatal(err)
	}
	w.config.Traces = provider
	w.start()
	return rc, func() {
		w.http.Close()
		if err := flush(); err != nil {
			w.Error(err)
		}
	}
}

func TestSpansGoOnWithTheClientsTrace(t *testing.T) {
	w := newWorld(t)
	log := w.audited()
	rc, end := w.traced()
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	var sb sandbox
	w.ask("POST", "/v2/sandboxes", `{"templateID":"base","envVars":{"A":"s3cr3t"}}`, "X-API-KEY", w.key, "Traceparent", "00-"+trace+"-"+parent+"-01").into(t, &sb)
	w.call(http.StatusNotFound, "GET", "/sandboxes/nosuch?token=s3cr3t", "")
	w.ask("GET", "/healthz", "")
	end()
	call := rc.named("POST /v2/sandboxes")
	if hex.EncodeToString(call.TraceId) != trace || hex.EncodeToString(call.ParentSpanId) != parent || call.Kind != otlp.Span_SPAN_KIND_SERVER {
		t.Errorf("%v", call)
	}
	if got, want := attributes(call.Attributes), map[string]string{
		"http.request.method": "POST", "http.route": "/v2/sandboxes", "http.response.status_code": "201",
		"quixand.key": apikeys.Of(w.key, "").ID, "quixand.sandbox": sb.ID,
	}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	creation := rc.named("create sandbox")
	if hex.EncodeToString(creation.ParentSpanId) != hex.EncodeToString(call.SpanId) {
		t.Errorf("%v", creation)
	}
	for _, phase := range []string{"create", "start", "ready"} {
		p := rc.named(phase)
		if hex.EncodeToString(p.ParentSpanId) != hex.EncodeToString(creation.SpanId) || hex.EncodeToString(p.TraceId) != trace || p.StartTimeUnixNano < creation.StartTimeUnixNano-1e6 || p.EndTimeUnixNano > creation.EndTimeUnixNano {
			t.Errorf("%v in %v", p, creation)
		}
	}
	if other := rc.named("GET /sandboxes/{id}"); hex.EncodeToString(other.TraceId) == trace || len(other.ParentSpanId) > 0 {
		t.Errorf("%v", other)
	}
	if rc.service != "qs-serve" || len(rc.spans) != 6 || strings.Contains(fmt.Sprint(rc.spans), "s3cr3t") {
		t.Errorf("of %s: %v", rc.service, rc.spans)
	}
	if entries := w.entries(log); entries[0].Trace != trace {
		t.Errorf("%+v", entries[0])
	}
}

func (rc *receiver) named(name string) *otlp.Span {
	rc.Helper()
	i := slices.IndexFunc(rc.spans, func(s *otlp.Span) bool { return s.Name == name })
	if i < 0 {
		rc.Fatalf("no span %q in %v", name, rc.spans)
	}
	return rc.spans[i]
}

func attributes(pairs []*common.KeyValue) map[string]string {
	all := make(map[string]string)
	for _, p := range pairs {
		all[p.Key] = p.Value.GetStringValue()
		if n := p.Value.GetIntValue(); n != 0 {
			all[p.Key] = strconv.FormatInt(n, 10)
		}
	}
	return all
}

func TestTracesAreOnRequest(t *testing.T) {
	for _, c := range []struct {
		env map[string]string
		on  bool
		bad bool
	}{
		{nil, false, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, true, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, false, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, true},
	} {
		provider, end, err := traces.Start(t.Context(), "x", func(name string) string { return c.env[name] }, hclog.NewNullLogger())
		if (provider != nil) != c.on || (err != nil) != c.bad {
			t.Errorf("%v: %v, %v", c.env, provider, err)
		}
		if err == nil {
			_ = end()
		}
	}
}
