package cli

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/statedir"
)

const completionHelp = `Print a script that completes qs's commands, flags and sandboxes.

  bash   source <(qs completion bash)
  zsh    qs completion zsh >"${fpath[1]}/_qs"
  fish   qs completion fish >~/.config/fish/completions/qs.fish`

func newCompletionCmd(a *App) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:                   "completion bash|zsh|fish|powershell",
		Short:                 "Print a completion script for a shell",
		Long:                  completionHelp,
		DisableFlagsInUseLine: true,
		ValidArgs:             shells,
		Args:                  nargs(1, 1, strings.Join(shells, ", ")),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.Stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.Stdout)
			case "fish":
				return root.GenFishCompletion(a.Stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.Stdout)
			}
			return usagef("no completion for %q: known are %s", args[0], strings.Join(shells, ", "))
		},
	}
}

// completionFunc completes one argument.
type completionFunc func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective)

// completeSandbox completes ids for the first most arguments, any number when
// most is negative, and what then says for those behind them.
func (a *App) completeSandbox(most int, then ...completionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if most < 0 || len(args) < most {
			return a.localIDs(word), cobra.ShellCompDirectiveNoFileComp
		}
		if i := len(args) - most; i < len(then) {
			return then[i](cmd, args, word)
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

func localFile(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// localIDs lists the ids, and the names, of the sandboxes that have a directory
// on this host. The engine
// is not asked: a shell waits for the answer at every press of the tab key.
func (a *App) localIDs(prefix string) []string {
	c, err := a.client()
	if err != nil {
		return nil
	}
	dirs := statedir.Open(c.Root())
	ids, err := dirs.IDs()
	if err != nil {
		return nil
	}
	names, err := dirs.Names()
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.AppendSeq(ids, maps.Values(names)), func(ref string) bool {
		return !strings.HasPrefix(ref, prefix)
	})
}

// completionBudget bounds what a press of the tab key waits for a sandbox.
const completionBudget = 500 * time.Millisecond

// completeSandboxPath completes an id and then paths inside, up to most
// arguments in all, any number when most is negative, and what then says.
func (a *App) completeSandboxPath(most int, then ...completionFunc) cobra.CompletionFunc {
	behind := a.completeSandbox(most, then...)
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return a.localIDs(word), cobra.ShellCompDirectiveNoFileComp
		case most >= 0 && len(args) >= most:
			return behind(cmd, args, word)
		}
		return a.remotePaths(cmd.Context(), args[0], word), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// remotePaths lists what in the sandbox begins with word.
func (a *App) remotePaths(ctx context.Context, id, word string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionBudget)
	defer cancel()
	files, err := a.files(ctx, id)
	if err != nil {
		return nil
	}
	dir, name := path.Split(word)
	list := dir
	if list == "" {
		list = "."
	}
	entries, err := files.List(ctx, list, 1)
	if err != nil {
		return nil
	}
	var match []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name, name) && isPlain(e.Name) {
			p := dir + e.Name
			if e.IsDir() {
				p += "/"
			}
			match = append(match, p)
		}
	}
	return match
}

// isPlain refuses names that a shell's completion, or the terminal behind it,
// could take for more than a name: cobra's protocol is made of lines and tabs.
func isPlain(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune(plainRunes, r)
	})
}

const plainRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+,@=%/:"

// completeCopy completes ID:PATH and files of this host.
func (a *App) completeCopy(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) >= 2 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if id, p, ok := cutID(word); ok {
		if strings.HasSuffix(word, ":") {
			p = ""
		}
		match := a.remotePaths(cmd.Context(), id, p)
		for i := range match {
			match[i] = id + ":" + match[i]
		}
		return match, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	ids := a.localIDs(word)
	for i := range ids {
		ids[i] += ":"
	}
	return ids, cobra.ShellCompDirectiveNoSpace
}
