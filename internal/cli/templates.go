package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/quixand"
)

func newTemplatesCmd(a *App) *cobra.Command {
	cmd := newGroupCmd(
		"templates", "Build and keep what sandboxes start from",
		newTemplatesBuildCmd(a),
		newTemplatesListCmd(a),
		newTemplatesShowCmd(a),
		newTemplatesTagCmd(a),
		newTemplatesRemoveCmd(a),
		newTemplatesPruneCmd(a),
		newTemplatesPushCmd(a),
		newTemplatesPullCmd(a),
		newTemplatesExportCmd(a),
		newTemplatesImportCmd(a),
	)
	cmd.Aliases = []string{"template"}
	return cmd
}

// templateJSON is a template in the output of --json. It is a promise: fields
// may be added and none changed.
type templateJSON struct {
	Name      string            `json:"name"`
	Hash      string            `json:"hash"`
	Image     string            `json:"image"`
	ID        string            `json:"id"`
	Created   time.Time         `json:"created"`
	Bytes     int64             `json:"bytes"`
	Current   bool              `json:"current"`
	Cached    bool              `json:"cached"`
	Sandboxes *int              `json:"sandboxes"` // null where it was not asked for
	Labels    map[string]string `json:"labels"`
	Recipe    string            `json:"recipe"`
}

func newTemplateJSON(t *quixand.Template) templateJSON {
	out := templateJSON{
		Name: t.Name, Hash: t.Hash, Image: t.Image, ID: t.ID, Created: t.Created.UTC(), Bytes: t.Bytes,
		Current: t.Current, Cached: t.Cached, Labels: t.Labels, Recipe: t.Recipe,
	}
	if t.Sandboxes >= 0 {
		out.Sandboxes = &t.Sandboxes
	}
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	return out
}

// templates is the client's.
func (a *App) templates() (*quixand.Templates, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	return c.Templates(), nil
}

// onTemplates makes a verb of a function on the templates.
func (a *App) onTemplates(f func(context.Context, *quixand.Templates, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		t, err := a.templates()
		if err != nil {
			return err
		}
		return f(cmd.Context(), t, args)
	}
}

func newTemplatesListCmd(a *App) *cobra.Command {
	var all, quiet bool
	cmd := &cobra.Command{
		Use:               "ls [flags]",
		Aliases:           []string{"list"},
		Short:             "List templates, newest first",
		Args:              nargs(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.onTemplates(func(ctx context.Context, t *quixand.Templates, _ []string) error {
			listed, err := t.List(ctx)
			if err != nil {
				return err
			}
			return a.printTemplates(selectBuilds(listed, all), quiet)
		}),
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also earlier builds, that no name means any more")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only names")
	return cmd
}

func selectBuilds(listed []*quixand.Template, all bool) []*quixand.Template {
	var selected []*quixand.Template
	for _, t := range listed {
		if all || t.Current {
			selected = append(selected, t)
		}
	}
	return selected
}

func (a *App) printTemplates(list []*quixand.Template, quiet bool) error {
	switch {
	case a.global.json:
		out := make([]templateJSON, len(list))
		for i, t := range list {
			out[i] = newTemplateJSON(t)
		}
		return a.printJSON(out)
	case quiet:
		for _, t := range list {
			if _, err := fmt.Fprintln(a.Stdout, termsafe.Line(t.Name)); err != nil {
				return err
			}
		}
		return nil
	}
	table := a.newTable("NAME", "HASH", "CREATED", "SIZE", "SANDBOXES")
	for _, t := range list {
		table.row(t.Name, t.Hash, relative(a.Now(), t.Created), size(t.Bytes), fmt.Sprint(max(t.Sandboxes, 0)))
	}
	return table.flush()
}

func newTemplatesShowCmd(a *App) *cobra.Command {
	var recipe, log bool
	cmd := &cobra.Command{
		Use:               "show [flags] NAME[:HASH]",
		Short:             "Show what is known about a template",
		Args:              nargs(1, 1, "NAME"),
		ValidArgsFunction: a.completeTemplate,
		RunE: a.onTemplates(func(ctx context.Context, t *quixand.Templates, args []string) error {
			if log {
				return a.printBuildLog(ctx, t, args[0])
			}
			found, err := t.Get(ctx, args[0])
			if err != nil {
				return err
			}
			if recipe {
				return a.printText(found.Recipe)
			}
			builds, err := t.Builds(ctx, found.Name)
			if err != nil {
				return err
			}
			if a.global.json {
				return a.printJSON(newShownJSON(found, builds))
			}
			table := a.newTable()
			table.row("Name:", found.Name)
			table.row("Hash:", found.Hash)
			table.row("Image:", found.Image)
			table.row("Id:", found.ID)
			table.row("Created:", relative(a.Now(), found.Created))
			table.row("Size:", size(found.Bytes))
			if b := buildOf(found, builds); b != nil && b.Took > 0 {
				table.row("Built:", fmt.Sprintf("in %.1f s, by %s", b.Took.Seconds(), b.Engine))
			}
			return table.flush()
		}),
	}
	cmd.Flags().BoolVar(&recipe, "containerfile", false, "print the recipe that it was built from")
	cmd.Flags().BoolVar(&log, "log", false, "print what its latest build said, though it failed")
	return cmd
}

// printText prints what may hold anything.
func (a *App) printText(text string) error {
	w, flush := guarded(a.Stdout)
	_, err := io.WriteString(w, text)
	return errors.Join(err, flush())
}

// completeTemplate offers the names of templates.
func (a *App) completeTemplate(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	t, err := a.templates()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	listed, err := t.List(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, t := range selectBuilds(listed, false) {
		names = append(names, t.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
