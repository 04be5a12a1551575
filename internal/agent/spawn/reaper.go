package spawn

import (
	"os"
	"os/signal"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reaper runs forks and waits for what they start. start is called on the
// thread that forks.
type reaper interface {
	start(fork func() (int, error), exited func(Exit)) (*Process, error)
}

// childReaper waits for its own children and for nothing else, as a package
// inside somebody else's process must. A pidfd makes the wait an event of the
// runtime's poller: no thread is held.
type childReaper struct{}

func (childReaper) start(fork func() (int, error), exited func(Exit)) (*Process, error) {
	pid, err := fork()
	if err != nil {
		return nil, err
	}
	p := &Process{PID: pid, exited: exited}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		go p.waitBlocking()
		return p, nil
	}
	go p.waitPolling(os.NewFile(uintptr(fd), "pidfd"))
	return p, nil
}

func (p *Process) waitPolling(f *os.File) {
	defer f.Close()
	conn, err := f.SyscallConn()
	if err == nil {
		err = conn.Read(func(fd uintptr) bool {
			return unix.Waitid(unix.P_PIDFD, int(fd), nil, unix.WEXITED|unix.WNOWAIT, nil) != unix.EAGAIN
		})
	}
	if err != nil {
		p.waitBlocking()
		return
	}
	p.reap()
}

func (p *Process) waitBlocking() {
	for unix.Waitid(unix.P_PID, p.PID, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	p.reap()
}

// initReaper waits for every child there is, orphans of the sandbox included,
// with one blocking call on one thread.
type initReaper struct {
	// forks is held for reading from a fork to its registration. A zombie
	// that is not registered is an orphan once forks was held for writing.
	forks sync.RWMutex

	mu    sync.Mutex
	procs map[int]*Process

	// Each has room for one.
	forked  chan struct{} // there may be children again
	calm    chan struct{} // see Spawner.Calm
	orphans chan os.Signal
}

func newInitReaper() *initReaper {
	r := &initReaper{
		procs:   make(map[int]*Process),
		forked:  make(chan struct{}, 1),
		calm:    make(chan struct{}, 1),
		orphans: make(chan os.Signal, 1),
	}
	signal.Notify(r.orphans, unix.SIGCHLD)
	go r.loop()
	return r
}

func (r *initReaper) start(fork func() (int, error), exited func(Exit)) (*Process, error) {
	r.forks.RLock()
	defer r.forks.RUnlock()
	pid, err := fork()
	if err != nil {
		return nil, err
	}
	p := &Process{PID: pid, exited: exited}
	r.mu.Lock()
	r.procs[pid] = p
	r.mu.Unlock()
	poke(r.forked)
	return p, nil
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (r *initReaper) loop() {
	for {
		// WNOWAIT leaves the zombie, so that its number stays taken until we
		// know whose it is.
		pid, err := waitAny()
		if err == nil {
			r.reap(pid)
		} else {
			r.pause()
		}
	}
}

// pause waits until there may be children again. Nearly always that takes a
// fork. But the engine, too, can put processes into the sandbox, and leave
// their orphans to us: while it is calm, the kernel's signal tells of those. At
// other times the signal would wake one more thread at the end of each command.
func (r *initReaper) pause() {
	select {
	case <-r.forked:
		signal.Stop(r.orphans)
	case <-r.calm:
		signal.Notify(r.orphans, unix.SIGCHLD)
	case <-r.orphans:
	}
}

func (r *initReaper) reap(pid int) {
	p := r.take(pid)
	if p == nil {
		r.forks.Lock()
		p = r.take(pid)
		r.forks.Unlock()
	}
	if p != nil {
		p.reap()
		return
	}
	// An orphan, or the child of a fork whose execve failed: syscall.ForkExec
	// waits for that one, and by now has.
	_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
}

func (r *initReaper) take(pid int) *Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.procs[pid]
	delete(r.procs, pid)
	return p
}

// waitInfo is the part of siginfo_t that waitid(2) fills in.
type waitInfo struct {
	signo, errno, code int32
	_                  [0]uintptr // the kernel aligns the rest like a pointer
	pid                int32
	_                  [unix.SizeofPtr + 120]byte
}

// waitAny blocks until a child is a zombie and returns its number.
func waitAny() (int, error) {
	var info waitInfo
	for {
		err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return int(info.pid), err
		}
	}
}
