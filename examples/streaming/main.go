// Streaming talks with a program in a sandbox while it runs: lines go in, and
// come out as they are written. A command is shaped as os/exec's.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	_ "github.com/quixand/quixand/pkg/adapters/podman"
	"github.com/quixand/quixand/pkg/quixand"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

const program = `
while read -r line; do
	echo "got $line"
done
echo bye
`

func run(ctx context.Context, out io.Writer) error {
	sb, err := quixand.Create(ctx, nil)
	if err != nil {
		return err
	}
	defer sb.Kill(context.WithoutCancel(ctx))

	cmd := sb.Command("sh", "-c", program)
	cmd.Stderr = out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(ctx); err != nil {
		return err
	}
	answers := bufio.NewScanner(stdout)
	for _, word := range []string{"one", "two", "three"} {
		if _, err := fmt.Fprintln(stdin, word); err != nil {
			return err
		}
		answers.Scan()
		fmt.Fprintln(out, answers.Text())
	}
	if err := stdin.Close(); err != nil {
		return err
	}
	for answers.Scan() {
		fmt.Fprintln(out, answers.Text())
	}
	return cmd.Wait()
}
