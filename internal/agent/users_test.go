package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agent"
	pb "github.com/quixand/quixand/internal/envd/process"
)

// etc makes passwd and group files with one account besides root.
func etc(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/bin/sh\nguest:x:4321:5432::/:/bin/sh\n",
		"group":  "extra:x:777:guest\nguests:x:5432:\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (b *box) as(t *testing.T, user, script string) *result {
	t.Helper()
	req := connect.NewRequest(command("/bin/sh", "-c", script))
	setUser(req.Header(), user)
	s, err := b.process.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return collect(s, (*pb.StartResponse).GetEvent)
}

// TestOtherUsers: root can run code as anybody, others only as themselves.
func TestOtherUsers(t *testing.T) {
	b := newBox(t, agent.Config{EtcDir: etc(t)})
	r := b.as(t, "guest", "id -u; id -g; id -G; echo $HOME $USER; grep -E '^(Cap|NoNew)' /proc/self/status")
	if os.Geteuid() != 0 {
		wantCode(t, r.err, connect.CodePermissionDenied)
		return
	}
	want := "4321\n5432\n5432 777\n/ guest\n" +
		"CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
	if r.stdout.String() != want {
		t.Errorf("got %q %q %v\nwant %q", &r.stdout, &r.stderr, r.err, want)
	}
	r = b.as(t, "root", "id -u; grep -E '^Cap(Eff|Bnd)' /proc/self/status")
	if want := "0\nCapEff:\t00000000000004fb\nCapBnd:\t00000000000004fb\n"; r.stdout.String() != want {
		t.Errorf("got %q %q %v", &r.stdout, &r.stderr, r.err)
	}
}

func TestOtherUsersTerminals(t *testing.T) {
	b := newBox(t, agent.Config{EtcDir: etc(t)})
	if os.Geteuid() != 0 {
		return // nobody else can be run as
	}
	msg := command("/bin/sh", "-c", "stat -c %u $(tty)")
	msg.Pty = &pb.PTY{Size: &pb.PTY_Size{Cols: 80, Rows: 24}}
	req := connect.NewRequest(msg)
	setUser(req.Header(), "guest")
	s, err := b.process.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if r := collect(s, (*pb.StartResponse).GetEvent); strings.TrimSpace(r.stdout.String()) != "4321" {
		t.Errorf("%q %v", &r.stdout, r.err)
	}
}

func TestDirectoriesOfOthers(t *testing.T) {
	b := newBox(t, agent.Config{EtcDir: etc(t)})
	if os.Geteuid() != 0 {
		return
	}
	locked := t.TempDir()
	if err := os.Chmod(locked, 0o700); err != nil {
		t.Fatal(err)
	}
	msg := command("/bin/pwd")
	msg.Process.Cwd = &locked
	req := connect.NewRequest(msg)
	setUser(req.Header(), "guest")
	s, err := b.process.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, collect(s, (*pb.StartResponse).GetEvent).err, connect.CodeInvalidArgument)
}
