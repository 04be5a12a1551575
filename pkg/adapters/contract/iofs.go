package contract

import (
	"context"
	"io"
	"io/fs"
	"path"
	"testing/fstest"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// describeFS is about a sandbox as an io/fs.FS.
func describeFS(f *fixture) {
	Describe("FS", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)
		var dir string
		BeforeAll(func(ctx SpecContext) {
			dir = b.dir(ctx)
			b.sh(ctx, "cd "+dir+` && mkdir -p sub/deep empty && echo top >top && echo two >sub/two && printf x >sub/deep/x &&
				touch nothing && ln -s sub/two link`)
		})

		it("is what testing/fstest calls one", func(ctx SpecContext) {
			Expect(fstest.TestFS(b.FS(ctx, dir), "top", "sub/two", "sub/deep/x", "nothing")).To(Succeed())
		})
		it("can be walked", func(ctx SpecContext) {
			var seen []string
			Expect(fs.WalkDir(b.FS(ctx, dir), ".", func(name string, _ fs.DirEntry, err error) error {
				seen = append(seen, name)
				return err
			})).To(Succeed())
			Expect(seen).To(Equal([]string{".", "empty", "link", "nothing", "sub", "sub/deep", "sub/deep/x", "sub/two", "top"}))
		})
		it("reads, stats, globs and goes down", func(ctx SpecContext) {
			fsys := b.FS(ctx, dir)
			Expect(fs.ReadFile(fsys, "top")).To(BeEquivalentTo("top\n"))
			Expect(fs.Stat(fsys, "sub/two")).To(HaveField("Size()", BeEquivalentTo(4)))
			Expect(fs.Glob(fsys, "*/t*")).To(Equal([]string{"sub/two"}))
			sub, err := fs.Sub(fsys, "sub")
			Expect(err).NotTo(HaveOccurred())
			Expect(fs.ReadFile(sub, "two")).To(BeEquivalentTo("two\n"))
		})
		it("says fs.ErrNotExist and fs.ErrInvalid", func(ctx SpecContext) {
			fsys := b.FS(ctx, dir)
			_, err := fs.Stat(fsys, "missing")
			Expect(err).To(MatchError(fs.ErrNotExist))
			for _, name := range []string{"/etc/passwd", "../x", "a/../b", "sub/"} {
				_, err := fsys.Open(name)
				Expect(err).To(MatchError(fs.ErrInvalid), name)
			}
		})
		it("seeks in regular files", func(ctx SpecContext) {
			b.write(ctx, path.Join(dir, "empty", "digits"), "0123456789")
			DeferCleanup(func(ctx SpecContext) { Expect(b.Files.Remove(ctx, path.Join(dir, "empty", "digits"))).To(Succeed()) })
			file, err := b.FS(ctx, dir).Open("empty/digits")
			Expect(err).NotTo(HaveOccurred())
			defer file.Close()
			seeker := file.(io.ReadSeeker)
			Expect(seeker.Seek(-3, io.SeekEnd)).To(BeEquivalentTo(7))
			Expect(io.ReadAll(seeker)).To(BeEquivalentTo("789"))
			Expect(seeker.Seek(2, io.SeekStart)).To(BeEquivalentTo(2))
			two := make([]byte, 2)
			_, err = io.ReadFull(seeker, two)
			Expect(err).NotTo(HaveOccurred())
			Expect(two).To(BeEquivalentTo("23"))
		})
		it("ends with its context", func(ctx SpecContext) {
			ended, cancel := context.WithCancel(ctx)
			fsys := b.FS(ended, dir)
			cancel()
			_, err := fs.ReadFile(fsys, "top")
			Expect(err).To(MatchError(context.Canceled))
		})
	})
}
