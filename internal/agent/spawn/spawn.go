// Package spawn starts processes for code that nobody has read, and waits for
// them. A process gets the identity it is given, an empty capability bounding
// set, no_new_privs and a process group of its own. Package process decides
// what to run; this one only knows how.
//
// Two things here go beyond os/exec. Forks happen on threads that have given
// up, once and for ever, what children must not inherit, so confinement costs
// nothing per process. And as PID 1 the package reaps every orphan of the
// sandbox without racing the waits for its own children.
package spawn

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// Spec describes a process to start.
type Spec struct {
	Path  string   // of the executable, as execve takes it
	Args  []string // including the zeroth
	Env   []string
	Dir   string
	Files [3]int // stdin, stdout, stderr; they stay the caller's
	TTY   bool   // Files are a terminal: make it the controlling one

	UID, GID uint32
	Groups   []uint32
}

// Options configures a [Spawner].
type Options struct {
	// Init says that this process is PID 1 of a sandbox: orphans are reaped,
	// and a process that cannot be confined is not started.
	Init bool
}

// ErrClosed is returned by Start after Close.
var ErrClosed = errors.New("spawner is closed")

// Spawner starts processes. It is safe for concurrent use.
type Spawner struct {
	reaper reaper
	user   func() (*pool, error)
	root   func() (*pool, error)

	mu     sync.Mutex
	pools  []*pool
	closed bool
}

// threads is how many forks can happen at once. A fork holds its thread until
// the child has executed, about half a millisecond of waiting for the kernel.
const threads = 2

// New returns a Spawner. As Init it fails when this process lacks the
// privileges to confine its children.
func New(o Options) (*Spawner, error) {
	s := &Spawner{}
	s.user = sync.OnceValues(func() (*pool, error) { return s.newPool(0, o.Init) })
	s.root = sync.OnceValues(func() (*pool, error) { return s.newPool(rootCaps, o.Init) })
	if _, err := s.user(); err != nil {
		s.Close()
		return nil, err
	}
	if o.Init {
		s.reaper = newInitReaper()
	} else {
		s.reaper = newChildReaper()
	}
	return s, nil
}

func (s *Spawner) newPool(keep capSet, strict bool) (*pool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	p, err := newPool(threads, func() error {
		err := confineThread(keep)
		if strict {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.pools = append(s.pools, p)
	return p, nil
}

// Start starts a process. exited is called once, when it has ended and was
// reaped; it must not block. Errors are those of fork, chdir and execve.
func (s *Spawner) Start(spec *Spec, exited func(Exit)) (*Process, error) {
	pool, err := s.pool(spec.UID)
	if err != nil {
		return nil, err
	}
	attr := &syscall.ProcAttr{
		Dir:   spec.Dir,
		Env:   spec.Env,
		Files: []uintptr{uintptr(spec.Files[0]), uintptr(spec.Files[1]), uintptr(spec.Files[2])},
		Sys:   &syscall.SysProcAttr{Setpgid: !spec.TTY, Setsid: spec.TTY, Setctty: spec.TTY},
	}
	if needsSwitch(spec) {
		attr.Sys.Credential = &syscall.Credential{Uid: spec.UID, Gid: spec.GID, Groups: spec.Groups}
	}
	fork := func() (int, error) { return syscall.ForkExec(spec.Path, spec.Args, attr) }
	var p *Process
	poolErr := pool.do(func() { p, err = s.reaper.start(fork, exited) })
	if poolErr != nil {
		return nil, poolErr
	}
	return p, err
}

func (s *Spawner) pool(uid uint32) (*pool, error) {
	if uid == 0 {
		return s.root()
	}
	return s.user()
}

// needsSwitch reports whether the process is to have another identity than
// this one. An agent that runs as an ordinary user starts its own user's
// processes without asking the kernel for what it would refuse.
func needsSwitch(spec *Spec) bool {
	return os.Geteuid() == 0 || int(spec.UID) != os.Geteuid() || int(spec.GID) != os.Getegid()
}

// Close ends the threads. Processes live on and are still waited for.
func (s *Spawner) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, p := range s.pools {
		p.close()
	}
	s.pools = nil
}
