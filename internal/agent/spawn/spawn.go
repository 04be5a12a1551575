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
	reaper     reaper
	user, root runner // for code of ordinary users, and of root
	oomScore   []byte // of children; nil: the agent's
}

// runner runs forks on threads whose children are confined.
type runner interface {
	do(fork func()) error
	close()
}

// New returns a Spawner. As Init it fails when this process lacks the
// privileges to confine its children.
func New(o Options) (*Spawner, error) {
	if o.Init {
		return newInitSpawner()
	}
	// Confining may be beyond an ordinary user's rights, and beside the point
	// when code runs as that same user.
	user, err := newPool(2, func() error { _ = confineThread(0); return nil })
	if err != nil {
		return nil, err
	}
	root, err := newPool(1, func() error { _ = confineThread(rootCaps); return nil })
	if err != nil {
		return nil, err
	}
	return &Spawner{reaper: childReaper{}, user: user, root: root}, nil
}

func newInitSpawner() (*Spawner, error) {
	if err := unignoreSignals(); err != nil {
		return nil, err
	}
	// Before any thread is confined further: threads inherit from one another.
	root, err := newPool(1, func() error { return confineThread(rootCaps) })
	if err != nil {
		return nil, err
	}
	user, err := newInline()
	if err != nil {
		root.close()
		return nil, err
	}
	return &Spawner{reaper: newInitReaper(), user: user, root: root, oomScore: oomScore()}, nil
}

// Start starts a process. exited is called once, when it has ended and was
// reaped; it must not block. Errors are those of fork, chdir and execve.
func (s *Spawner) Start(spec *Spec, exited func(Exit)) (*Process, error) {
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
	run := s.user
	if spec.UID == 0 {
		run = s.root
	}
	var p *Process
	var err error
	if closed := run.do(func() { p, err = s.reaper.start(fork, exited) }); closed != nil {
		return nil, closed
	}
	if err == nil && s.oomScore != nil {
		sacrifice(p.PID, s.oomScore)
	}
	return p, err
}

// needsSwitch reports whether the process is to have another identity than
// this one. An agent that runs as an ordinary user starts its own user's
// processes without asking the kernel for what it would refuse.
func needsSwitch(spec *Spec) bool {
	return os.Geteuid() == 0 || int(spec.UID) != os.Geteuid() || int(spec.GID) != os.Getegid()
}

// Calm says that nothing has been started for a while.
func (s *Spawner) Calm() {
	if r, ok := s.reaper.(*initReaper); ok {
		poke(r.calm)
	}
}

// Close ends the threads. Processes live on and are still waited for.
func (s *Spawner) Close() {
	s.user.close()
	s.root.close()
}
