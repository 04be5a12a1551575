package server

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/auditlog"
	"github.com/quixand/quixand/internal/envd/filesystem/filesystemconnect"
	"github.com/quixand/quixand/internal/envd/process/processconnect"
	"github.com/quixand/quixand/pkg/adapters"
)

// acts are the requests to agents that operators want to know of afterwards:
// those that run something or change files. What is only read, typed or done by
// a program on a port of its own is not written down.
var acts = map[string]bool{
	"POST " + processconnect.ProcessStartProcedure:         true,
	"POST " + processconnect.ProcessSendSignalProcedure:    true,
	"POST " + filesystemconnect.FilesystemMakeDirProcedure: true,
	"POST " + filesystemconnect.FilesystemMoveProcedure:    true,
	"POST " + filesystemconnect.FilesystemRemoveProcedure:  true,
	"POST /files":                 true,
	"POST /files/compose":         true,
	"PUT " + agentapi.PathArchive: true,
}

// passing is a request of the data plane. It is counted as it goes, for it may
// last as long as its sandbox.
type passing struct {
	http.ResponseWriter
	server *Server
	meters *planeMeters
	r      *http.Request
	to     target
	began  time.Time
	status int
	denied bool
}

// pass sends a request on to a sandbox.
func (s *Server) pass(w http.ResponseWriter, r *http.Request, to target) {
	p := &passing{ResponseWriter: w, server: s, meters: s.meters.plane(to), r: r, to: to, began: time.Now()}
	p.meters.open.Inc()
	defer func() {
		p.meters.open.Dec()
		if p.status == 0 { // the handler did not come to its end
			p.answered(statusGone)
		}
	}()
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &countedBody{r.Body, p.meters.in}
	}
	s.proxy.serve(p, r, to)
	if p.status == 0 {
		p.answered(http.StatusOK)
	}
}

// answered is told once, when the answer begins.
func (p *passing) answered(status int) {
	p.status = status
	took := time.Since(p.began)
	p.meters.answered(status, p.denied, took)
	route := p.route()
	if !p.denied && !acts[p.r.Method+" "+route] {
		return
	}
	e := &auditlog.Entry{
		Time: p.began, Plane: auditlog.Data, Remote: p.server.cfg.Proxies.clientOf(p.r), Method: methodOf(p.r),
		Route: route, Port: p.to.port, Status: status, Took: inMilliseconds(took),
	}
	if x := p.server.boxes.lookUp(p.to.id); x != nil {
		e.Sandbox, e.Key = x.id, x.Key
	}
	p.server.note(e)
}

// route is a path of the agent's, or stands for a port.
func (p *passing) route() string {
	switch path := p.r.URL.Path; {
	case p.to.port != adapters.AgentPort:
		return "port"
	case acts[p.r.Method+" "+path]:
		return path
	default:
		return unknown
	}
}

func (p *passing) deny() { p.denied = true }

func (p *passing) WriteHeader(status int) {
	if p.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		p.answered(status)
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *passing) Write(b []byte) (int, error) {
	if p.status == 0 {
		p.answered(http.StatusOK)
	}
	n, err := p.ResponseWriter.Write(b)
	p.meters.out.Add(float64(n))
	return n, err
}

// Unwrap is for http.ResponseController.
func (p *passing) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// Hijack is for connections that are upgraded: what they carry is counted, too.
func (p *passing) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(p.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if p.status == 0 {
		p.answered(http.StatusSwitchingProtocols)
	}
	return &countedConn{conn, p.meters}, buffered, nil
}

type countedBody struct {
	io.ReadCloser
	in prometheus.Counter
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.in.Add(float64(n))
	return n, err
}

type countedConn struct {
	net.Conn
	meters *planeMeters
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.meters.in.Add(float64(n))
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.meters.out.Add(float64(n))
	return n, err
}

// CloseWrite is how one end says that it is done while it still listens.
func (c *countedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
