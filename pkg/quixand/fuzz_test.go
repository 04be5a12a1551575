package quixand

import (
	"net"
	"path"
	"strings"
	"testing"
)

// FuzzLoopbackPort reads addresses as users may write them. What is taken is a
// port of the sandbox's own.
func FuzzLoopbackPort(f *testing.F) {
	for _, seed := range []string{":80", "localhost:80", "127.0.0.1:65535", "[::1]:1", "10.0.0.1:80", "localhost:0", "localhost:+80", "x", ""} {
		f.Add("tcp", seed)
	}
	f.Fuzz(func(t *testing.T, network, address string) {
		port, err := loopbackPort(network, address)
		if err != nil {
			return
		}
		host, _, _ := net.SplitHostPort(address)
		if ip := net.ParseIP(host); port < 1 || port > 65535 || !strings.HasPrefix(network, "tcp") || ip != nil && !ip.IsLoopback() {
			t.Fatalf("%s %s is port %d", network, address, port)
		}
	})
}

// FuzzPath completes paths as users may write them: relative ones stay below the
// workdir but for "..", and absolute ones stay what they are.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"file", "a/../b", "/abs", "~", "~/x", "~user", "", "-rf", "a\x00b", "\xff", strings.Repeat("n", 5000)} {
		f.Add(seed)
	}
	s := &Sandbox{workdir: "/workspace"}
	f.Fuzz(func(t *testing.T, p string) {
		full, err := s.path(p)
		if err != nil {
			return
		}
		switch {
		case strings.HasPrefix(p, "/"), p == "~", strings.HasPrefix(p, "~/"):
			if full != p {
				t.Fatalf("%q became %q", p, full)
			}
		case full != "/workspace/"+p || !path.IsAbs(full) || len(full) >= maxPath:
			t.Fatalf("%q became %q", p, full)
		}
	})
}
