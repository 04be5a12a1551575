package contract

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeWatch is about being told of changes in a directory.
func describeWatch(f *fixture) {
	Describe("watch", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		for _, c := range []struct {
			what, before, change string
			want                 quixand.FileEvent
		}{
			{"a new file", "", "touch x", quixand.FileEvent{Name: "x", Op: quixand.FileCreated}},
			{"a new directory", "", "mkdir x", quixand.FileEvent{Name: "x", Op: quixand.FileCreated}},
			{"a write", "touch x", "echo y >>x", quixand.FileEvent{Name: "x", Op: quixand.FileWritten}},
			{"a removal", "touch x", "rm x", quixand.FileEvent{Name: "x", Op: quixand.FileRemoved}},
			{"the old name of what is renamed", "touch x", "mv x y", quixand.FileEvent{Name: "x", Op: quixand.FileRenamed}},
			{"the new name of what is renamed", "touch x", "mv x y", quixand.FileEvent{Name: "y", Op: quixand.FileCreated}},
			{"a change of mode", "touch x", "chmod 600 x", quixand.FileEvent{Name: "x", Op: quixand.FileChmod}},
			{"an odd name", "", "touch 'a b\nc'", quixand.FileEvent{Name: "a b\nc", Op: quixand.FileCreated}},
		} {
			it("tells of "+c.what, func(ctx SpecContext) {
				dir := b.dir(ctx)
				b.sh(ctx, "cd "+dir+"; "+c.before)
				events, _ := b.watch(ctx, dir, false)
				b.sh(ctx, "cd "+dir+"; "+c.change)
				eventually(ctx, events).Should(Receive(Equal(c.want)))
			})
		}
		it("tells of what the library does", func(ctx SpecContext) {
			dir := b.dir(ctx)
			events, _ := b.watch(ctx, dir, false)
			b.write(ctx, dir+"/x", "y")
			eventually(ctx, events).Should(Receive(Equal(quixand.FileEvent{Name: "x", Op: quixand.FileWritten})))
		})
		it("keeps to its directory unless told", func(ctx SpecContext) {
			dir := b.dir(ctx)
			b.sh(ctx, "mkdir "+dir+"/sub")
			events, _ := b.watch(ctx, dir, false)
			b.sh(ctx, "cd "+dir+" && touch sub/below && touch last")
			eventually(ctx, events).Should(Receive(HaveField("Name", "last")))
		})
		it("goes down to directories that are there, and to new ones", func(ctx SpecContext) {
			dir := b.dir(ctx)
			b.sh(ctx, "mkdir -p "+dir+"/old/deep")
			events, _ := b.watch(ctx, dir, true)
			b.sh(ctx, "touch "+dir+"/old/deep/x")
			eventually(ctx, events).Should(Receive(Equal(quixand.FileEvent{Name: "old/deep/x", Op: quixand.FileCreated})))
			b.sh(ctx, "mkdir "+dir+"/new")
			eventually(ctx, events).Should(Receive(Equal(quixand.FileEvent{Name: "new", Op: quixand.FileCreated})))
			b.sh(ctx, "echo y >"+dir+"/new/x")
			eventually(ctx, events).Should(Receive(Equal(quixand.FileEvent{Name: "new/x", Op: quixand.FileWritten})))
		})
		it("ends with its context", func(ctx SpecContext) {
			watching, stop := context.WithCancel(ctx)
			events, end := b.watch(watching, b.dir(ctx), false)
			stop()
			eventually(ctx, events).Should(BeClosed())
			Expect(*end).To(Or(BeNil(), MatchError(context.Canceled)))
		})
		it("ends when the caller stops", func(ctx SpecContext) {
			dir := b.dir(ctx)
			started := func() { b.write(ctx, dir+"/x", "y") }
			for _, err := range b.Files.Watch(ctx, dir, &quixand.WatchOptions{Started: started}) {
				Expect(err).NotTo(HaveOccurred())
				break
			}
			Expect(b.Processes(ctx)).To(BeEmpty())
		})
		it("fails for what is no directory", func(ctx SpecContext) {
			dir := b.dir(ctx)
			b.write(ctx, dir+"/file", "x")
			for path, kind := range map[string]error{dir + "/missing": quixand.ErrNotFound, dir + "/file": quixand.ErrInvalid} {
				for _, err := range b.Files.Watch(ctx, path, nil) {
					Expect(err).To(failAs(kind), path)
				}
			}
		})
		it("says so when more comes than is taken", SpecTimeout(time.Minute), func(ctx SpecContext) {
			dir := b.dir(ctx)
			fill := func() { b.probed(ctx, "touch", dir, "60000") }
			var last error
			for _, err := range b.Files.Watch(ctx, dir, &quixand.WatchOptions{Started: fill}) {
				last = err
			}
			Expect(last).To(failAs(quixand.ErrExhausted))
		})
	})
}

// watch streams the changes in a directory until the case ends, or ctx does. The
// watch is in place when it returns. end is the last error once the channel is closed.
func (b *box) watch(ctx context.Context, dir string, recursive bool) (events <-chan quixand.FileEvent, end *error) {
	GinkgoHelper()
	ctx, stop := context.WithCancel(ctx)
	started, ended := make(chan struct{}), make(chan quixand.FileEvent, 1000)
	end = new(error)
	opts := &quixand.WatchOptions{Recursive: recursive, Started: func() { close(started) }}
	go func() {
		defer close(ended)
		for e, err := range b.Files.Watch(ctx, dir, opts) {
			if err != nil {
				*end = err
				return
			}
			ended <- e
		}
	}()
	DeferCleanup(func(ctx SpecContext) {
		stop()
		for range ended {
		}
	}, NodeTimeout(10*time.Second))
	select {
	case <-started:
	case <-ended:
		Expect(*end).NotTo(HaveOccurred(), "the watch ended before it began")
	case <-ctx.Done():
		Expect(context.Cause(ctx)).NotTo(HaveOccurred(), "the watch did not begin")
	}
	return ended, end
}
