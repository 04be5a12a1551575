package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `Run code that nobody has read yet in sandboxes on this machine.

  qs run -- python3 -c 'print(6*7)'       a sandbox for one command

  id=$(qs create)                         a sandbox that stays
  qs exec $id -- ls -l                    run commands in it
  qs cp data.csv $id:                     copy files in and out
  qs connect $id                          a shell in it
  qs kill $id                             end it without a trace

A sandbox also ends by itself when it has been idle for its timeout. Ids may be
shortened as long as they are unambiguous, and a name stands for an id.`

// The groups of the root command's help.
const (
	groupSandbox = "sandbox"
	groupFiles   = "files"
	groupOther   = "other"
)

// newRootCmd builds the whole tree. Each verb lives in `qs sandbox` or
// `qs files`, and those that people type often at the top level, too.
func newRootCmd(a *App) *cobra.Command {
	root := &cobra.Command{
		Use:               "qs",
		Short:             "Run untrusted code in sandboxes",
		Long:              rootHelp,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE:              showHelp,
		PersistentPreRun:  func(cmd *cobra.Command, _ []string) { a.verb = cmd.CommandPath() },
	}
	a.global.add(root)
	root.SetFlagErrorFunc(flagError)
	root.AddGroup(
		&cobra.Group{ID: groupSandbox, Title: "Sandboxes:"},
		&cobra.Group{ID: groupFiles, Title: "Files:"},
		&cobra.Group{ID: groupOther, Title: "Other commands:"},
	)
	sandbox := newGroupCmd("sandbox", "Create, use and end sandboxes", sandboxVerbs(a)...)
	addGrouped(root, groupSandbox, append(sandboxVerbs(a), newRunCmd(a), sandbox, newSnapshotsCmd(a))...)
	addGrouped(root, groupFiles, newCpCmd(a), newFilesCmd(a))
	help := newHelpCmd(root)
	addGrouped(root, groupOther, newTemplatesCmd(a), newVersionCmd(a), newDoctorCmd(a), newServeCmd(a), newCompletionCmd(a), help)
	root.SetHelpCommand(help)
	root.AddCommand(helpTopics()...)
	return root
}

func sandboxVerbs(a *App) []*cobra.Command {
	return []*cobra.Command{
		newCreateCmd(a),
		newListCmd(a),
		newStatusCmd(a),
		newLogsCmd(a),
		newWaitCmd(a),
		newEventsCmd(a),
		newExecCmd(a),
		newRunCodeCmd(a),
		newConnectCmd(a),
		newTopCmd(a),
		newAttachCmd(a),
		newExposeCmd(a),
		newRefreshTimeoutCmd(a),
		newPauseCmd(a),
		newResumeCmd(a),
		newRenameCmd(a),
		newLabelCmd(a),
		newStatsCmd(a),
		newSnapshotCmd(a),
		newForkCmd(a),
		newKillCmd(a),
		newPruneCmd(a),
		newReapCmd(a),
	}
}

func addGrouped(root *cobra.Command, group string, cmds ...*cobra.Command) {
	for _, cmd := range cmds {
		cmd.GroupID = group
	}
	root.AddCommand(cmds...)
}

// newGroupCmd makes a command that only holds others.
func newGroupCmd(name, short string, cmds ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{Use: name, Short: short, Args: cobra.ArbitraryArgs, RunE: showHelp}
	group.AddCommand(cmds...)
	return group
}

// showHelp is what the root and a group do: without arguments they help, and
// with any, the first was meant to be a command.
func showHelp(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	return cmd.Help()
}

func unknownCommand(cmd *cobra.Command, name string) error {
	e := &usageError{msg: fmt.Sprintf("unknown command %q for %q", name, cmd.CommandPath())}
	// Two changes turn any short word into any other.
	cmd.SuggestionsMinimumDistance = min(2, len(name)/3)
	if s := cmd.SuggestionsFor(name); len(s) > 0 {
		e.hint = "did you mean " + strings.Join(s, " or ") + "?"
	}
	return e
}

// flagError turns a mistake in the flags into a usage error. Flags behind a
// mistyped command are judged by its group, which has none of them.
func flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 {
		return unknownCommand(cmd, cmd.Flags().Arg(0))
	}
	return usagef("%v", err)
}

// nargs accepts from least to most arguments; most < 0 is no bound. what names
// them in the error.
func nargs(least, most int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("arguments are missing: %s", what)
		case most >= 0 && len(args) > most && most == 0:
			return usagef("no arguments are expected, got %q", args[0])
		case most >= 0 && len(args) > most:
			return usagef("too many arguments: %s expected, %q is left over", what, args[most])
		}
		return nil
	}
}
