package cli

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEscapeReader(t *testing.T) {
	for _, c := range []struct {
		in, want string
		left     bool
	}{
		{"ls\r", "ls\r", false},
		{"~.", "", true},
		{"ls\r~.more", "ls\r", true},
		{"a~.b\r", "a~.b\r", false},
		{"~~.\r", "~.\r", false},
		{"~/bin\r", "~/bin\r", false},
		{"\r~\r~.", "\r~\r", true},
		{"cat ~\r~~x", "cat ~\r~x", false},
	} {
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(c.in),
			"bytes": iotest.OneByteReader(strings.NewReader(c.in)),
		} {
			got, err := io.ReadAll(&escapeReader{r: r})
			if string(got) != c.want || errors.Is(err, errLeft) != c.left {
				t.Errorf("%q (%s): %q, %v; want %q, left %v", c.in, name, got, err, c.want, c.left)
			}
		}
	}
}
