package cli

import (
	"bytes"
	"io/fs"
	"testing"
	"time"
)

func TestRelative(t *testing.T) {
	now := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Time{}, "-"},
		{now, "0s ago"},
		{now.Add(300 * time.Millisecond), "0s ago"},
		{now.Add(-59 * time.Second), "59s ago"},
		{now.Add(-2 * time.Minute), "2m ago"},
		{now.Add(-47 * time.Hour), "47h ago"},
		{now.Add(-72 * time.Hour), "3d ago"},
		{now.Add(90 * time.Second), "in 1m30s"},
		{now.Add(5*time.Minute - time.Millisecond), "in 5m0s"},
	} {
		if got := relative(now, c.at); got != c.want {
			t.Errorf("relative(%v) = %q, want %q", c.at, got, c.want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 256 << 20: "256.0 MiB", 1 << 40: "1.0 TiB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestModeOf(t *testing.T) {
	for want, m := range map[string]fs.FileMode{
		"-rw-r--r--": 0o644,
		"drwxrwxrwt": fs.ModeDir | fs.ModeSticky | 0o777,
		"lrwxrwxrwx": fs.ModeSymlink | 0o777,
		"-rwsr-Sr-x": fs.ModeSetuid | fs.ModeSetgid | 0o745,
		"crw-------": fs.ModeDevice | fs.ModeCharDevice | 0o600,
		"brw-------": fs.ModeDevice | 0o600,
		"prw-------": fs.ModeNamedPipe | 0o600,
		"srw-------": fs.ModeSocket | 0o600,
	} {
		if got := modeOf(m); got != want {
			t.Errorf("modeOf(%v) = %q, want %q", m, got, want)
		}
	}
}

func TestTableCellsAreOneHarmlessLine(t *testing.T) {
	var out bytes.Buffer
	a := &App{Stdout: &out}
	table := a.newTable("ID", "NAME")
	table.row("1", "evil\nroot\x1b[2J\u202e")
	table.row("22", "tab\there")
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	want := "ID  NAME\n1   evil^Jroot^[[2J<U+202E>\n22  tab^Ihere\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"short", "short"},
		{"a line that is too long", "a line tha"},
		{"日本語日本語日本語", "日本語日本"},
	} {
		if got := fit(c.in, 10); got != c.want {
			t.Errorf("fit(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
