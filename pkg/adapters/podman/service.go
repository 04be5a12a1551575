package podman

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/pkg/adapters"
)

const (
	// startTimeout bounds the start of an engine. It takes a second on an
	// idle machine; the first one after an update migrates the database.
	startTimeout = 20 * time.Second
	// serviceIdle is how many seconds a service of ours waits for its next
	// client before it ends.
	serviceIdle = "60"
)

// dialer connects to the engine at an endpoint and starts it where none
// listens.
type dialer struct {
	endpoint endpoint
	log      hclog.Logger
	reached  atomic.Pointer[string]
}

// dial is for an http.Transport, whose address says nothing.
func (d *dialer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, err := d.dialAny(ctx)
	if err == nil {
		return conn, nil
	}
	if !nobodyThere(err) {
		return nil, mapError(err)
	}
	if d.endpoint.own == "" {
		return nil, &adapters.Error{
			Adapter: Name, Kind: adapters.ErrUnavailable, Err: err,
			Hint: "start the engine that CONTAINER_HOST or podman's default connection names, or unset it to use this machine's",
		}
	}
	return d.start(ctx)
}

// socket is the path of the last engine that was reached.
func (d *dialer) socket() string { return *d.reached.Load() }

func (d *dialer) dialAny(ctx context.Context) (net.Conn, error) {
	var errs []error
	for _, socket := range d.endpoint.sockets {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err == nil {
			d.reached.Store(&socket)
			return conn, nil
		}
		if !nobodyThere(err) {
			return nil, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// nobodyThere says whether an error of dialing means that no engine listens,
// so that starting one can help.
func nobodyThere(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED)
}

// start brings up the user's podman.socket and, without a systemd that can, a
// service of our own.
func (d *dialer) start(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	podman, err := exec.LookPath("podman")
	if err != nil {
		return nil, &adapters.Error{
			Adapter: Name, Kind: adapters.ErrUnavailable,
			Err:  fmt.Errorf("no engine listens at %s, and podman is not installed", strings.Join(d.endpoint.sockets, " or ")),
			Hint: "install podman: dnf install podman, or apt install podman",
		}
	}
	out, err := exec.CommandContext(ctx, "systemctl", "--user", "start", "podman.socket").CombinedOutput()
	if err == nil {
		if conn, err := d.dialAny(ctx); err == nil || !nobodyThere(err) {
			d.log.Debug("started podman.socket")
			return conn, mapError(err)
		}
	}
	d.log.Debug("podman.socket does not help", "error", err, "output", string(bytes.TrimSpace(out)))
	service, err := spawn(podman, d.endpoint.own)
	if err != nil {
		return nil, mapError(err)
	}
	d.log.Debug("started a podman service", "pid", service.pid, "socket", d.endpoint.own)
	if err := service.awaitAnswer(ctx, d.endpoint.own); err != nil {
		return nil, err
	}
	conn, err := d.dialAny(ctx)
	return conn, mapError(err)
}

// service is a podman service that this process has started, for whoever of
// this user comes next as well. It ends when nobody has needed it for a while.
type service struct {
	pid  int
	dead chan error
	// words is what it says, in a file without a name: it may outlive this
	// process, and then a pipe would break under it.
	words *os.File
}

// spawn starts a service that listens at socket, by socket activation: the
// socket takes connections from the first moment, so nobody has to watch for
// it, and the next service can take the path over from one that has ended.
func spawn(podman, socket string) (*service, error) {
	listener, err := listen(socket)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	words, err := unnamedFile()
	if err != nil {
		return nil, err
	}
	// LISTEN_PID must be the service's own, which only its shell knows.
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, podman, "system", "service", "--time="+serviceIdle)
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1")
	cmd.ExtraFiles = []*os.File{listener}
	cmd.Stdout, cmd.Stderr = words, words
	cmd.Dir = "/"
	// A session of its own: Ctrl-C at our terminal is none of its business.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		words.Close()
		return nil, err
	}
	s := &service{cmd.Process.Pid, make(chan error, 1), words}
	// It is reaped for as long as this process lives.
	go func() { s.dead <- cmd.Wait() }()
	return s, nil
}

// listen binds a socket beside path and then moves it there, so that path
// never names one that nobody listens on yet.
func listen(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	fresh := path + "." + strconv.Itoa(os.Getpid())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	if err := os.Rename(fresh, path); err != nil {
		return nil, errors.Join(err, os.Remove(fresh))
	}
	return l.File()
}

func unnamedFile() (*os.File, error) {
	f, err := os.CreateTemp("", "podman-service-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// awaitAnswer returns when the service answers, or with its last words.
func (s *service) awaitAnswer(ctx context.Context, socket string) error {
	defer s.words.Close()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://podman/_ping", nil)
	if err != nil {
		return mapError(err)
	}
	resp, err := transport.RoundTrip(req)
	if err == nil {
		return resp.Body.Close()
	}
	select {
	case exit := <-s.dead:
		err = fmt.Errorf("podman system service ends at once: %w: %s", exit, s.lastWords())
	case <-ctx.Done():
		err = fmt.Errorf("podman system service does not answer: %w", context.Cause(ctx))
	}
	return mapError(err)
}

// lastWords returns the end of what the service has said.
func (s *service) lastWords() string {
	text, err := tail(s.words)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(text)
}
