// Qs-agent is the first process of a sandbox. It serves the agent's API on a
// socket in a directory shared with the host, until it is told to stop or the
// sandbox's time is up.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quixand/quixand/internal/agent"
	"github.com/quixand/quixand/internal/agent/spawn"
	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/bridge"
	"github.com/quixand/quixand/internal/rebind"
	"github.com/quixand/quixand/internal/sudo"
	"github.com/quixand/quixand/internal/version"
)

// Exit codes. The engine shows them when the sandbox is gone.
const (
	exitStopped  = 0                     // told to stop
	exitError    = 1                     // could not start, or could not go on
	exitUsage    = 2                     // wrong flags
	exitDeadline = agentapi.ExitDeadline // idle for too long, at the end of the lifetime or abandoned, as timeout(1) has it
)

// maxProcs is how many processors the agent uses at most.
const maxProcs = 4

func main() {
	if filepath.Base(os.Args[0]) == sudo.Name {
		os.Exit(sudo.Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(run(os.Args[1:], os.Stderr))
}

func run(args []string, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case rebind.Verb:
			return report(rebind.Main(args[1:]), stderr)
		case bridge.Verb:
			return report(serveBridge(), stderr)
		case agentapi.VerbEmpty:
			return report(empty(args[1:]), stderr)
		}
	}
	cfg, socketDir, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitStopped
	}
	if err != nil {
		return exitUsage
	}
	err = serve(cfg, socketDir)
	if err != nil {
		fmt.Fprintf(stderr, "qs-agent: %v\n", err)
	}
	return exitCode(err)
}

// report is the end of a verb that is not for the sandbox: the host runs this
// binary for it.
func report(err error, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintf(stderr, "qs-agent: %v\n", err)
		return exitError
	}
	return exitStopped
}

// serveBridge leads from the engine's exec to the agent. It gives up what the
// engine gave it to become as closed to the sandbox as the agent itself.
func serveBridge() error {
	if err := spawn.ConfineSelf(); err != nil {
		return err
	}
	stdio := bridge.Stdio{ReadCloser: os.Stdin, WriteCloser: os.Stdout}
	return bridge.Serve(stdio, bridge.Socket(agentapi.SocketDir, agentapi.SocketName))
}

// empty removes all that is in directories.
func empty(dirs []string) error {
	var errs []error
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		errs = append(errs, err)
		for _, e := range entries {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitStopped
	case agent.IsDeadline(err):
		return exitDeadline
	}
	return exitError
}

func parse(args []string, stderr io.Writer) (cfg agent.Config, socketDir string, err error) {
	flags := flag.NewFlagSet("qs-agent", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.ID, "id", "", "sandbox `ID`")
	flags.StringVar(&socketDir, "socket-dir", agentapi.SocketDir, "`directory` for the socket, shared with the host")
	flags.StringVar(&cfg.User, "user", strconv.Itoa(agentapi.DefaultUID), "`name` or uid of the user that code runs as")
	flags.StringVar(&cfg.Home, "home", "", "home `directory` of that user, instead of the one in passwd")
	flags.StringVar(&cfg.Workdir, "workdir", agentapi.DefaultWorkdir, "`directory` where commands start; created when missing")
	flags.DurationVar(&cfg.IdleTimeout, "idle-timeout", 5*time.Minute, "end when idle for so long; negative: never")
	flags.BoolVar(&cfg.FixedTimeout, "fixed-timeout", false, "count the idle timeout from the start, or the last call that sets it, whatever goes on")
	flags.DurationVar(&cfg.Lifetime, "lifetime", -1, "end after so long; negative: never")
	flags.BoolVar(&cfg.Lease, "lease", false, "end when nobody has held a lease on the sandbox for a few seconds")
	flags.Func("enforcers", "`names` of who ends the sandbox when its time is up, with commas; without agent it only keeps the time", func(s string) error {
		cfg.Enforcers = strings.Split(s, ",")
		return nil
	})
	flags.StringVar(&cfg.OnTimeout, "on-timeout", "kill", "`action` when idle; pause leaves it to the host")
	flags.BoolVar(&cfg.Sudo, "sudo", false, "let that user's code run commands as other users, root included")
	flags.BoolVar(&cfg.Init, "init", os.Getpid() == 1, "be the init of a sandbox; the default when started as process 1")
	flags.Func("block-address", "`address` that the sandbox must not reach; repeatable", func(s string) error {
		addr, err := netip.ParseAddr(s)
		cfg.BlockAddresses = append(cfg.BlockAddresses, addr)
		return err
	})
	flags.BoolVar(&cfg.BlockNetwork, "block-network", false, "keep the sandbox from who else is in its networks")
	cfg.Version = version.String()
	if err := flags.Parse(args); err != nil {
		return cfg, "", err
	}
	if flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
		fmt.Fprintf(stderr, "qs-agent: %v\n", err)
	}
	return cfg, socketDir, err
}

func serve(cfg agent.Config, socketDir string) error {
	// The usual one, for all that commands create, whatever the engine's is.
	syscall.Umask(0o022)
	// An agent waits more than it works. On a large host its threads would
	// otherwise be woken to look for work that is not there.
	runtime.GOMAXPROCS(min(runtime.NumCPU(), maxProcs))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	a, err := agent.New(cfg)
	if err != nil {
		return err
	}
	l, err := agent.Listen(socketDir)
	if err != nil {
		return err
	}
	go renewOnSignal(l)
	err = a.Serve(ctx, l)
	// Where it cannot be left, because the directory is gone, the exit code
	// still tells most of it.
	_ = agent.WriteEnd(socketDir, a.End(err, exitCode(err)))
	if cfg.Init {
		return err // the kernel ends a sandbox with its first process
	}
	return errors.Join(err, a.Close())
}

// renewOnSignal makes the socket anew when the host says that it has lost it.
func renewOnSignal(l *agent.Listener) {
	lost := make(chan os.Signal, 1)
	signal.Notify(lost, rebind.Signal)
	for range lost {
		if err := l.Renew(); err != nil {
			fmt.Fprintf(os.Stderr, "qs-agent: make the socket anew: %v\n", err)
		}
	}
}
