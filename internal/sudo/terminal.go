package sudo

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// lastWords is how long the terminal is read after the command has ended, where
// processes that it has left behind keep it open.
const lastWords = 100 * time.Millisecond

// interactive reports whether somebody types at the command: input and output
// are a terminal, in whose foreground this process is.
func interactive() bool {
	front, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	return err == nil && front == unix.Getpgrp() && term.IsTerminal(1)
}

// terminal is one of the command's own, behind the caller's.
type terminal struct {
	ours, theirs *os.File
	before       *term.State // of the caller's
	shown        chan struct{}
	resized      chan os.Signal
}

// openTerminal makes a terminal that is as the caller's, which from then on only
// passes bytes.
func openTerminal() (*terminal, error) {
	ours, theirs, err := pty.Open()
	if err != nil {
		return nil, err
	}
	t := &terminal{ours: ours, theirs: theirs, shown: make(chan struct{}), resized: make(chan os.Signal, 1)}
	if err := t.takeOver(); err != nil {
		return nil, errors.Join(err, ours.Close(), theirs.Close())
	}
	go func() { _, _ = io.Copy(ours, os.Stdin) }() // until this process ends
	go func() {
		defer close(t.shown)
		_, _ = io.Copy(os.Stdout, ours)
	}()
	signal.Notify(t.resized, unix.SIGWINCH)
	go func() {
		for range t.resized {
			_ = pty.InheritSize(os.Stdout, ours)
		}
	}()
	return t, nil
}

func (t *terminal) takeOver() error {
	settings, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetTermios(int(t.theirs.Fd()), unix.TCSETS, settings); err != nil {
		return err
	}
	if err := pty.InheritSize(os.Stdout, t.ours); err != nil {
		return err
	}
	t.before, err = term.MakeRaw(0)
	return err
}

// files are the command's. Errors that go elsewhere still go there.
func (t *terminal) files() [3]int {
	fd := int(t.theirs.Fd())
	files := [3]int{fd, fd, fd}
	if !term.IsTerminal(2) {
		files[2] = 2
	}
	return files
}

// close shows the rest of what the command has written, and gives the caller's
// terminal back as it was.
func (t *terminal) close() {
	t.theirs.Close()
	_ = t.ours.SetReadDeadline(time.Now().Add(lastWords))
	<-t.shown
	signal.Stop(t.resized)
	_ = term.Restore(0, t.before)
}
