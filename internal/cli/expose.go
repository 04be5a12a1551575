package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

type exposeOptions struct {
	app      *App
	id       string
	port     int
	hostPort int // zero: any
}

func newExposeCmd(a *App) *cobra.Command {
	o := &exposeOptions{app: a}
	return &cobra.Command{
		Use:   "expose [flags] ID PORT[:HOSTPORT]",
		Short: "Give a port in a sandbox an address on this host",
		Long: `Listen on this host's loopback and forward every connection to a port inside the
sandbox, until Ctrl-C or the sandbox's end. It needs no network in the sandbox
and no published port. Without HOSTPORT a free one is taken; the address is
printed.`,
		Example: `  qs expose $id 8000          # prints http://127.0.0.1:41234
  qs expose $id 8000:8080     # 8000 inside is 127.0.0.1:8080 here`,
		Args:              nargs(2, 2, "ID and PORT"),
		ValidArgsFunction: a.completeSandbox(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			if err := o.parsePorts(args[1]); err != nil {
				return usagef("PORT[:HOSTPORT]: %v", err)
			}
			return o.run(cmd.Context())
		},
	}
}

func (o *exposeOptions) parsePorts(s string) (err error) {
	inside, here, both := strings.Cut(s, ":")
	if o.port, err = parsePort(inside); err == nil && both {
		o.hostPort, err = parsePort(here)
	}
	return err
}

func (o *exposeOptions) run(ctx context.Context) error {
	sb, err := o.app.connect(ctx, o.id)
	if err != nil {
		return err
	}
	l, err := sb.Expose(ctx, o.port, o.hostPort)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := o.print(sb.ID(), l.Addr().String()); err != nil {
		return err
	}
	<-l.Done()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return l.Err()
}

func (o *exposeOptions) print(id, address string) error {
	if o.app.global.json {
		return o.app.printJSON(struct {
			ID      string `json:"id"`
			Port    int    `json:"port"`
			Address string `json:"address"`
			URL     string `json:"url"`
		}{id, o.port, address, "http://" + address})
	}
	_, err := fmt.Fprintln(o.app.Stdout, "http://"+address)
	return err
}
