package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/quixand"
	"github.com/quixand/quixand/pkg/templates/stock"
)

type buildOptions struct {
	app     *App
	build   quixand.BuildOptions
	stock   string
	secrets []string
	quiet   bool
}

func newTemplatesBuildCmd(a *App) *cobra.Command {
	o := &buildOptions{app: a}
	cmd := &cobra.Command{
		Use:   "build [flags] {PATH | --stock NAME}",
		Short: "Build a template from a directory, or one that comes with Quixand",
		Long: `Build an image from the recipe in a directory, and give it a name by which
sandboxes can start from it. Nothing is built when recipe and files are those of
an earlier build. Without --file the recipe is the first that there is of
e2b.Dockerfile, Dockerfile and Containerfile.

Stock templates come with Quixand: ` + strings.Join(stock.Names(), ", ") + `. They begin
with an image of Debian, or with what --build-arg BASE=IMAGE names.`,
		Example: `  qs templates build . --name data
  qs templates build app --name app --build-arg VERSION=3 --secret token=~/.token
  qs run --template data -- python3 -c 'import numpy'
  qs templates build --stock base`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.stock == "":
				return nargs(1, 1, "PATH")(cmd, args)
			case o.build.File != "":
				return usagef("--stock and --file are two recipes")
			}
			return nargs(0, 0, "")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.readSecrets(); err != nil {
				return err
			}
			return o.run(cmd.Context(), func(ctx context.Context, t *quixand.Templates) (*quixand.Template, error) {
				if o.stock != "" {
					return t.BuildStock(ctx, o.stock, &o.build)
				}
				return t.Build(ctx, args[0], &o.build)
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.build.Name, "name", "n", "", "the template's name (default the directory's)")
	f.StringVarP(&o.build.File, "file", "f", "", "the recipe, relative to PATH")
	f.StringVar(&o.stock, "stock", "", "build the template of this name that comes with Quixand")
	f.Var(pairsValue{pairs: &o.build.Args, lookup: a.Getenv}, "build-arg", "set a build argument; KEY alone takes its value from here")
	f.VarP(pairsValue{pairs: &o.build.Labels}, "label", "l", "note a pair on the image")
	f.StringVar(&o.build.Target, "target", "", "build this stage (default the last)")
	f.StringVar(&o.build.Platform, "platform", "", "build for another os/arch")
	f.StringArrayVar(&o.secrets, "secret", nil, "make a file, ID=PATH, readable for RUN --mount=type=secret,id=ID")
	f.BoolVar(&o.build.NoCache, "no-cache", false, "build every step anew")
	addChoice(cmd, &o.build.Pull, "pull", "fetch base images: missing, always or never", quixand.PullMissing, quixand.PullAlways, quixand.PullNever)
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print only the image's reference")
	if err := cmd.RegisterFlagCompletionFunc("stock", cobra.FixedCompletions(stock.Names(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added twice
	}
	return cmd
}

func (o *buildOptions) readSecrets() error {
	for _, s := range o.secrets {
		id, path, ok := strings.Cut(s, "=")
		if !ok {
			return usagef("--secret %q: must be ID=PATH", s)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return usagef("--secret %s: %v", id, err)
		}
		if o.build.Secrets == nil {
			o.build.Secrets = make(map[string][]byte)
		}
		o.build.Secrets[id] = content
	}
	return nil
}

func (o *buildOptions) run(ctx context.Context, build func(context.Context, *quixand.Templates) (*quixand.Template, error)) error {
	t, err := o.app.templates()
	if err != nil {
		return err
	}
	line := o.app.newStatusLine(o.quiet)
	o.build.Progress = o.progress(line)
	begin := o.app.Now()
	built, err := build(ctx, t)
	line.clear()
	if err != nil {
		o.tellOutput(err, line)
		return err
	}
	switch {
	case o.app.global.json:
		return o.app.printJSON(newTemplateJSON(built))
	case o.quiet:
		_, err := fmt.Fprintln(o.app.Stdout, built.Image)
		return err
	}
	how := fmt.Sprintf("built in %.1f s", o.app.Now().Sub(begin).Seconds())
	if built.Cached {
		how = "nothing has changed"
	}
	_, err = fmt.Fprintf(o.app.Stdout, "%s (%s, %s)\n", built.Image, size(built.Bytes), how)
	return err
}

// progress shows the steps on a line of the terminal, and elsewhere everything
// as plain lines; for machines, one JSON object a line. It all goes to standard
// error: the result is the output.
func (o *buildOptions) progress(line *statusLine) func(quixand.BuildEvent) {
	return func(e quixand.BuildEvent) {
		switch {
		case o.quiet:
		case o.app.global.json:
			if text, err := marshal(e, ""); err == nil {
				_, _ = o.app.Stderr.Write(text)
			}
		case line.w != nil:
			line.set(stepText(e))
		default:
			o.app.printf("%s\n", termsafe.Line(stepText(e)))
		}
	}
}

func stepText(e quixand.BuildEvent) string {
	if e.Instruction == "" {
		return e.Output
	}
	text := fmt.Sprintf("[%d/%d] %s", e.Step, e.Steps, e.Instruction)
	if e.Cached {
		text += " (cached)"
	}
	return text
}

// tellOutput prints what an instruction said before it failed, where it was not
// printed already.
func (o *buildOptions) tellOutput(err error, line *statusLine) {
	failed, ok := errors.AsType[*quixand.BuildError](err)
	if !ok || o.app.global.json || line.w == nil && !o.quiet {
		return
	}
	for _, l := range failed.Output {
		o.app.printf("%s\n", termsafe.Line(l))
	}
}
