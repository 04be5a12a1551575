//go:build containers_image_openpgp

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
	"github.com/quixand/quixand/pkg/templates"
)

const (
	benchTemplate  = "quixand-bench"
	benchReference = "localhost/quixand-bench-reference"
)

// benchTemplates: a build with nothing to go on from, beside podman build of
// the same, and one of what has not changed.
func benchTemplates(ctx context.Context, b *bench) error {
	dir := filepath.Join(b.tmp, "template")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	forget := func() {
		_ = b.client.Templates().Remove(ctx, benchTemplate, true)
		_ = command(ctx, "podman", "rmi", "--force", "--ignore", benchReference)()
	}
	defer forget()
	var builds int
	anew := func() {
		forget()
		builds++
		text := fmt.Sprintf("FROM %s\nRUN echo %d.%d\n", b.image, os.Getpid(), builds)
		_ = os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600)
	}
	library := func() error {
		_, err := b.client.Templates().Build(ctx, dir, &quixand.BuildOptions{Name: benchTemplate})
		return err
	}
	process := command(ctx, b.qs, "templates", "build", dir, "--name", benchTemplate)
	podman := command(ctx, "podman", "build", "--tag", benchReference, dir)
	t, err := inTurnAfter(anew, b.n(15), library, process, podman)
	if err != nil {
		return err
	}
	b.report("cold two-line build", "ms", t[0], "podman build", t[2], ratioAtMost(1.2))
	b.report("qs templates build, cold", "ms", t[1], "podman build", t[2], ratioAtMost(1.2))

	t, err = inTurn(b.n(50), library, process, podman)
	if err != nil {
		return err
	}
	b.report("cached build", "ms", t[0], "podman build", t[2], noTarget)
	b.report("cached build", "ms", t[0], "", nil, atMost(60, "ms"))
	b.report("qs templates build, cached", "ms", t[1], "", nil, atMost(120, "ms"))
	return nil
}

// benchWarm: a sandbox from a template of 1.5 GB, beside one from the base image
// of that.
func benchWarm(ctx context.Context, b *bench) error {
	large := templates.From(b.image).
		Run("for i in $(seq 15); do head -c 100000000 /dev/urandom >/large.$i; done")
	opts := &quixand.BuildOptions{Name: benchTemplate, Recipe: large}
	if _, err := b.client.Templates().Build(ctx, b.tmp, opts); err != nil {
		return err
	}
	defer func() { _ = b.client.Templates().Remove(ctx, benchTemplate, true) }()
	var fromLarge, fromBase [2]samples
	for i := range b.n(30) + 1 {
		for template, times := range map[string]*[2]samples{benchTemplate: &fromLarge, b.image: &fromBase} {
			created, answered, _, err := b.lifeOfSandbox(ctx, &quixand.Options{Template: template})
			if err != nil {
				return err
			}
			if i > 0 { // the first warms up
				for k, d := range []time.Duration{created, answered} {
					times[k].add(d)
				}
			}
		}
	}
	b.report("create, 1.5 GB template", "ms", fromLarge[0], "create, base image", fromBase[0], ratioAtMost(1.05))
	b.report("create to first command, 1.5 GB", "ms", fromLarge[1], "the same, base image", fromBase[1], ratioAtMost(1.05))
	return nil
}
