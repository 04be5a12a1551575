package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/agentapi"
)

func types(records []agentapi.Record) string {
	var names []string
	for _, r := range records {
		names = append(names, string(r.Type))
	}
	return strings.Join(names, " ")
}

func TestOrder(t *testing.T) {
	j := New()
	p := j.Process("echo hi")
	p.Began(7)
	p.Wrote("stdout", []byte("hi\n"))
	p.Ended(3, "exit status 3")
	got, _ := j.Read(0, true).Next()
	if types(got) != "ready start output exit" {
		t.Fatal(types(got))
	}
	for i, r := range got {
		if r.Seq != int64(i+1) || r.Time.IsZero() || i > 0 && r.PID != 7 {
			t.Errorf("%+v", r)
		}
	}
	if got[1].Command != "echo hi" || string(got[2].Data) != "hi\n" || got[2].Stream != "stdout" || got[3].ExitCode != 3 {
		t.Errorf("%+v", got)
	}
	got, _ = j.Read(2, false).Next()
	if types(got) != "exit" {
		t.Error(types(got))
	}
}

// A process that ends before its start is known has a beginning all the same,
// and only one.
func TestBeginsOnce(t *testing.T) {
	j := New()
	j.Process("never was").Ended(127, "exit status 127")
	p := j.Process("short")
	p.Began(5)
	p.Began(5)
	got, _ := j.Read(1, true).Next()
	if types(got) != "start exit start" {
		t.Error(types(got))
	}
}

func TestBounds(t *testing.T) {
	j := New()
	p := j.Process(strings.Repeat("x", 10*maxCommand))
	p.Began(1)
	p.Wrote("stdout", bytes.Repeat([]byte("a"), 10*maxPiece))
	got, _ := j.Read(1, true).Next()
	if len(got[0].Command) != maxCommand || len(got[1].Data) != maxPiece || got[1].Lost != 9*maxPiece {
		t.Errorf("%d, %d, %d", len(got[0].Command), len(got[1].Data), got[1].Lost)
	}
	// A flood of output leaves the beginning known.
	for range 10 * maxPieces {
		p.Wrote("stderr", bytes.Repeat([]byte("b"), 100))
	}
	got, _ = j.Read(0, true).Next()
	if got[0].Type != agentapi.RecordReady || got[1].Type != agentapi.RecordStart {
		t.Error(types(got[:3]))
	}
	total := 0
	for _, r := range got {
		total += len(r.Data)
	}
	if total > outputBytes || total < outputBytes-200 {
		t.Errorf("%d bytes are kept", total)
	}
	for range 2 * maxPieces {
		p.Wrote("stderr", []byte("c"))
	}
	if got, _ = j.Read(0, true).Next(); len(got) != 2+maxPieces {
		t.Errorf("%d records are kept", len(got))
	}
	for range 2 * maxNotes {
		j.Process("x").Ended(0, "")
	}
	if got, _ = j.Read(0, false).Next(); len(got) != maxNotes {
		t.Errorf("%d notes are kept", len(got))
	}
}

func TestSlowReaderIsTold(t *testing.T) {
	j := New()
	r := j.Read(0, false)
	r.Next()
	for range maxNotes + 10 {
		j.Note(agentapi.Record{Type: agentapi.RecordExit})
	}
	got, _ := r.Next()
	if got[0].Type != agentapi.RecordLost || got[0].Lost != 10 || len(got) != 1+maxNotes {
		t.Errorf("%+v, %d records", got[0], len(got))
	}
	if got, _ = r.Next(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestTail(t *testing.T) {
	j := New()
	if got := j.Tail(10); len(got) != 0 {
		t.Errorf("%q", got)
	}
	p := j.Process("x")
	p.Wrote("stdout", []byte("first\nsecond\n"))
	p.Wrote("stderr", []byte("third\n"))
	for limit, want := range map[int]string{100: "first\nsecond\nthird\n", 15: "second\nthird\n", 3: "rd\n", 0: ""} {
		if got := j.Tail(limit); string(got) != want {
			t.Errorf("%d: %q", limit, got)
		}
	}
	for range 1000 { // once around
		p.Wrote("stdout", bytes.Repeat([]byte("0123456789"), 30))
	}
	if got := j.Tail(12); string(got) != "890123456789" {
		t.Errorf("%q", got)
	}
}

func TestFollow(t *testing.T) {
	j := New()
	server := httptest.NewServer(j)
	defer server.Close()
	resp, err := http.Get(server.URL + "?follow=1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() (r agentapi.Record) {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := next(); r.Type != agentapi.RecordReady {
		t.Errorf("%+v", r)
	}
	p := j.Process("x")
	p.Began(9)
	p.Wrote("pty", []byte{0xff, 0})
	if r := next(); r.Type != agentapi.RecordStart || r.PID != 9 {
		t.Errorf("%+v", r)
	}
	if r := next(); !bytes.Equal(r.Data, []byte{0xff, 0}) {
		t.Errorf("%+v", r)
	}
}

func TestBadRequest(t *testing.T) {
	for _, after := range []string{"x", "-1", "1e3"} {
		w := httptest.NewRecorder()
		New().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?after="+after, nil))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", after, w.Code)
		}
	}
}
