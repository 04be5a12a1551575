package server

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/quixand/quixand/pkg/quixand"
)

// tracerName is who makes the spans.
const tracerName = "github.com/quixand/quixand/internal/server"

// beginSpan begins the span of a call. It goes on with its client's trace, if
// that names one (W3C's traceparent).
func (s *Server) beginSpan(r *http.Request) (*http.Request, trace.Span) {
	if s.tracer == nil || r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		return r, trace.SpanFromContext(context.Background()) // which records nothing
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := s.tracer.Start(ctx, methodOf(r), trace.WithSpanKind(trace.SpanKindServer))
	return r.WithContext(ctx), span
}

// endSpan says what is known of the call at its end.
func endSpan(span trace.Span, method, route string, x *exchange) {
	span.SetName(method + " " + route)
	span.SetAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", route),
		attribute.Int("http.response.status_code", x.status),
	)
	if x.key != "" {
		span.SetAttributes(attribute.String("quixand.key", x.key))
	}
	if x.sandbox != "" {
		span.SetAttributes(attribute.String("quixand.sandbox", x.sandbox))
	}
	if x.status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(x.status))
	}
	span.End()
}

// creationSpan begins the span of a creation, with one in it for each phase that
// comes to its end.
func (s *Server) creationSpan(ctx context.Context, opts *quixand.Options) (context.Context, func(error)) {
	if s.tracer == nil {
		return ctx, func(error) {}
	}
	ctx, span := s.tracer.Start(ctx, "create sandbox")
	report := opts.Progress
	opts.Progress = func(p quixand.Progress) {
		if now := time.Now(); p.Done {
			_, phase := s.tracer.Start(ctx, string(p.Phase), trace.WithTimestamp(now.Add(-p.Elapsed)))
			phase.End(trace.WithTimestamp(now))
		}
		if report != nil {
			report(p)
		}
	}
	return ctx, func(err error) {
		opts.Progress = report // whoever has these options may create another
		if err != nil {
			span.SetStatus(codes.Error, textOf(err))
		}
		span.End()
	}
}
