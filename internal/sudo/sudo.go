// Package sudo is the command of that name in sandboxes that have one: a front
// of the agent, which starts the command as another user. No process in a
// sandbox can gain privileges, so nothing here has any; package elevate decides
// who may, and does it.
//
// The command gets the caller's own standard input, output and error, and so
// there is nothing to copy. Only where both ends are a terminal, it gets one of
// its own, because a terminal controls the processes of one session alone.
package sudo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/version"
)

// Name is what the program is called, and what its first argument ends with.
const Name = "sudo"

// exitFailed is sudo's exit code for all failures of its own.
const exitFailed = 1

// Main is the command. It returns the exit code, or does not return where a
// signal has ended what it ran: then it ends by the same.
func Main(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if err != nil {
		return complain(stderr, err)
	}
	switch {
	case o.help:
		_, _ = io.WriteString(stdout, usage)
		return 0
	case o.version:
		_, _ = fmt.Fprintf(stdout, "sudo of Quixand %s\n", version.String())
		return 0
	case o.forget && len(o.command) == 0 && !o.login && !o.shell:
		return 0
	}
	answer, err := run(Socket, o.request(os.Environ()))
	switch {
	case err != nil:
		return complain(stderr, err)
	case answer.Error != "":
		return complain(stderr, errors.New(answer.Error))
	case answer.Signal != 0:
		endBy(answer.Signal)
	}
	return answer.Exit
}

func complain(stderr io.Writer, err error) int {
	misused, ok := errors.AsType[usageError](err)
	if !ok || misused != "" {
		_, _ = fmt.Fprintf(stderr, "sudo: %v\n", err)
	}
	if ok {
		_, _ = io.WriteString(stderr, usage)
	}
	return exitFailed
}

// endBy ends this process by a signal, without a core of its own.
func endBy(sig syscall.Signal) {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	signal.Reset(sig)
	_ = unix.Kill(os.Getpid(), sig)
	select {} // the signal may be on its way to another thread
}

// run asks for a command and waits for its end.
func run(socket string, r *Request) (*Answer, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, errors.New("nobody becomes another user here: the sandbox was created without sudo")
	}
	defer conn.Close()
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, forwarded...)
	files := [3]int{0, 1, 2}
	r.TTY = interactive()
	body, err := r.encode()
	if err != nil {
		return nil, err
	}
	if r.TTY {
		t, err := openTerminal()
		if err != nil {
			return nil, fmt.Errorf("terminal: %w", err)
		}
		defer t.close()
		files = t.files()
	}
	// Who may not is told so before they have asked.
	unsent := send(conn, body, files)
	if unsent == nil {
		go forward(signals, conn)
	}
	answer := new(Answer)
	if err := json.NewDecoder(conn).Decode(answer); err != nil {
		return nil, fmt.Errorf("the agent does not answer: %w", errors.Join(unsent, err))
	}
	return answer, nil
}

// forwarded are the signals that are meant for the command. It is in a group of
// its own, which no terminal of the caller's reaches.
var forwarded = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGCONT,
}

func forward(signals <-chan os.Signal, conn io.Writer) {
	for s := range signals {
		if _, err := conn.Write([]byte{byte(s.(syscall.Signal))}); err != nil {
			return
		}
	}
}
