// Minimal creates a sandbox, writes a file, runs a command, and leaves no
// trace.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	_ "github.com/quixand/quixand/pkg/adapters/podman"
	"github.com/quixand/quixand/pkg/quixand"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	sb, err := quixand.Create(ctx, nil)
	if err != nil {
		return err
	}
	defer sb.Kill(context.WithoutCancel(ctx))

	if _, err := sb.Files.WriteString(ctx, "hello.txt", "hi!"); err != nil {
		return err
	}
	res, err := sb.Run(ctx, "cat", "hello.txt")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, res.Text())
	return nil
}
