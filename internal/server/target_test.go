package server

import (
	"net/http"
	"testing"
)

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		host, id, port string
		want           string // id:port; empty: the control plane; "!": refused
	}{
		{"127.0.0.1:3000", "", "", ""},
		{"localhost:3000", "abc", "49983", "abc:49983"},
		{"sandbox.example.com", "abc", "80", "abc:80"},
		{"8000-abc.localhost:3000", "", "", "abc:8000"},
		{"8000-abc-more.example.com", "", "", "abc:8000"},
		{"8000-abc.example.com", "xyz", "1", "abc:8000"}, // the name is what the client's user sees
		{"my-host.example.com", "", "", ""},
		{"8000-abc", "", "", ""}, // no domain: somebody's own name
		{"8000-.example.com", "", "", "!"},
		{"-abc.example.com", "", "", ""},
		{"99999-abc.example.com", "", "", "!"},
		{"0-abc.example.com", "", "", "!"},
		{"localhost", "abc", "", "!"},
		{"localhost", "", "80", "!"},
		{"localhost", "a b", "80", "!"},
		{"localhost", "abc", "+80", "!"},
		{"localhost", "abc", "80 ", "!"},
	} {
		r := &http.Request{Host: c.host, Header: http.Header{}}
		if c.id != "" {
			r.Header.Set(headerID, c.id)
		}
		if c.port != "" {
			r.Header.Set(headerPort, c.port)
		}
		to, err := targetOf(r)
		got := ""
		switch {
		case err != nil:
			got = "!"
		case to != nil:
			got = to.String()
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add("a%3Db%2520c%2526")
	f.Add("%25zz&=&&==")
	f.Fuzz(func(t *testing.T, text string) {
		pairs, err := parseMetadata(text)
		if (err == nil) == (pairs == nil) && text != "" {
			t.Errorf("%v, %v", pairs, err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("MjAyNi0xMS0yM1QxMzowMDowMFogYQ")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text)
		if err != nil || c == nil {
			return
		}
		again, err := parseCursor(c.String())
		if err != nil || again.compare(*c) != 0 {
			t.Errorf("%v becomes %v, %v", c, again, err)
		}
	})
}
