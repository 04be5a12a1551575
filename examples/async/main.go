// Async runs several programs in one sandbox at once, each in a goroutine of
// its own, and takes the results as they come. Ctrl-C ends them all.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strconv"

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

// result is how one program ended.
type result struct {
	n   int
	res *quixand.Result
	err error
}

func run(ctx context.Context, out io.Writer) error {
	sb, err := quixand.Create(ctx, nil)
	if err != nil {
		return err
	}
	defer sb.Kill(context.WithoutCancel(ctx))

	const programs = 5
	results := make(chan result, programs)
	for n := range programs {
		go func() {
			res, err := sb.Run(ctx, "sh", "-c", "echo $(($1 * $1))", "sh", strconv.Itoa(n))
			results <- result{n, res, err}
		}()
	}
	for range programs {
		r := <-results
		switch {
		case r.err != nil: // the program could not be run to its end
			return r.err
		case !r.res.Success(): // it ran, and failed
			fmt.Fprintf(out, "program %d: %s", r.n, r.res.Stderr)
		default:
			fmt.Fprintf(out, "program %d: %s", r.n, r.res.Text())
		}
	}
	return nil
}
