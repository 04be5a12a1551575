// Package cli is the qs command: flags in, one call of pkg/quixand, result
// out. It knows no engine; cmd/qs links the adapters.
//
// Each verb is one file: an options struct, a constructor that turns flags into
// options, and a run method that does the work and reads no flag. What the
// verbs see of the world is an [App], so that a test can run any of them in its
// own process.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/quixand"
)

// App is one run of qs: the world as the verbs see it, and the flags that
// all of them have.
type App struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	Now    func() time.Time
	// Self is the path of this program, for systemd to start it later; empty
	// leaves that to be looked for.
	Self func() string
	// Open makes the client at a verb's first need of it, so that help
	// and completion cost nothing.
	Open func(*quixand.Config) (*quixand.Client, error)

	global     globalFlags
	verb       string // as it was typed: qs kill
	stays      bool   // the verb serves until it is told to stop
	opened     *quixand.Client
	interrupts *interrupts
}

// New returns an App on this process's streams, environment and clock.
func New() *App {
	return &App{
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Getenv: os.Getenv,
		Now:    time.Now,
		Self:   self,
		Open:   quixand.New,
	}
}

// self leaves the choice to a user who has made one.
func self() string {
	path, err := os.Executable()
	if err != nil || os.Getenv("QS_BIN") != "" {
		return ""
	}
	return path
}

// Main runs qs with the arguments, without the program's name, and returns its
// exit code.
func (a *App) Main(args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			a.printf("qs: this is a bug of qs, please report it: %s\n", termsafe.Line(fmt.Sprint(p)))
			code = exitError
		}
	}()
	ctx, stop := a.catchSignals(context.Background())
	defer stop()
	root := newRootCmd(a)
	root.SetArgs(args)
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if a.opened != nil {
		a.opened.Close()
	}
	return a.report(cmd, err)
}

// client opens the client once.
func (a *App) client() (*quixand.Client, error) {
	if a.opened != nil {
		return a.opened, nil
	}
	logger, err := a.logger()
	if err != nil {
		return nil, err
	}
	a.opened, err = a.Open(&quixand.Config{
		Adapter: a.global.adapter,
		Root:    a.global.root,
		Name:    a.verb,
		QSPath:  a.Self(),
		OneShot: !a.stays,
		Logger:  logger,
	})
	return a.opened, err
}

// connect finds the running sandbox that an id or prefix names.
func (a *App) connect(ctx context.Context, id string) (*quixand.Sandbox, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	return c.Connect(ctx, id)
}

func (a *App) logger() (hclog.Logger, error) {
	level := hclog.LevelFromString(a.global.logLevel)
	if level == hclog.NoLevel {
		return nil, usagef("--log-level %q: must be trace, debug, info, warn, error or off", a.global.logLevel)
	}
	return hclog.New(&hclog.LoggerOptions{
		Name:       "qs",
		Level:      level,
		Output:     termsafe.NewWriter(a.Stderr),
		JSONFormat: a.Getenv("QS_LOG_FORMAT") == "json",
		TimeFn:     a.Now,
	}), nil
}

// globalFlags are the flags of every verb.
type globalFlags struct {
	adapter  string
	root     string
	logLevel string
	json     bool
}

func (g *globalFlags) add(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&g.adapter, "adapter", "", "engine's adapter: podman, docker or remote (default $QS_ADAPTER, or what is here)")
	f.StringVar(&g.root, "root", "", "directory whose sandboxes are meant (default $QS_ROOT, or ~/.quixand)")
	f.StringVar(&g.logLevel, "log-level", "warn", "log to standard error: trace, debug, info, warn, error or off")
	f.BoolVar(&g.json, "json", false, "print results, and errors, as JSON")
}

// printf tells the user something on standard error.
func (a *App) printf(format string, args ...any) {
	fmt.Fprint(a.Stderr, termsafe.Text(fmt.Sprintf(format, args...)))
}
