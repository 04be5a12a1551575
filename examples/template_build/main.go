// Template_build says in Go what a template is made of, builds it, and starts a
// sandbox from it in which a web server is ready when Create returns.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	_ "github.com/quixand/quixand/pkg/adapters/podman"
	"github.com/quixand/quixand/pkg/quixand"
	"github.com/quixand/quixand/pkg/templates"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	recipe := templates.From(cmp.Or(os.Getenv("QS_IMAGE"), "python:3.11-slim")).
		Run("mkdir /site && echo 'made when it was built' >/site/index.html").
		Env(map[string]string{"GREETING": "hello"}).
		Start("cd /site && exec python3 -m http.server 8000", templates.ReadyPort(8000))

	client, err := quixand.New(nil)
	if err != nil {
		return err
	}
	defer client.Close()
	// The recipe copies no files, so there is no directory. While it stays the
	// same, the second build is there at once.
	tpl, err := client.Templates().Build(ctx, "", &quixand.BuildOptions{
		Name:   "quixand-example",
		Recipe: recipe,
		Progress: func(e quixand.BuildEvent) {
			if e.Instruction != "" {
				fmt.Fprintf(out, "%d of %d: %s\n", e.Step, e.Steps, e.Instruction)
			}
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, client.Templates().Remove(context.WithoutCancel(ctx), tpl.Name, true))
	}()

	sb, err := client.Create(ctx, &quixand.Options{Template: tpl.Name})
	if err != nil {
		return err
	}
	defer sb.Kill(context.WithoutCancel(ctx))
	return use(ctx, sb, out)
}

// use runs a command in the sandbox, and asks its web server.
func use(ctx context.Context, sb *quixand.Sandbox, out io.Writer) error {
	res, err := sb.Shell(ctx, "echo $GREETING")
	if err != nil {
		return err
	}
	fmt.Fprint(out, res.Text())

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost:8000/", nil)
	if err != nil {
		return err
	}
	page, err := (&http.Client{Transport: sb.Transport(8000)}).Do(req)
	if err != nil {
		return err
	}
	defer page.Body.Close()
	_, err = io.Copy(out, page.Body)
	return err
}
