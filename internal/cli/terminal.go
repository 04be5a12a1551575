package cli

import (
	"context"
	"io"
	"maps"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/quixand/quixand/pkg/quixand"
)

// checkTerminal refuses to begin a terminal session that nobody could type in.
func (a *App) checkTerminal(interactive bool) error {
	if _, ok := terminalFD(a.Stdin); interactive && !ok {
		return &usageError{
			msg:  "standard input is not a terminal",
			hint: "a command that needs no terminal takes it as it is: qs exec -i ID COMMAND",
		}
	}
	return nil
}

// runOnTerminal runs a command on a terminal inside that mirrors the user's,
// byte by byte in both directions, and returns the command's status.
func (a *App) runOnTerminal(ctx context.Context, sb *quixand.Sandbox, opts *quixand.PTYOptions, interactive bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	opts.Env = withTerm(opts.Env, a.Getenv("TERM"))
	opts.Cols, opts.Rows = a.terminalSize()
	pty, err := sb.PTY(ctx, opts)
	if err != nil {
		return &invocation{err}
	}
	defer pty.Close()
	defer a.followSize(ctx, pty)()
	if interactive {
		restore, err := a.makeRaw()
		if err != nil {
			return err
		}
		defer restore()
		go keyboard(a.Stdin, pty, cancel)
	}
	if _, err := io.Copy(a.Stdout, pty); err != nil {
		return causeOf(ctx, err)
	}
	res, err := pty.Wait(ctx)
	if err != nil {
		return causeOf(ctx, err)
	}
	return resultStatus(res)
}

// causeOf prefers the reason for which a session was ended to what that led to.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// withTerm tells the command what kind of terminal it writes to.
func withTerm(env map[string]string, kind string) map[string]string {
	if kind == "" {
		return env
	}
	with := map[string]string{"TERM": kind}
	maps.Copy(with, env)
	return with
}

// makeRaw hands every key to the sandbox. The result gives the terminal back
// as it was, whatever ended the session; answers to what the sandbox asked of
// the terminal in its last moments are thrown away, lest the user's own shell
// takes them for typing.
func (a *App) makeRaw() (restore func(), err error) {
	fd, ok := terminalFD(a.Stdin)
	if !ok {
		return func() {}, nil
	}
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return func() {
		_ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH)
		_ = term.Restore(fd, state)
	}, nil
}

// terminalSize is the size of the user's terminal, or zeros.
func (a *App) terminalSize() (cols, rows int) {
	for _, stream := range []any{a.Stdin, a.Stdout, a.Stderr} {
		if fd, ok := terminalFD(stream); ok {
			if cols, rows, err := term.GetSize(fd); err == nil {
				return cols, rows
			}
		}
	}
	return 0, 0
}

// followSize gives the terminal inside the size of the user's, whenever that
// changes, until the result is called.
func (a *App) followSize(ctx context.Context, pty *quixand.PTY) (stop func()) {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	var done sync.WaitGroup
	done.Go(func() {
		for range resized {
			if cols, rows := a.terminalSize(); cols > 0 {
				_ = pty.Resize(ctx, cols, rows) // cosmetic; a dead session ends elsewhere
			}
		}
	})
	return func() {
		signal.Stop(resized)
		close(resized)
		done.Wait()
	}
}
