package cli

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// FuzzValues gives any text to every kind of flag. What is taken is within
// bounds.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{"90s", "5m", "1.5", "never", "512m", "1.5GiB", "8000:80", ":80", "a=b", "a", "=", "-1", "1e400", "NaN", "99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o := new(sandboxFlags)
		cmd := new(cobra.Command)
		o.add(cmd, &App{Getenv: func(string) string { return "value" }})
		for _, name := range []string{"lifetime", "env", "metadata", "publish", "memory", "network", "pull"} {
			_ = cmd.Flags().Set(name, text) // what it refuses is as it was
		}
		checkValues(t, &o.options, int64(o.memory))
		if id, path, ok := cutID(text); ok && (!adapters.ValidID(id) && !adapters.ValidName(id) || path == "") {
			t.Errorf("%q is the id %q and the path %q", text, id, path)
		}
	})
}

func checkValues(t *testing.T, o *quixand.Options, memory int64) {
	t.Helper()
	if o.Lifetime < 0 || memory < 0 {
		t.Errorf("lifetime %v, memory %d", o.Lifetime, memory)
	}
	for _, p := range o.Publish {
		if p.Port < 1 || p.Port > 65535 || p.HostPort < 0 || p.HostPort > 65535 {
			t.Errorf("port %+v", p)
		}
	}
	for _, pairs := range []map[string]string{o.Env, o.Metadata} {
		if _, nameless := pairs[""]; nameless {
			t.Error("a pair without a key")
		}
	}
}

// FuzzEscapeReader types any keys. However they arrive, the same comes out, and
// without a tilde at the beginning of a line nothing is changed.
func FuzzEscapeReader(f *testing.F) {
	for _, seed := range []string{"ls\r", "~.", "\r~.", "~~.", "a~.b\r~", "\x1b[A\r\n~x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, keys []byte) {
		whole, errWhole := io.ReadAll(&escapeReader{r: bytes.NewReader(keys)})
		single, errSingle := io.ReadAll(&escapeReader{r: iotest.OneByteReader(bytes.NewReader(keys))})
		if !bytes.Equal(whole, single) || !errors.Is(errSingle, errWhole) {
			t.Fatalf("%q: %q, %v at once; %q, %v one by one", keys, whole, errWhole, single, errSingle)
		}
		if text := string(keys); !strings.Contains(text, "~") && string(whole) != text {
			t.Fatalf("%q became %q", text, whole)
		}
	})
}
