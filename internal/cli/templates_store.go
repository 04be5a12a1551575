package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

func newTemplatesTagCmd(a *App) *cobra.Command {
	return &cobra.Command{
		Use:               "tag NAME[:HASH] SECOND",
		Short:             "Give a template a second name, or a name an earlier build",
		Args:              nargs(2, 2, "NAME and SECOND"),
		ValidArgsFunction: a.completeTemplate,
		RunE: a.onTemplates(func(ctx context.Context, t *quixand.Templates, args []string) error {
			return t.Tag(ctx, args[0], args[1])
		}),
	}
}

func newTemplatesRemoveCmd(a *App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:               "rm [flags] NAME[:HASH]...",
		Aliases:           []string{"remove"},
		Short:             "Remove templates, or single builds of them",
		Args:              nargs(1, -1, "NAME"),
		ValidArgsFunction: a.completeTemplate,
		RunE: a.onTemplates(func(ctx context.Context, t *quixand.Templates, args []string) error {
			for _, name := range args {
				if err := t.Remove(ctx, name, force); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "end the sandboxes that use it")
	return cmd
}

func newTemplatesPruneCmd(a *App) *cobra.Command {
	return &cobra.Command{
		Use:               "prune",
		Short:             "Remove earlier builds that nothing uses",
		Args:              nargs(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.onTemplates(func(ctx context.Context, t *quixand.Templates, _ []string) error {
			removed, err := t.Prune(ctx)
			if err != nil {
				return err
			}
			if a.global.json {
				return a.printTemplates(removed, false)
			}
			for _, r := range removed {
				if _, err := fmt.Fprintln(a.Stdout, r.Image); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

// addRegistryFlags adds what push and pull have in common.
func (a *App) addRegistryFlags(cmd *cobra.Command, insecure *bool) {
	cmd.Flags().BoolVar(insecure, "insecure", false, "do without TLS, or without a certificate that can be checked")
}

// registryOptions shows what the engine says on a line of the terminal.
func (a *App) registryOptions(insecure bool) (opts *quixand.RegistryOptions, done func()) {
	line := a.newStatusLine(false)
	return &quixand.RegistryOptions{Insecure: insecure, Output: line.set}, line.clear
}

func newTemplatesPushCmd(a *App) *cobra.Command {
	var insecure bool
	cmd := &cobra.Command{
		Use:               "push [flags] NAME[:HASH] REFERENCE",
		Short:             "Copy a template to a registry",
		Example:           `  qs templates push data registry.example.com/team/data:1`,
		Args:              nargs(2, 2, "NAME and REFERENCE"),
		ValidArgsFunction: a.completeTemplate,
		RunE: a.onTemplates(func(ctx context.Context, t *quixand.Templates, args []string) error {
			opts, done := a.registryOptions(insecure)
			defer done()
			return t.Push(ctx, args[0], args[1], opts)
		}),
	}
	a.addRegistryFlags(cmd, &insecure)
	return cmd
}

func newTemplatesPullCmd(a *App) *cobra.Command {
	var insecure bool
	cmd := &cobra.Command{
		Use:               "pull [flags] REFERENCE NAME",
		Short:             "Make a template of an image in a registry",
		Args:              nargs(2, 2, "REFERENCE and NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.onTemplates(func(ctx context.Context, t *quixand.Templates, args []string) error {
			opts, done := a.registryOptions(insecure)
			pulled, err := t.Pull(ctx, args[0], args[1], opts)
			done()
			return a.printTemplate(pulled, err)
		}),
	}
	a.addRegistryFlags(cmd, &insecure)
	return cmd
}

// printTemplate tells the outcome of what made a template.
func (a *App) printTemplate(t *quixand.Template, err error) error {
	if err != nil {
		return err
	}
	if a.global.json {
		return a.printJSON(newTemplateJSON(t))
	}
	_, err = fmt.Fprintln(a.Stdout, t.Image)
	return err
}

func newTemplatesExportCmd(a *App) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:               "export [flags] NAME[:HASH]",
		Short:             "Write a template as an OCI archive",
		Args:              nargs(1, 1, "NAME"),
		ValidArgsFunction: a.completeTemplate,
		RunE: a.onTemplates(func(ctx context.Context, t *quixand.Templates, args []string) error {
			if output == "" || output == "-" {
				return t.Export(ctx, args[0], a.Stdout)
			}
			return writeWhole(output, func(w io.Writer) error { return t.Export(ctx, args[0], w) })
		}),
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this file (default standard output)")
	return cmd
}

// writeWhole makes a file that is complete, or none.
func writeWhole(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".qs-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func newTemplatesImportCmd(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE NAME",
		Short: "Make a template of an archive, or of standard input for -",
		Args:  nargs(2, 2, "FILE and NAME"),
		RunE: a.onTemplates(func(ctx context.Context, t *quixand.Templates, args []string) error {
			archive := a.Stdin
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return usagef("%v", err)
				}
				defer f.Close()
				archive = f
			}
			imported, err := t.Import(ctx, archive, args[1])
			return a.printTemplate(imported, err)
		}),
	}
}
