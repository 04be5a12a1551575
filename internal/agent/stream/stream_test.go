package stream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheClientsLeavingIsNoticed(t *testing.T) {
	left := make(chan struct{})
	srv := httptest.NewServer(Handler(100, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		From(r.Context()).Push()
		<-r.Context().Done()
		close(left)
	})))
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// A body in chunks, which the handler does not read.
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	res.Body.Close()
	<-left
}

func TestHoldAndPush(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(Handler(100, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		cork := From(r.Context())
		cork.Hold()
		for _, text := range []string{string(body), " a", " b"} {
			io.WriteString(w, text)
			w.(http.Flusher).Flush()
		}
		cork.Push()
		<-release
		io.WriteString(w, " c")
		w.(http.Flusher).Flush() // held until the handler returns
	})))
	defer srv.Close()
	res, err := http.Post(srv.URL, "", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, 100)
	if n, err := res.Body.Read(first); string(first[:n]) != "body a b" {
		t.Errorf("%q, %v", first[:n], err)
	}
	close(release)
	if rest, err := io.ReadAll(res.Body); string(rest) != " c" {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestLargeRequestsAreRefused(t *testing.T) {
	srv := httptest.NewServer(Handler(100, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("handled")
	})))
	defer srv.Close()
	res, err := http.Post(srv.URL, "", strings.NewReader(strings.Repeat("x", 101)))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(res.Status)
	}
}

func TestWithoutHandler(t *testing.T) {
	From(t.Context()).Hold()
	From(t.Context()).Push()
}
