package podman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/containers/podman/v5/pkg/errorhandling"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// The engine's words are Podman's own, of the versions that this was written
// for; a new wording needs a new line here.
func TestMapError(t *testing.T) {
	for _, test := range []struct {
		status  int
		message string
		kind    error
		hint    bool
	}{
		{404, "no such image: python:3.11-slim: image not known", adapters.ErrNotFound, true},
		{404, `no container with name or ID "x" found: no such container`, adapters.ErrNotFound, false},
		{500, `creating container storage: the container name "qs-x" is already in use by 1234. You have to remove that container to be able to reuse that name: that name is already in use`, adapters.ErrExists, false},
		{409, "wrong state", adapters.ErrConflict, false},
		{0, "reading manifest 1 in 127.0.0.1:5000/a: denied", adapters.ErrPermission, true},
		{0, `checking whether a blob sha256:0 exists in 127.0.0.1:5000/a: StatusCode: 403, ""`, adapters.ErrPermission, true},
		{0, `pinging container registry 127.0.0.1:5000: Get "https://127.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client`, adapters.ErrUnavailable, true},
		{0, `Invalid image name "A/b", unknown transport "A/b"`, adapters.ErrInvalid, true},
		{400, "decode(): no", adapters.ErrInvalid, false},

		{500, "crun: mkdir `/x`: No space left on device: OCI runtime error", adapters.ErrExhausted, true},
		{500, "writing blob: storing blob to file: write /var/tmp/x: disk quota exceeded", adapters.ErrExhausted, true},
		{500, "allocating lock for new container: allocation failed; exceeded num_locks (2048)", adapters.ErrExhausted, true},

		{500, "crun: controller `pids` is not available under /sys/fs/cgroup/x/cgroup.controllers: OCI runtime error", adapters.ErrUnsupported, true},
		{500, "crun: open `memory.max` for writing: No such file or directory: OCI runtime attempted to invoke a command that was not found", adapters.ErrUnsupported, true},
		{500, "crun: open `cpu.max` for writing: No such file or directory: OCI runtime attempted to invoke a command that was not found", adapters.ErrUnsupported, true},

		{0, `cannot find UID/GID for user me: no subuid ranges found for user "me" in /etc/subuid`, adapters.ErrUnavailable, true},
		{500, "potentially insufficient UIDs or GIDs available in user namespace (requested 0:42 for /etc/shadow)", adapters.ErrUnavailable, true},
		{0, `command required for rootless mode with multiple IDs: exec: "newuidmap": executable file not found in $PATH`, adapters.ErrUnavailable, true},

		{500, "crun: join keyctl `c2b1`: Disk quota exceeded: OCI runtime error", adapters.ErrExhausted, true},

		{500, `could not find pasta, the network namespace can't be configured: exec: "pasta": executable file not found in $PATH`, adapters.ErrUnavailable, true},
		{500, `default OCI runtime "crun" not found: invalid argument`, adapters.ErrUnavailable, true},
		{500, "crun: cannot find x: OCI runtime attempted to invoke a command that was not found", adapters.ErrInternal, false},
		{500, "pasta failed with exit code 1:\nFailed to bind port 80 (Permission denied) for option '-t'", adapters.ErrConflict, true},
		{500, "rootlessport listen tcp 127.0.0.1:80: bind: address already in use", adapters.ErrConflict, true},

		{500, `short-name "x" did not resolve to an alias and no unqualified-search registries are defined`, adapters.ErrNotFound, true},
		{0, "initializing source docker://docker.io/x: reading manifest latest in docker.io/x: requested access to the resource is denied", adapters.ErrPermission, true},
		{0, "reading manifest v9 in quay.io/x: manifest unknown", adapters.ErrNotFound, true},
		{0, "initializing source docker://reg.example/x: pinging container registry reg.example: Get: dial tcp: lookup reg.example: no such host", adapters.ErrUnavailable, true},

		{500, `"3a1b" is already paused: container state improper`, adapters.ErrConflict, false},
		{500, `"3a1b" is not paused, can't unpause: container state improper`, adapters.ErrConflict, false},
		{500, "can not pause containers on rootless containers with cgroup V1: this container does not have a cgroup", adapters.ErrUnsupported, true},

		{500, "something that nobody has seen", adapters.ErrInternal, false},
	} {
		engine := errors.New(test.message)
		if test.status != 0 {
			engine = &errorhandling.ErrorModel{Message: test.message, ResponseCode: test.status}
		}
		got := mapError(fmt.Errorf("around: %w", engine))
		e, ok := errors.AsType[*adapters.Error](got)
		if !ok || e.Kind != test.kind {
			t.Errorf("%q: kind %v, want %v", test.message, adapters.KindOf(got), test.kind)
			continue
		}
		if (e.Hint != "") != test.hint {
			t.Errorf("%q: hint %q", test.message, e.Hint)
		}
		if !errors.Is(got, engine) {
			t.Errorf("%q: the engine's own error is lost", test.message)
		}
	}
}

func TestMapErrorOfTransport(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind error
	}{
		{&local.NoAnswer{Err: io.EOF}, adapters.ErrUnavailable},
		{&local.NoAnswer{Err: unix.ECONNRESET}, adapters.ErrUnavailable},
		{&local.NoAnswer{Err: context.DeadlineExceeded}, adapters.ErrTimeout},
		{&local.NoAnswer{Err: context.Canceled}, nil},
		{context.Canceled, nil},
		{os.ErrPermission, adapters.ErrPermission},
		{unix.ENOSPC, adapters.ErrExhausted},
	} {
		got := mapError(test.err)
		if kind := adapters.KindOf(got); kind != test.kind || !errors.Is(got, test.err) {
			t.Errorf("%v: kind %v, want %v", test.err, kind, test.kind)
		}
		if again := mapError(got); again != got {
			t.Errorf("%v is mapped twice: %v", test.err, again)
		}
	}
	unreached := &adapters.Error{Kind: adapters.ErrUnavailable, Err: unix.ENOENT}
	if got := mapError(&local.NoAnswer{Err: unreached}); !local.Unanswered(got) || !errors.Is(got, adapters.ErrUnavailable) {
		t.Errorf("%v does not say that no answer came", got)
	}
	if mapError(nil) != nil {
		t.Error("nil is an error")
	}
}
