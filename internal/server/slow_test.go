package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestNobodyIsWaitedForForever: a request whose body does not come holds its
// connection for a while, and no longer. Nor is a key needed to send it.
func TestNobodyIsWaitedForForever(t *testing.T) {
	w := newWorld(t)
	w.config.ReadTimeout = 200 * time.Millisecond
	w.start()
	sb := w.create(`{"templateID":"base"}`)
	var link struct{ URL string }
	w.call(http.StatusCreated, "GET", "/templates/x/files/hash", "").into(t, &link)
	_, upload, _ := strings.Cut(strings.TrimPrefix(link.URL, "http://"), "/")
	port := service(t, func(rw http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(rw).EnableFullDuplex() // not to wait for the request itself
		rw.WriteHeader(http.StatusTeapot)
	})
	agent := "E2b-Sandbox-Id: " + sb.ID + "\r\nE2b-Sandbox-Port: 49983\r\n"
	for _, c := range []struct {
		request, headers string
		status           int
	}{
		{"POST /v2/sandboxes", "", http.StatusUnauthorized},
		{"POST /v2/sandboxes", "X-API-KEY: " + w.key + "\r\n", http.StatusRequestTimeout},
		{"DELETE /sandboxes/nosuch", "X-API-KEY: " + w.key + "\r\n", http.StatusNotFound},
		{"POST /nosuch", "", http.StatusNotFound},
		{"PUT /" + upload, "", http.StatusRequestTimeout},
		{"POST /files?path=x", agent, http.StatusUnauthorized},
		{"POST /files?path=x", strings.Replace(agent, sb.ID, "nosuch", 1), http.StatusBadGateway},
		// The sandbox has answered, and reads no more.
		{"POST /", strings.Replace(agent, "49983", port, 1), http.StatusTeapot},
	} {
		for _, length := range []string{"Content-Length: 100\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
			if status := w.hang(c.request + " HTTP/1.1\r\nHost: x\r\n" + c.headers + length); status != c.status {
				t.Errorf("%s\n%s: %d, want %d", c.request, c.headers, status, c.status)
			}
		}
	}
}

// hang sends a part of a request, and returns the answer's status when the
// server has closed the connection.
func (w *world) hang(request string) int {
	w.Helper()
	conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprint(conn, request); err != nil {
		w.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.Errorf("%q: %v", request, err)
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		w.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		w.Errorf("%q: the connection stays: %v", request, err)
	}
	return resp.StatusCode
}

// TestALateBodyIsNoRequest: a sandbox that answers early does not make another
// request of what is still to come of the first.
func TestALateBodyIsNoRequest(t *testing.T) {
	w := newWorld(t)
	port := service(t, func(rw http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(rw).EnableFullDuplex()
		rw.WriteHeader(http.StatusTeapot)
	})
	sb := w.create(`{"templateID":"base"}`)
	smuggled := "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, closedPort := range []bool{false, true} {
		conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		want := http.StatusTeapot
		if closedPort {
			port, want = "1", http.StatusBadGateway
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nE2b-Sandbox-Id: %s\r\nE2b-Sandbox-Port: %s\r\nContent-Length: %d\r\n\r\n", sb.ID, port, len(smuggled))
		answers := bufio.NewReader(conn)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("%v", resp)
		}
		_, _ = io.WriteString(conn, smuggled)
		if text, _ := io.ReadAll(answers); strings.Contains(string(text), "HTTP/1.1") {
			t.Errorf("a second answer: %s", text)
		}
	}
}
