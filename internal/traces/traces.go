// Package traces sends OpenTelemetry's spans to where the usual environment
// variables say, by OTLP over HTTP; without them there are none. What a span is
// about is others' business.
package traces

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/quixand/quixand/internal/version"
)

// protocol is the one of OTLP's that is spoken.
const protocol = "http/protobuf"

// flushTimeout bounds the sending of what is left at the end.
const flushTimeout = 5 * time.Second

// Start returns a provider for a service, or nil where no endpoint is named.
// Spans that cannot be sent are dropped, and log is told. end sends what is left.
func Start(ctx context.Context, service string, getenv func(string) string, log hclog.Logger) (_ trace.TracerProvider, end func() error, err error) {
	either := func(name string) string {
		if v := getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); v != "" {
			return v
		}
		return getenv("OTEL_EXPORTER_OTLP_" + name)
	}
	if either("ENDPOINT") == "" || strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, func() error { return nil }, nil
	}
	if p := either("PROTOCOL"); p != "" && p != protocol {
		return nil, nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q, and traces are sent by %s alone", p, protocol)
	}
	exporter, err := otlptracehttp.New(ctx) // which reads the environment itself, and connects later
	if err != nil {
		return nil, nil, err
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", service), attribute.String("service.version", version.String()),
	), resource.WithFromEnv())
	if err != nil {
		return nil, nil, errors.Join(err, exporter.Shutdown(ctx))
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces cannot be sent", "error", err) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return provider, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.Warn("the last traces cannot be sent", "error", err)
		}
		return nil
	}, nil
}
