package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

// maxCode bounds a snippet: it travels as one message.
const maxCode = 8 << 20

type runCodeOptions struct {
	app  *App
	id   string
	code string
	file string // read the code from here instead; "-" is standard input
}

func newRunCodeCmd(a *App) *cobra.Command {
	o := &runCodeOptions{app: a}
	cmd := &cobra.Command{
		Use:   "run-code [flags] ID [CODE]",
		Short: "Run a Python snippet in a sandbox",
		Long: `Run a Python snippet in an interpreter of its own and exit as it does. Without
CODE and --file the snippet is read from standard input.`,
		Example: `  qs run-code $id 'print(6*7)'
  qs run-code $id <script.py`,
		Args:              nargs(1, 2, "ID and CODE"),
		Annotations:       passing(),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			switch {
			case len(args) == 2 && o.file != "":
				return usagef("CODE and --file exclude each other")
			case len(args) == 2:
				o.code = args[1]
			case o.file == "":
				o.file = "-"
			}
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&o.file, "file", "f", "", "read the snippet from a file; - is standard input")
	return cmd
}

func (o *runCodeOptions) run(ctx context.Context) error {
	if err := o.load(); err != nil {
		return err
	}
	sb, err := o.app.connect(ctx, o.id)
	if err != nil {
		return err
	}
	res, err := sb.RunCode(ctx, o.code)
	if err != nil {
		return err
	}
	if err := o.print(res); err != nil {
		return err
	}
	return resultStatus(res)
}

func (o *runCodeOptions) load() error {
	if o.file == "" {
		return nil
	}
	in := o.app.Stdin
	if o.file != "-" {
		f, err := os.Open(o.file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	code, err := io.ReadAll(io.LimitReader(in, maxCode+1))
	if err != nil {
		return err
	}
	if len(code) > maxCode {
		return fmt.Errorf("the snippet has more than %s", size(maxCode))
	}
	o.code = string(code)
	return nil
}

// resultJSON is the end of a snippet with --json.
type resultJSON struct {
	ExitCode int    `json:"exitCode"`
	Signal   string `json:"signal,omitempty"`
	Stdout   string `json:"stdout"`
	Stderr   string `json:"stderr"`
}

func (o *runCodeOptions) print(res *quixand.Result) error {
	if o.app.global.json {
		out := resultJSON{ExitCode: res.ExitCode, Stdout: res.Text(), Stderr: string(res.Stderr)}
		if res.Signal != 0 {
			out.Signal = res.Signal.String()
		}
		return o.app.printJSON(out)
	}
	stdout, flushStdout := guarded(o.app.Stdout)
	stderr, flushStderr := guarded(o.app.Stderr)
	_, errOut := stdout.Write(res.Stdout)
	_, errErr := stderr.Write(res.Stderr)
	return errors.Join(errOut, errErr, flushStdout(), flushStderr())
}
