package server

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/quixand/quixand/internal/version"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// meters are what a server tells Prometheus. Their labels have few values, all
// of them the server's: whatever clients and sandboxes send, there is no more to
// keep.
type meters struct {
	registry *prometheus.Registry

	calls     *prometheus.CounterVec   // method, route, status
	callTime  *prometheus.HistogramVec // method, route
	creations *prometheus.HistogramVec // result
	builds    *prometheus.CounterVec   // result
	limited   prometheus.Counter
	denied    *prometheus.CounterVec // plane
	unaudited prometheus.Counter

	agents, ports *planeMeters
}

// planeMeters are those of the data plane, of agents or of other ports.
type planeMeters struct {
	answers *prometheus.CounterVec // status
	time    prometheus.Observer
	open    prometheus.Gauge
	in, out prometheus.Counter
	denied  prometheus.Counter
}

// seconds are the bounds of the buckets of how long something took: a call that
// asks nobody is at their beginning, and one that pulls an image at their end.
var seconds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}

func newMeters(s *Server) *meters {
	m := &meters{
		registry:  prometheus.NewRegistry(),
		calls:     newCounters("http_requests_total", "Calls of the control plane.", "method", "route", "status"),
		callTime:  newHistograms("http_request_duration_seconds", "How long calls of the control plane took.", "method", "route"),
		creations: newHistograms("sandbox_creation_duration_seconds", "How long sandboxes took to be created, forks included.", "result"),
		builds:    newCounters("template_builds_total", "Builds of templates that have ended.", "result"),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "rate_limited_total", Help: "Calls refused because their key had made too many.",
		}),
		denied: newCounters("auth_failures_total", "Requests whose key, token or signature let nobody in.", "plane"),
		unaudited: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "audit_failures_total", Help: "Requests that could not be written to the audit log.",
		}),
	}
	m.registry.MustRegister(
		m.calls, m.callTime, m.creations, m.builds, m.limited, m.denied, m.unaudited,
		newGauge("sandboxes", "Sandboxes that the server knows.", prometheus.Labels{"state": "running"}, func() int { return s.boxes.count(false) }),
		newGauge("sandboxes", "Sandboxes that the server knows.", prometheus.Labels{"state": "paused"}, func() int { return s.boxes.count(true) }),
		newGauge("template_builds_running", "Builds of templates that run.", nil, func() int { return len(s.builds.slots) }),
		newGauge("build_info", "The version of this server.", prometheus.Labels{"version": version.String()}, func() int { return 1 }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.addPlanes()
	return m
}

// addPlanes adds what is told of the data plane.
func (m *meters) addPlanes() {
	answers := newCounters("proxy_requests_total", "Requests to sandboxes, by the class of the answer.", "target", "status")
	times := newHistograms("proxy_response_seconds", "How long sandboxes took to begin their answers.", "target")
	open := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "proxy_requests_open", Help: "Requests to sandboxes, streams and upgraded connections that are open.",
	}, []string{"target"})
	bytes := newCounters("proxy_bytes_total", "Bytes passed to sandboxes (in) and from them (out), without headers.", "target", "direction")
	m.registry.MustRegister(answers, times, open, bytes)
	of := func(target string) *planeMeters {
		return &planeMeters{
			answers: answers.MustCurryWith(prometheus.Labels{"target": target}), time: times.WithLabelValues(target), open: open.WithLabelValues(target),
			in: bytes.WithLabelValues(target, "in"), out: bytes.WithLabelValues(target, "out"), denied: m.denied.WithLabelValues(target),
		}
	}
	m.agents, m.ports = of("agent"), of("port")
}

const namespace = "quixand"

func newCounters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func newHistograms(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: seconds}, labels)
}

func newGauge(name, help string, labels prometheus.Labels, now func() int) prometheus.GaugeFunc {
	opts := prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels}
	return prometheus.NewGaugeFunc(opts, func() float64 { return float64(now()) })
}

// call counts a call of the control plane.
func (m *meters) call(method, route string, x *exchange, took time.Duration) {
	m.calls.WithLabelValues(method, route, strconv.Itoa(x.status)).Inc()
	m.callTime.WithLabelValues(method, route).Observe(took.Seconds())
	if x.denied {
		m.denied.WithLabelValues("control").Inc()
	}
}

// plane is the meters for a port.
func (m *meters) plane(to target) *planeMeters {
	if to.port == adapters.AgentPort {
		return m.agents
	}
	return m.ports
}

func (m *planeMeters) answered(status int, denied bool, took time.Duration) {
	m.answers.WithLabelValues(class(status)).Inc()
	m.time.Observe(took.Seconds())
	if denied {
		m.denied.Inc()
	}
}

// class is that of a status which a sandbox may have chosen.
func class(status int) string {
	if status < 100 || status > 599 {
		return unknown
	}
	return strconv.Itoa(status/100) + "xx"
}

// outcome is the result that meters know.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return "error"
	}
}

// launch measures the creation of a sandbox. What it is created by gets the
// context.
func (s *Server) launch(ctx context.Context, c *call, opts *quixand.Options, create func(context.Context) (*quixand.Sandbox, error)) (*quixand.Sandbox, error) {
	began := time.Now()
	ctx, end := s.creationSpan(ctx, opts)
	sb, err := create(ctx)
	end(err)
	s.meters.creations.WithLabelValues(outcome(err)).Observe(time.Since(began).Seconds())
	if err == nil {
		c.w.sandbox = sb.ID()
	}
	return sb, err
}
