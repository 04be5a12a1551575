package contract

import (
	"context"
	"errors"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// describeErrors is about how failures tell their story. That each failure has
// the right kind is part of the other groups.
func describeErrors(f *fixture) {
	Describe("errors", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		for _, failure := range []struct {
			what string
			kind error
			call func(context.Context) error
		}{
			{"a missing file", quixand.ErrNotFound, func(ctx context.Context) error {
				_, err := b.Files.Read(ctx, "missing")
				return err
			}},
			{"a directory that is there", quixand.ErrExists, func(ctx context.Context) error {
				return b.Files.Mkdir(ctx, b.Workdir())
			}},
			{"a file in place of a directory", quixand.ErrInvalid, func(ctx context.Context) error {
				b.write(ctx, "file", "")
				_, err := b.Files.List(ctx, "file", 1)
				return err
			}},
			{"a command that takes too long", quixand.ErrTimeout, func(ctx context.Context) error {
				cmd := b.Command("sleep", "1000")
				cmd.Timeout = 1
				return cmd.Run(ctx)
			}},
			{"output without end", quixand.ErrExhausted, func(ctx context.Context) error {
				_, err := b.Run(ctx, "cat", "/dev/zero")
				return err
			}},
			{"a directory that is not empty", quixand.ErrConflict, func(ctx context.Context) error {
				b.write(ctx, "full/file", "")
				return b.Files.Remove(ctx, "full")
			}},
			{"a port where nobody listens", quixand.ErrUnavailable, func(ctx context.Context) error {
				_, err := b.DialContext(ctx, "tcp", "localhost:1")
				return err
			}},
			{"a process that is not there", quixand.ErrNotFound, func(ctx context.Context) error {
				_, err := b.Attach(ctx, quixand.ProcessRef{Tag: "missing"}, nil)
				return err
			}},
		} {
			it("tell of "+failure.what, func(ctx SpecContext) {
				err := failure.call(ctx)
				Expect(err).To(failAs(failure.kind))
				var e *quixand.Error
				Expect(errors.As(err, &e)).To(BeTrue())
				Expect(e.ID).To(Equal(b.ID()))
				Expect(e.Op).NotTo(BeEmpty())
				expectOneLine(err)
			})
		}

		it("tell of files what the path is", func(ctx SpecContext) {
			_, err := b.Files.Read(ctx, "no such\nfile")
			Expect(err).To(MatchError(ContainSubstring("no such")))
			expectOneLine(err)
		})
		it("say what to do when the engine cannot be reached", needs(Unreachable), func(ctx SpecContext) {
			alone := f.clientAt(f.root, f.harness.Unreachable)
			DeferCleanup(alone.Close)
			for what, call := range map[string]func() error{
				"create": func() error { _, err := alone.Create(ctx, f.marked(nil)); return err },
				"list":   func() error { _, err := alone.List(ctx, nil); return err },
				"get":    func() error { _, err := alone.Get(ctx, newID()); return err },
			} {
				err := call()
				Expect(err).To(failAs(quixand.ErrUnavailable), what)
				var e *quixand.Error
				Expect(errors.As(err, &e)).To(BeTrue(), what)
				Expect(e.Hint).NotTo(BeEmpty(), what)
				Expect(e.Adapter).To(Equal(f.name), what)
				expectOneLine(err)
			}
		})
		it("name the import that a program lacks", func(_ SpecContext) {
			_, err := quixand.New(&quixand.Config{Adapter: "docker", Root: f.root, Registry: new(adapters.Registry)})
			Expect(err).To(failAs(quixand.ErrInvalid))
			var e *quixand.Error
			Expect(errors.As(err, &e)).To(BeTrue())
			Expect(e.Hint).To(ContainSubstring("pkg/adapters/docker"))
		})
	})
}

// expectOneLine asserts that an error can be printed as it is: one line, and not
// one that steers a terminal.
func expectOneLine(err error) {
	GinkgoHelper()
	Expect(err.Error()).To(MatchRegexp(`^[^\x00-\x1f\x7f]+$`), fmt.Sprintf("%q", err))
}
