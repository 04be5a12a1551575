package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/internal/version"
)

const (
	dialTimeout = 10 * time.Second
	// patience is for an answer of the control plane to a call that has no
	// deadline.
	patience = 2 * time.Minute
	// maxAnswer bounds an answer, in bytes: thousands of sandboxes with the most
	// metadata that they may have.
	maxAnswer = 64 << 20
	// pingAfter is how long an HTTP/2 connection may be silent before it is asked
	// whether it lives.
	pingAfter = 20 * time.Second
	maxIdle   = 64 // connections that are kept for the next calls
)

// server is the control plane of one, and the ways to it.
type server struct {
	at   *address
	key  string
	http *http.Transport
	// plain speaks HTTP/1.1 alone, whose connections can become something else.
	plain *http.Transport
}

func newServer(at *address, key string) *server {
	s := &server{at: at, key: key}
	s.http, s.plain = s.newTransport(true), s.newTransport(false)
	return s
}

// newTransport dials more patiently than others: a server may be about to be
// restarted.
func (s *server) newTransport(http2 bool) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(http2)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		Protocols:           protocols,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: dialTimeout,
		DisableCompression:  true, // it slows transfers down, and nothing is asked for by hand
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     5 * time.Second, // one that becomes idle after close is nobody's
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if s.at.socket != "" {
				network, addr = "unix", s.at.socket
			}
			return dialAgain(ctx, func() (net.Conn, error) { return dialer.DialContext(ctx, network, addr) })
		},
	}
}

func (s *server) close() {
	s.http.CloseIdleConnections()
	s.plain.CloseIdleConnections()
}

// request is one call of the control plane.
type request struct {
	method string
	path   string // escaped
	query  url.Values
	header http.Header
	body   any
	// repeat says that the call does no harm when it arrives twice.
	repeat bool
}

// call makes a request and reads its answer into out, which may be nil.
func (s *server) call(ctx context.Context, r *request, out any) error {
	_, err := s.callHeader(ctx, r, out)
	return err
}

// callHeader is call for answers whose header says something, too.
func (s *server) callHeader(ctx context.Context, r *request, out any) (http.Header, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	res, err := s.send(bounded, r)
	if err != nil {
		return nil, brokenError(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, brokenError(ctx, err)
	case len(body) > maxAnswer:
		return nil, garbage("an answer of more than %d bytes", maxAnswer)
	case out == nil || res.StatusCode == http.StatusNoContent:
		return res.Header, nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return nil, garbage("%w", err)
	}
	return res.Header, nil
}

// send makes a request, again as long as that is of use, and returns the answer
// to it when it is none of an error.
func (s *server) send(ctx context.Context, r *request) (*http.Response, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return nil, err
		}
	}
	for attempt := 0; ; attempt++ {
		res, err := s.http.RoundTrip(s.request(ctx, r, body))
		if err == nil && res.StatusCode < http.StatusMultipleChoices {
			return res, nil
		}
		wait, again := whether(r, res, err, attempt)
		if err == nil {
			err = refusal(res)
			res.Body.Close()
		}
		if !again || !sleep(ctx, wait) {
			return nil, err
		}
	}
}

func (s *server) request(ctx context.Context, r *request, body []byte) *http.Request {
	u := s.at.base
	path, err := url.PathUnescape(r.path)
	if err == nil {
		u.RawPath = u.EscapedPath() + r.path
	}
	u.Path += path
	u.RawQuery = r.query.Encode()
	header := r.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	header.Set(serverapi.HeaderKey, s.key)
	header.Set("User-Agent", "quixand/"+version.String())
	req := &http.Request{Method: r.method, URL: &u, Host: u.Host, Header: header}
	if body != nil {
		header.Set("Content-Type", "application/json")
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody()
	}
	return req.WithContext(ctx)
}

var errBroken = errors.New("the server does not answer")

// brokenError is the error of a call whose answer did not come, as the caller's
// context and the table have it.
func brokenError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := known(err); ok {
		return e
	}
	return unavailable(fmt.Errorf("%w: %w", errBroken, err))
}
