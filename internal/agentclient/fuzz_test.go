package agentclient

import "testing"

// FuzzParseMode reads modes as an agent may write them. What is taken can be
// written and read again.
func FuzzParseMode(f *testing.F) {
	for _, seed := range []string{"-rw-r--r--", "drwxr-xr-x", "Lrwxrwxrwx", "dtrwxrwxrwx", "prw-------", "?---------", "rwxrwxrwx", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mode, ok := parseMode(text)
		if !ok {
			return
		}
		if again, ok := parseMode(mode.String()); !ok || again != mode {
			t.Fatalf("%q was read as %v and that as %v, %v", text, mode, again, ok)
		}
	})
}
