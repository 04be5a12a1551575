package termsafe

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLineAndText(t *testing.T) {
	for _, c := range []struct{ name, in, line, text string }{
		{"plain", "plain text", "plain text", "plain text"},
		{"empty", "", "", ""},
		{"unicode", "naïve 日本 🙂", "naïve 日本 🙂", "naïve 日本 🙂"},
		{"line breaks", "a\nb\tc", "a^Jb^Ic", "a\nb\tc"},
		{"carriage return", "good\rbad", "good^Mbad", "good^Mbad"},
		{"colour", "\x1b[31mred\x1b[0m", "^[[31mred^[[0m", "^[[31mred^[[0m"},
		{"title", "\x1b]0;owned\a", "^[]0;owned^G", "^[]0;owned^G"},
		{"clipboard", "\x1b]52;c;ZXZpbA==\x1b\\", "^[]52;c;ZXZpbA==^[\\", "^[]52;c;ZXZpbA==^[\\"},
		{"nul and delete", "\x00\x7f", "^@^?", "^@^?"},
		{"c1", "\u009b31m", "<U+009B>31m", "<U+009B>31m"},
		{"c1 as a byte", "\x9b31m", "\ufffd31m", "\ufffd31m"},
		{"bidi", "a\u202eb\u2066c", "a<U+202E>b<U+2066>c", "a<U+202E>b<U+2066>c"},
		{"separators", "a\u2028b\u2029", "a<U+2028>b<U+2029>", "a<U+2028>b<U+2029>"},
		{"not utf-8", "a\xffb\xe2\x82", "a\ufffdb\ufffd\ufffd", "a\ufffdb\ufffd\ufffd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Line(c.in); got != c.line {
				t.Errorf("Line(%q) = %q, want %q", c.in, got, c.line)
			}
			if got := Text(c.in); got != c.text {
				t.Errorf("Text(%q) = %q, want %q", c.in, got, c.text)
			}
		})
	}
}

func TestWriterIsTheSameHoweverItIsSplit(t *testing.T) {
	const in = "a\x1b[31m\u009b🙂\u202e é\r\n\xffend\xe2\x82"
	want := write(t, []byte(in))
	if wrote := "a^[[31m<U+009B>🙂<U+202E> é\r\n\ufffdend\ufffd\ufffd"; want != wrote {
		t.Fatalf("in one piece: %q, want %q", want, wrote)
	}
	for i := range len(in) {
		for j := i; j <= len(in); j++ {
			if got := write(t, []byte(in[:i]), []byte(in[i:j]), []byte(in[j:])); got != want {
				t.Fatalf("split at %d and %d: %q, want %q", i, j, got, want)
			}
		}
	}
}

func TestWriterHoldsBackNoWholeRune(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, part := range []string{"é", "\xe2", "\x82", "\xac", "$ "} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := b.String(), "é€$ "; got != want {
		t.Errorf("before Flush %q, want %q", got, want)
	}
}

func TestJSONMeansTheSame(t *testing.T) {
	in := map[string]string{"name\x7f": "\u009b\u202e\x1b\n é"}
	b, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	safe := JSON(b)
	if s := string(safe); s != Text(s) {
		t.Errorf("not safe: %q", s)
	}
	var out map[string]string
	if err := json.Unmarshal(safe, &out); err != nil {
		t.Fatal(err)
	}
	if out["name\x7f"] != in["name\x7f"] {
		t.Errorf("got %q, want %q", out, in)
	}
}

func FuzzWriter(f *testing.F) {
	f.Add("a\x1b[31m\u009b🙂\u202e é\r\n\xffend\xe2\x82", uint(3))
	f.Fuzz(func(t *testing.T, s string, at uint) {
		i := int(at % uint(len(s)+1))
		got := write(t, []byte(s[:i]), []byte(s[i:]))
		if whole := write(t, []byte(s)); got != whole {
			t.Errorf("split at %d: %q, whole: %q", i, got, whole)
		}
		if !utf8.ValidString(got) {
			t.Errorf("%q is not UTF-8", got)
		}
		if strings.ContainsFunc(got, func(r rune) bool {
			return isBidi(r) || (isControl(r) && !strings.ContainsRune(keptInStreams, r))
		}) {
			t.Errorf("%q holds a control character", got)
		}
		if line := Line(s); line != Line(line) {
			t.Errorf("Line is not stable: %q", line)
		}
	})
}

func write(t *testing.T, parts ...[]byte) string {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, p := range parts {
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", p, n, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
