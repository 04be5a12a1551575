package server

import (
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/quixand/quixand/internal/auditlog"
)

// statusGone is nginx's number for a request whose answer nobody got.
const statusGone = 499

// exchange is a request of the control plane, and what is known of it by the
// time that it has been answered.
type exchange struct {
	http.ResponseWriter
	status  int
	key     string // id, once it is known
	sandbox string // id of one that there is, or was
	denied  bool   // whoever asked may not
	passed  bool   // on to the data plane, which tells of it
}

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *exchange) deny() { x.denied = true }

// deny tells keys and tokens that let nobody in from all other refusals.
func deny(w http.ResponseWriter) {
	if x, ok := w.(interface{ deny() }); ok {
		x.deny()
	}
}

// observed tells the audit log, the meters and the client's trace of every call of the control plane.
func (s *Server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		x := &exchange{ResponseWriter: w}
		r, span := s.beginSpan(r)
		defer func() {
			if x.status == 0 { // the handler did not come to its end
				x.status = statusGone
			}
			s.conclude(x, r, span, began)
		}()
		next.ServeHTTP(x, r)
		if x.status == 0 {
			x.status = http.StatusOK
		}
	})
}

func (s *Server) conclude(x *exchange, r *http.Request, span trace.Span, began time.Time) {
	took := time.Since(began)
	method, route := methodOf(r), s.routeOf(r)
	s.meters.call(method, route, x, took)
	endSpan(span, method, route, x)
	if x.passed {
		return
	}
	e := &auditlog.Entry{
		Time: began, Plane: auditlog.Control, Key: x.key, Remote: s.cfg.Proxies.clientOf(r),
		Method: method, Route: route, Sandbox: x.sandbox, Status: x.status, Took: inMilliseconds(took),
	}
	if of := span.SpanContext(); of.IsValid() {
		e.Trace = of.TraceID().String()
	}
	s.note(e)
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// note writes to the audit log. A call that cannot be written down has been
// answered all the same: the meters and the log say so.
func (s *Server) note(e *auditlog.Entry) {
	e.Time = e.Time.UTC()
	if err := s.cfg.Audit.Write(e); err != nil {
		s.meters.unaudited.Inc()
		s.cfg.Log.Error("the audit log cannot be written", "error", err)
	}
}
