package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/pkg/quixand"
)

// commandFlags say how a command runs in a sandbox, for exec and run.
type commandFlags struct {
	interactive bool
	tty         bool
	env         map[string]string
	workdir     string
	user        string
	timeout     time.Duration
}

func (c *commandFlags) add(f *pflag.FlagSet) {
	f.BoolVarP(&c.interactive, "interactive", "i", false, "pass standard input although it is a terminal")
	f.BoolVarP(&c.tty, "tty", "t", false, "give the command a terminal; Enter ~ . leaves one that hangs")
	f.StringVarP(&c.user, "user", "u", "", "run as this user of the sandbox")
	f.Var(durationValue{d: &c.timeout}, "timeout", "kill the command after this time")
}

// addPlace adds the flags that run has for the whole sandbox instead.
func (c *commandFlags) addPlace(f *pflag.FlagSet, getenv func(string) string) {
	f.VarP(pairsValue{pairs: &c.env, lookup: getenv}, "env", "e", "set a variable; KEY alone takes its value from here")
	f.StringVarP(&c.workdir, "workdir", "w", "", "directory to start in")
}

type execOptions struct {
	app     *App
	id      string
	argv    []string
	command commandFlags
	detach  bool
	tag     string
}

func newExecCmd(a *App) *cobra.Command {
	o := &execOptions{app: a}
	cmd := &cobra.Command{
		Use:   "exec [flags] ID [--] COMMAND [ARG...]",
		Short: "Run a command in a sandbox",
		Long: `Run a command in a sandbox and exit as it does.

No shell reads the command: give it to one yourself (sh -c '...') where you want
that. Standard input is passed when it is not a terminal, or with --interactive.
Ctrl-C interrupts the command; the second time it kills it.

With --detach the command runs on in the sandbox; its process id is printed, and
attach shows its output, from any place and at any time.`,
		Example: `  qs exec $id ls -l
  qs exec $id -- python3 - <script.py
  qs exec -it $id bash
  qs exec --detach --tag server $id -- python3 -m http.server`,
		Args:              nargs(2, -1, "ID and COMMAND"),
		Annotations:       passing(),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id, o.argv = args[0], afterDashes(args[1:])
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	o.command.add(f)
	o.command.addPlace(f, a.Getenv)
	f.BoolVarP(&o.detach, "detach", "d", false, "leave the command running; also --background")
	f.StringVar(&o.tag, "tag", "", "name the process for attach")
	f.SetNormalizeFunc(func(f *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "background" {
			name = "detach"
		}
		return pflag.NormalizedName(name)
	})
	return cmd
}

// afterDashes drops the "--" that may stand between an id and a command.
func afterDashes(args []string) []string {
	if len(args) > 0 && args[0] == "--" {
		return args[1:]
	}
	return args
}

func (o *execOptions) validate() error {
	switch {
	case len(o.argv) == 0 || o.argv[0] == "":
		return usagef("the command is missing")
	case o.detach && (o.command.interactive || o.command.tty):
		return usagef("--detach cannot be combined with --interactive or --tty")
	case o.command.tty && o.command.timeout != 0:
		return usagef("--timeout cannot be combined with --tty")
	}
	return nil
}

func (o *execOptions) run(ctx context.Context) error {
	if o.command.tty {
		if err := o.app.checkTerminal(o.command.interactive); err != nil {
			return err
		}
	}
	sb, err := o.app.connect(ctx, o.id)
	if err != nil {
		return err
	}
	switch {
	case o.detach:
		return o.runDetached(ctx, sb)
	case o.command.tty:
		return o.app.runOnTerminal(ctx, sb, o.ptyOptions(), o.command.interactive)
	}
	return o.app.runCommand(ctx, o.cmd(sb), &o.command)
}

func (o *execOptions) ptyOptions() *quixand.PTYOptions {
	return &quixand.PTYOptions{
		Command: o.argv,
		Env:     o.command.env,
		Dir:     o.command.workdir,
		User:    o.command.user,
		Tag:     o.tag,
	}
}

func (o *execOptions) cmd(sb *quixand.Sandbox) *quixand.Cmd {
	cmd := sb.Command(o.argv[0], o.argv[1:]...)
	cmd.Tag = o.tag
	o.command.apply(cmd)
	return cmd
}

func (c *commandFlags) apply(cmd *quixand.Cmd) {
	cmd.Env = c.env
	cmd.Dir = c.workdir
	cmd.User = c.user
	cmd.Timeout = c.timeout
}

func (o *execOptions) runDetached(ctx context.Context, sb *quixand.Sandbox) error {
	cmd := o.cmd(sb)
	cmd.Detach = true
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	if err := cmd.Start(ctx); err != nil {
		return &invocation{err}
	}
	if cmd.Process.PID == 0 { // it never was: the agent says why, as a shell would
		err := cmd.Wait()
		o.app.printf("%s", complaint.String())
		return commandEnd(err)
	}
	if o.app.global.json {
		return o.app.printJSON(struct {
			PID int    `json:"pid"`
			Tag string `json:"tag,omitempty"`
		}{cmd.Process.PID, o.tag})
	}
	_, err := fmt.Fprintln(o.app.Stdout, cmd.Process.PID)
	return err
}

// runCommand runs a command on the streams of qs and returns its status. When
// nobody reads the output any more the command is killed, as it would be in a
// local pipeline.
func (a *App) runCommand(ctx context.Context, cmd *quixand.Cmd, flags *commandFlags) error {
	if a.forwardsStdin(flags.interactive) {
		cmd.Stdin = a.Stdin
	}
	stdout, flushStdout := guarded(a.Stdout)
	stderr, flushStderr := guarded(a.Stderr)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	a.interrupts.expect()
	defer a.interrupts.release()
	if err := cmd.Start(ctx); err != nil {
		return &invocation{err}
	}
	a.interrupts.passTo(cmd.Process)
	err := cmd.Wait()
	return errors.Join(commandEnd(err), flushStdout(), flushStderr())
}

// commandEnd tells a command's status from an error.
func commandEnd(err error) error {
	if exit, ok := errors.AsType[*quixand.ExitError](err); ok {
		return resultStatus(&exit.Result)
	}
	return err
}

// forwardsStdin reports whether the command gets the standard input of qs. The
// null device is as good as none and costs no stream.
func (a *App) forwardsStdin(interactive bool) bool {
	if _, ok := terminalFD(a.Stdin); ok {
		return interactive
	}
	f, ok := a.Stdin.(*os.File)
	if !ok {
		return a.Stdin != nil
	}
	info, err := f.Stat()
	if err != nil {
		return false // closed
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || info.Mode()&os.ModeCharDevice == 0 || stat.Rdev != nullDevice
}

// nullDevice is the number of /dev/null, whichever /dev it is in.
var nullDevice = unix.Mkdev(1, 3)
