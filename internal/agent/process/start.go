package process

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/output"
	"github.com/quixand/quixand/internal/agent/spawn"
	pb "github.com/quixand/quixand/internal/envd/process"
)

// start runs what a request asks for. The subscription that it returns misses
// nothing of the output. A command that cannot be run gives a process that
// has already ended.
func (s *Service) start(req *pb.StartRequest, u identity.User) (*proc, *output.Subscription, error) {
	p := &proc{
		config:   req.GetProcess(),
		tag:      req.Tag,
		out:      output.NewRing(s.budget),
		finished: s.finished,
		ended:    make(chan struct{}),
	}
	p.journal = s.journal.Process(commandLine(p.config))
	p.out.Tap(func(stream output.Stream, bytes []byte) { p.journal.Wrote(streamNames[stream], bytes) })
	sub := p.out.Subscribe(0)
	spec, err := s.spec(req, u)
	if err == nil {
		err = s.run(p, spec, req)
	}
	if cannot, ok := errors.AsType[*cannotRun](err); ok {
		s.stillborn(p, cannot)
		err = nil
	}
	if err != nil {
		sub.Close()
		p.out.Close()
		p.out.Drop()
		return nil, nil, startError(err)
	}
	return p, sub, nil
}

// spec describes the process but for its files.
func (s *Service) spec(req *pb.StartRequest, u identity.User) (*spawn.Spec, error) {
	config := req.GetProcess()
	if err := checkCommand(config, req.GetTag()); err != nil {
		return nil, err
	}
	dir, err := u.Path(config.GetCwd())
	if err != nil {
		return nil, fmt.Errorf("cwd: %w", err)
	}
	if err := CheckDir(dir, u); err != nil {
		return nil, err
	}
	vars, err := s.env.For(u, config.GetEnvs())
	if err != nil {
		return nil, err
	}
	if _, ok := vars["TERM"]; req.GetPty() != nil && !ok {
		vars["TERM"] = "xterm-256color"
	}
	path, err := Lookup(config.GetCmd(), vars["PATH"], dir, u)
	if err != nil {
		return nil, err
	}
	return &spawn.Spec{
		Path: path,
		Args: append([]string{config.GetCmd()}, config.GetArgs()...),
		Env:  vars.List(), Dir: dir,
		UID: u.UID, GID: u.GID, Groups: u.Groups,
	}, nil
}

// streamNames are the words of the journal.
var streamNames = map[output.Stream]string{output.Stdout: "stdout", output.Stderr: "stderr", output.Terminal: "pty"}

// commandLine is what the journal tells of a command.
func commandLine(config *pb.ProcessConfig) string {
	return strings.Join(append([]string{config.GetCmd()}, config.GetArgs()...), " ")
}

func checkCommand(config *pb.ProcessConfig, tag string) error {
	if config.GetCmd() == "" {
		return errors.New("no command given")
	}
	hasNUL := func(s string) bool { return strings.IndexByte(s, 0) >= 0 }
	if hasNUL(config.GetCmd()) || hasNUL(tag) || slices.ContainsFunc(config.GetArgs(), hasNUL) {
		return errors.New("command, arguments and tag cannot contain a NUL byte")
	}
	return nil
}

// stillborn ends a process that never was, the way a shell would have.
func (s *Service) stillborn(p *proc, why *cannotRun) {
	p.pending.Store(1)
	s.table.add(p)
	p.out.Write(output.Stderr, []byte(why.text+"\n"))
	p.leaderExited(spawn.ExitWith(why.code))
}

// run makes the files, starts the process and the pumps.
func (s *Service) run(p *proc, spec *spawn.Spec, req *pb.StartRequest) error {
	files, err := s.open(p, spec, req)
	if err != nil {
		p.closeFiles()
		return err
	}
	defer files.close()
	spec.Files = files.fds
	// The leader may have ended before Start returns: one part is held back
	// until the process is known.
	p.pending.Store(int32(1 + len(p.pipes) + 1))
	leader, err := s.spawner.Start(spec, p.leaderExited)
	if err != nil {
		p.closeFiles()
		return execError(spec.Args[0], err)
	}
	p.started(leader)
	s.table.add(p)
	if p.tty != nil {
		p.pump(p.pipes[0])
	}
	p.partEnded()
	return nil
}

// childFiles are the ends of the pipes that the process gets.
type childFiles struct {
	fds  [3]int
	ours []int // to close once the process has them
}

func (f *childFiles) close() {
	for _, fd := range f.ours {
		unix.Close(fd)
	}
	f.ours = nil
}

func (s *Service) open(p *proc, spec *spawn.Spec, req *pb.StartRequest) (*childFiles, error) {
	if req.GetPty() != nil {
		return openTerminal(p, spec, req.GetPty().GetSize())
	}
	return s.openPipes(p, req.Stdin == nil || req.GetStdin())
}

func (s *Service) openPipes(p *proc, stdin bool) (*childFiles, error) {
	f := &childFiles{fds: [3]int{int(s.null.Fd()), -1, -1}}
	if err := f.openPipes(p, stdin); err != nil {
		f.close()
		return nil, err
	}
	p.bare = p.pipes
	return f, nil
}

func (f *childFiles) openPipes(p *proc, stdin bool) error {
	if stdin {
		w, err := f.pipe(0)
		if err != nil {
			return err
		}
		p.stdin = newInput(os.NewFile(uintptr(w), "pipe"))
	}
	for i, stream := range []output.Stream{output.Stdout, output.Stderr} {
		r, err := f.pipe(1 + i)
		if err != nil {
			return err
		}
		p.pipes = append(p.pipes, &pipe{stream: stream, fd: r})
	}
	return nil
}

// pipe makes a pipe for the process's descriptor i. Our end of it is
// non-blocking, so that the runtime's poller waits on it; the process's is
// not, since programs do not expect that.
func (f *childFiles) pipe(i int) (fd int, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return -1, err
	}
	ours, theirs := ends[0], ends[1]
	if i == 0 {
		ours, theirs = theirs, ours
	}
	f.fds[i] = theirs
	f.ours = append(f.ours, theirs)
	if err := unix.SetNonblock(ours, true); err != nil {
		unix.Close(ours)
		return -1, err
	}
	return ours, nil
}

func openTerminal(p *proc, spec *spawn.Spec, size *pb.PTY_Size) (*childFiles, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("open a terminal: %w", err)
	}
	defer slave.Close()
	p.tty, p.stdin = master, newInput(master)
	p.pipes = []*pipe{{stream: output.Terminal, file: master, fd: -1}}
	if err := p.resize(size); err != nil {
		return nil, fmt.Errorf("set the terminal's size: %w", err)
	}
	// Programs like script(1) open their terminal by its name.
	if os.Geteuid() == 0 {
		if err := slave.Chown(int(spec.UID), -1); err != nil {
			return nil, fmt.Errorf("give the terminal to the user: %w", err)
		}
	}
	fd, err := unix.FcntlInt(slave.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	spec.TTY = true
	return &childFiles{fds: [3]int{fd, fd, fd}, ours: []int{fd}}, nil
}

// closeFiles undoes open when there is no process to use the files.
func (p *proc) closeFiles() {
	if p.stdin != nil {
		p.stdin.close()
	}
	for _, pipe := range p.pipes {
		pipe.close()
	}
	p.stdin, p.tty, p.pipes, p.bare = nil, nil, nil, nil
}

// startError is the one table from a failed start to what the caller hears.
func startError(err error) error {
	code := connect.CodeInvalidArgument
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOMEM),
		errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOSPC):
		code = connect.CodeResourceExhausted
		err = fmt.Errorf("the sandbox cannot start another process: %w", err)
	case errors.Is(err, unix.EPERM):
		code = connect.CodePermissionDenied
	case errors.Is(err, spawn.ErrClosed):
		code = connect.CodeUnavailable
	}
	return connect.NewError(code, err)
}
