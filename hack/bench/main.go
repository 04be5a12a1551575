//go:build containers_image_openpgp

// Command bench measures Quixand on this machine, beside the engine's own
// means and the host's, in one run: absolute times on a shared machine prove
// nothing, ratios taken side by side do. It prints a table and writes the same
// as JSON. It needs a working rootless Podman, bin/qs and bin/qs-agent; `make bench`
// brings all three.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/quixand/quixand/pkg/adapters/podman"
	"github.com/quixand/quixand/pkg/quixand"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var (
		qs      = flag.String("qs", "bin/qs", "the qs binary to measure")
		out     = flag.String("json", "", "also write the results to this file")
		scale   = flag.Float64("scale", 1, "multiply the number of samples")
		only    = flag.String("only", "", "comma-separated names of the groups to run; empty runs all")
		idle    = flag.Bool("idle", false, "also measure the first command after 60 and 360 s of idling")
		soak    = flag.Int("soak", 10_000, "commands for the leak count")
		boxes   = flag.Int("sandboxes", 100, "the largest number of idle sandboxes to weigh")
		crowd   = flag.Int("crowd", 200, "sandboxes to create, half of them at once, and to list")
		streams = flag.Int("streams", 500, "idle streams through qs serve")
		perBox  = flag.Int("streams-each", 25, "of these, to one sandbox")
	)
	flag.Parse()
	qsPath, err := filepath.Abs(*qs)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, qsPath, *scale)
	if err != nil {
		return err
	}
	defer b.close()
	b.idle, b.soak, b.boxes, b.crowd = *idle, *soak, *boxes, *crowd
	b.streams, b.perSandbox = *streams, *perBox

	b.header()
	for _, g := range groups {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), g.name) {
			continue
		}
		if err := g.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
	}
	b.footer()
	if *out != "" {
		return b.writeJSON(*out)
	}
	return nil
}

// groups run in this order; each leaves the machine as it found it.
var groups = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	// Before the engine's own execs, whose monitors stay for five minutes and
	// would be weighed and counted.
	{"weight", benchWeight},
	{"leaks", benchLeaks},
	{"exec", benchExec},
	{"docker", benchDocker},
	{"process", benchProcess},
	{"create", benchCreate},
	{"templates", benchTemplates},
	{"warm", benchWarm},
	{"files", benchFiles},
	{"concurrent", benchConcurrent},
	{"pty", benchPTY},
	{"crowd", benchCrowd},
	{"streams", withServer(benchStreams)},
	{"serve", withServer(benchServe)},
	{"sdk", withServer(benchSDK)},
	{"idle", benchIdle},
}

// bench is one run of the program: what is measured and what came out.
type bench struct {
	client *quixand.Client
	engine *engine
	image  string
	qs     string
	scale  float64
	tmp    string

	idle  bool
	soak  int
	boxes int
	crowd int

	streams    int
	perSandbox int

	started time.Time
	rows    []row
}

func newBench(ctx context.Context, qs string, scale float64) (*bench, error) {
	client, err := quixand.New(nil)
	if err != nil {
		return nil, err
	}
	eng, err := newEngine(ctx)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "quixand-bench-")
	if err != nil {
		return nil, err
	}
	image := os.Getenv("QS_IMAGE")
	if image == "" {
		image = "python:3.11-slim"
	}
	return &bench{client: client, engine: eng, image: image, qs: qs, scale: scale, tmp: tmp, started: time.Now()}, nil
}

func (b *bench) close() {
	os.RemoveAll(b.tmp)
	b.client.Close()
}

// n scales a number of samples, with a floor that still has a median.
func (b *bench) n(samples int) int { return max(3, int(float64(samples)*b.scale)) }

// sandbox gives a fresh sandbox that ends with the returned function.
func (b *bench) sandbox(ctx context.Context) (*quixand.Sandbox, func(), error) {
	sb, err := b.client.Create(ctx, &quixand.Options{Metadata: map[string]string{"qs.bench": "1"}})
	if err != nil {
		return nil, nil, err
	}
	return sb, func() { discard(ctx, sb) }, nil
}

// pair gives a sandbox, and a bare container to compare it with.
func (b *bench) pair(ctx context.Context) (sb *quixand.Sandbox, container string, end func(), err error) {
	sb, kill, err := b.sandbox(ctx)
	if err != nil {
		return nil, "", nil, err
	}
	container, err = b.engine.start(b.image)
	if err != nil {
		kill()
		return nil, "", nil, err
	}
	return sb, container, func() { b.engine.discard(container); kill() }, nil
}

// discard kills a sandbox whose end is not measured.
func discard(ctx context.Context, sb *quixand.Sandbox) { _ = sb.Kill(context.WithoutCancel(ctx)) }

func (b *bench) writeJSON(path string) error {
	data, err := json.MarshalIndent(struct {
		Date  time.Time `json:"date"`
		Host  string    `json:"host"`
		Image string    `json:"image"`
		Rows  []row     `json:"rows"`
	}{b.started, hostLine(), b.image, b.rows}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
