// Package elevate starts commands for sudo: in sandboxes that were created so,
// the code of the default user may run commands as any other user, root above
// all. Root is then what it is for callers of the agent's, with the few
// capabilities that package spawn leaves it.
//
// Who asks is known from the kernel. What is asked is hostile: its size, its
// time and its number are bounded, and a command ends with the front that has
// asked for it (package sudo).
package elevate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/spawn"
	"github.com/quixand/quixand/internal/sudo"
)

const (
	// maxRunning is how many commands there can be at a time, and maxReading how
	// many requests are read at a time: each may take a few megabytes.
	maxRunning = 256
	maxReading = 4
	// readTimeout is what a front has to say all that it wants, and to be told.
	readTimeout = 5 * time.Second
	// grace is what a command has after the end of its front.
	grace = 2 * time.Second
)

// Options say with what commands are started.
type Options struct {
	Spawner *spawn.Spawner
	Users   *identity.Directory
	Begin   func() (end func()) // reports a command as activity
	Socket  string              // empty is [sudo.Socket]
}

// Service starts commands for fronts.
type Service struct {
	o        Options
	listener *net.UnixListener
	running  chan struct{}
	reading  chan struct{}
	closing  chan struct{}
	calls    sync.WaitGroup
}

// New returns a Service that has begun to serve.
func New(o Options) (*Service, error) {
	if o.Socket == "" {
		o.Socket = sudo.Socket
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: o.Socket, Net: "unix"})
	if err != nil {
		return nil, err
	}
	s := &Service{
		o: o, listener: l, running: make(chan struct{}, maxRunning), reading: make(chan struct{}, maxReading),
		closing: make(chan struct{}),
	}
	s.calls.Go(s.accept)
	return s, nil
}

// Close ends the commands, and waits for them. A nil Service has none.
func (s *Service) Close() {
	if s == nil {
		return
	}
	s.listener.Close()
	close(s.closing)
	s.calls.Wait()
}

func (s *Service) accept() {
	for {
		conn, err := s.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors; nothing tells when there are some
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.calls.Go(func() {
			defer conn.Close()
			answer := s.serve(conn)
			_ = conn.SetWriteDeadline(time.Now().Add(readTimeout))
			_ = json.NewEncoder(conn).Encode(answer)
		})
	}
}

// serve does what one front asks for.
func (s *Service) serve(conn *net.UnixConn) sudo.Answer {
	caller, err := peer(conn)
	if err != nil {
		return failed(err)
	}
	if caller != 0 && caller != s.o.Users.Default().UID {
		return failed(fmt.Errorf("%s may not become another user", s.o.Users.UserName(caller)))
	}
	select {
	case s.running <- struct{}{}:
		defer func() { <-s.running }()
	default:
		return failed(fmt.Errorf("there are %d commands already", maxRunning))
	}
	req, files, err := s.receive(conn)
	if err != nil {
		return failed(err)
	}
	p, exited, err := s.start(req, files, caller)
	if err != nil || p == nil {
		return failed(err)
	}
	defer s.o.Begin()()
	return answerOf(s.attend(conn, p, exited))
}

func failed(err error) (a sudo.Answer) {
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func answerOf(e spawn.Exit) sudo.Answer {
	if sig := e.Signal(); sig != 0 {
		return sudo.Answer{Signal: sig}
	}
	return sudo.Answer{Exit: e.Code()}
}

// peer is the user who has connected.
func peer(conn *net.UnixConn) (uid uint32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var failure error
	err = raw.Control(func(fd uintptr) { cred, failure = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, failure); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

func (s *Service) receive(conn *net.UnixConn) (*sudo.Request, [3]int, error) {
	deadline := time.Now().Add(readTimeout)
	_ = conn.SetReadDeadline(deadline)
	defer conn.SetReadDeadline(time.Time{}) //nolint:errcheck // it was set before
	s.reading <- struct{}{}
	defer func() { <-s.reading }()
	return sudo.Receive(conn)
}

// start starts what a request asks for, unless it is nothing.
func (s *Service) start(req *sudo.Request, files [3]int, caller uint32) (*spawn.Process, <-chan spawn.Exit, error) {
	defer func() {
		for _, fd := range files {
			unix.Close(fd)
		}
	}()
	spec, err := s.spec(req, caller)
	if err != nil || spec == nil {
		return nil, nil, err
	}
	spec.Files = files
	exited := make(chan spawn.Exit, 1)
	p, err := s.o.Spawner.Start(spec, func(e spawn.Exit) { exited <- e })
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", spec.Args[0], err)
	}
	return p, exited, nil
}

// attend passes signals on until the command ends, and ends it with its front.
func (s *Service) attend(conn *net.UnixConn, p *spawn.Process, exited <-chan spawn.Exit) spawn.Exit {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		var sig [1]byte
		for {
			if _, err := conn.Read(sig[:]); err != nil {
				return
			}
			_ = p.SignalGroup(syscall.Signal(sig[0])) // one that does not exist does nothing
		}
	}()
	select {
	case e := <-exited:
		return e
	case <-gone:
	case <-s.closing:
	}
	_ = p.SignalGroup(unix.SIGHUP)
	_ = p.SignalGroup(unix.SIGCONT)
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case e := <-exited:
		return e
	case <-patience.C:
	case <-s.closing:
	}
	_ = p.SignalGroup(unix.SIGKILL)
	return <-exited
}
