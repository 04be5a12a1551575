package contract

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeDirectories is about the tree: what entries say of themselves, lists,
// and moving and removing.
func describeDirectories(f *fixture) {
	Describe("directories", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		describeStat(b)
		describeListing(b)
		describeGlob(b)
		describeMkdir(b)
		describeRename(b)
		describeRemove(b)
	})
}

func describeStat(b *box) {
	it("describes a file", func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "file")
		b.sh(ctx, "printf 12345 >"+file+" && chmod 640 "+file+" && touch -d '2020-02-02 02:02:02.5 UTC' "+file)
		e, err := b.Files.Stat(ctx, file)
		Expect(err).NotTo(HaveOccurred())
		Expect(e.Name).To(Equal("file"))
		Expect(e.Path).To(Equal(file))
		Expect(e.Size).To(BeEquivalentTo(5))
		Expect(e.Mode).To(Equal(fs.FileMode(0o640)))
		Expect(e.Modified).To(BeTemporally("==", time.Date(2020, 2, 2, 2, 2, 2, 5e8, time.UTC)))
		Expect(e.IsDir()).To(BeFalse())
		info := e.FileInfo()
		Expect(info.Name()).To(Equal("file"))
		Expect(info.Size()).To(BeEquivalentTo(5))
		Expect(info.Mode()).To(Equal(fs.FileMode(0o640)))
	})
	it("describes a directory", func(ctx SpecContext) {
		e, err := b.Files.Stat(ctx, b.dir(ctx))
		Expect(err).NotTo(HaveOccurred())
		Expect(e.IsDir()).To(BeTrue())
		Expect(e.Mode).To(Equal(fs.ModeDir | 0o755))
	})
	it("describes a symbolic link and not its target", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "cd "+dir+" && echo x >target && ln -s target link")
		e, err := b.Files.Stat(ctx, dir+"/link")
		Expect(err).NotTo(HaveOccurred())
		Expect(e.Name).To(Equal("link"))
		Expect(e.Mode.Type()).To(Equal(fs.ModeSymlink))
		Expect(e.Target).To(HaveSuffix("target"))
	})
	it("describes a broken link", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "ln -s nowhere "+dir+"/link")
		e, err := b.Files.Stat(ctx, dir+"/link")
		Expect(err).NotTo(HaveOccurred())
		Expect(e.Mode.Type()).To(Equal(fs.ModeSymlink))
		Expect(b.Files.Exists(ctx, dir+"/link")).To(BeTrue())
	})
	it("tells what is no file, directory or link", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "mkfifo "+dir+"/pipe")
		e, err := b.Files.Stat(ctx, dir+"/pipe")
		Expect(err).NotTo(HaveOccurred())
		Expect(e.Mode.Type()).To(Equal(fs.ModeNamedPipe))
	})
	it("fails for what is not there", func(ctx SpecContext) {
		dir := b.dir(ctx)
		_, err := b.Files.Stat(ctx, dir+"/missing")
		Expect(err).To(failAs(quixand.ErrNotFound))
		Expect(b.Files.Exists(ctx, dir+"/missing")).To(BeFalse())
		Expect(b.Files.Exists(ctx, dir+"/missing/below")).To(BeFalse())
		_, err = b.Files.Read(ctx, dir+"/missing")
		Expect(err).To(failAs(quixand.ErrNotFound))
		_, err = b.Files.List(ctx, dir+"/missing", 1)
		Expect(err).To(failAs(quixand.ErrNotFound))
	})
	it("does not read a directory as a file, or a file as a directory", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.write(ctx, dir+"/file", "x")
		_, err := b.Files.Read(ctx, dir)
		Expect(err).To(failAs(quixand.ErrInvalid))
		_, err = b.Files.WriteString(ctx, dir, "x")
		Expect(err).To(failAs(quixand.ErrInvalid))
		_, err = b.Files.List(ctx, dir+"/file", 1)
		Expect(err).To(failAs(quixand.ErrInvalid))
	})
}

func describeListing(b *box) {
	paths := func(ctx SpecContext, dir string, depth int) []string {
		GinkgoHelper()
		entries, err := b.Files.List(ctx, dir, depth)
		Expect(err).NotTo(HaveOccurred())
		names := []string{}
		for _, e := range entries {
			Expect(path.Base(e.Path)).To(Equal(e.Name))
			names = append(names, strings.TrimPrefix(e.Path, dir+"/"))
		}
		return names
	}
	const tree = "mkdir -p b/c/d a && touch b/c/d/4 b/c/3 b/2 a/1 0 .hidden"
	for _, c := range []struct {
		depth int
		want  string
	}{
		{0, ".hidden 0 a b"},
		{1, ".hidden 0 a b"},
		{2, ".hidden 0 a a/1 b b/2 b/c"},
		{3, ".hidden 0 a a/1 b b/2 b/c b/c/3 b/c/d"},
		{9, ".hidden 0 a a/1 b b/2 b/c b/c/3 b/c/d b/c/d/4"},
	} {
		it(fmt.Sprintf("lists in order, to the depth %d", c.depth), func(ctx SpecContext) {
			dir := b.dir(ctx)
			b.sh(ctx, "cd "+dir+" && "+tree)
			Expect(paths(ctx, dir, c.depth)).To(Equal(strings.Fields(c.want)))
		})
	}
	it("lists an empty directory as nothing", func(ctx SpecContext) {
		Expect(paths(ctx, b.dir(ctx), 1)).To(BeEmpty())
	})
	it("lists ten thousand files", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.probed(ctx, "touch", dir, "10000")
		Expect(paths(ctx, dir, 1)).To(HaveLen(10000))
	})
	it("follows a link that is asked for and none that it meets", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "cd "+dir+" && mkdir -p real/sub && ln -s real link && ln -s .. real/sub/up")
		Expect(paths(ctx, dir+"/link", 9)).To(Equal([]string{"sub", "sub/up"}))
	})
}

func describeGlob(b *box) {
	for _, c := range []struct{ pattern, want string }{
		{"*.txt", "a.txt b.txt"},
		{"?.go", "c.go"},
		{"[ab].txt", "a.txt b.txt"},
		{"sub/*", "sub/d.txt sub/e"},
		{"*/*.txt", "sub/d.txt"},
		{"none*", ""},
		{"a.txt", "a.txt"},
	} {
		it(fmt.Sprintf("finds by the pattern %q", c.pattern), func(ctx SpecContext) {
			dir := b.dir(ctx)
			b.sh(ctx, "cd "+dir+" && mkdir sub && touch a.txt b.txt c.go sub/d.txt sub/e")
			found, err := b.Files.Glob(ctx, dir+"/"+c.pattern)
			Expect(err).NotTo(HaveOccurred())
			for i := range found {
				found[i] = strings.TrimPrefix(found[i], dir+"/")
			}
			Expect(strings.Join(found, " ")).To(Equal(c.want))
		})
	}
	it("refuses a malformed pattern", func(ctx SpecContext) {
		_, err := b.Files.Glob(ctx, "[a")
		Expect(err).To(failAs(quixand.ErrInvalid))
	})
}

func describeMkdir(b *box) {
	it("makes one directory of the user's", func(ctx SpecContext) {
		dir := b.dir(ctx)
		Expect(b.Files.Mkdir(ctx, dir+"/new")).To(Succeed())
		Expect(b.sh(ctx, "touch "+dir+"/new/x && stat -c '%a %F' "+dir+"/new")).To(Equal("755 directory"))
	})
	it("makes none where something is", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.write(ctx, dir+"/file", "x")
		Expect(b.Files.Mkdir(ctx, dir)).To(failAs(quixand.ErrExists))
		Expect(b.Files.Mkdir(ctx, dir+"/file")).To(Or(failAs(quixand.ErrExists), failAs(quixand.ErrInvalid)))
	})
	it("makes none below what is missing", func(ctx SpecContext) {
		Expect(b.Files.Mkdir(ctx, b.dir(ctx)+"/a/b")).To(failAs(quixand.ErrNotFound))
	})
	it("makes parents when told to, and does not mind what is there", func(ctx SpecContext) {
		dir := b.dir(ctx)
		Expect(b.Files.MkdirAll(ctx, dir+"/a/b/c")).To(Succeed())
		Expect(b.Files.MkdirAll(ctx, dir+"/a/b/c")).To(Succeed())
		b.write(ctx, dir+"/a/file", "x")
		Expect(b.Files.MkdirAll(ctx, dir+"/a/file/d")).To(failAs(quixand.ErrInvalid))
	})
}

func describeRename(b *box) {
	it("moves a file and replaces another", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.write(ctx, dir+"/from", "new")
		b.write(ctx, dir+"/to", "old")
		Expect(b.Files.Rename(ctx, dir+"/from", dir+"/to")).To(Succeed())
		Expect(b.sh(ctx, "cd "+dir+" && ls && cat to")).To(Equal("to\nnew"))
	})
	it("moves a directory with what is in it", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.write(ctx, dir+"/from/deep/file", "x")
		Expect(b.Files.Rename(ctx, dir+"/from", dir+"/to")).To(Succeed())
		Expect(b.read(ctx, dir+"/to/deep/file")).To(Equal("x"))
		Expect(b.Files.Exists(ctx, dir+"/from")).To(BeFalse())
	})
	it("moves a link and not its target", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "cd "+dir+" && touch target && ln -s target link")
		Expect(b.Files.Rename(ctx, dir+"/link", dir+"/moved")).To(Succeed())
		Expect(b.sh(ctx, "cd "+dir+" && ls && readlink moved")).To(Equal("moved\ntarget\ntarget"))
	})
	it("fails for what is missing", func(ctx SpecContext) {
		dir := b.dir(ctx)
		Expect(b.Files.Rename(ctx, dir+"/missing", dir+"/to")).To(failAs(quixand.ErrNotFound))
	})
	it("does not replace a directory that is not empty", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "cd "+dir+" && mkdir from to && touch to/file")
		Expect(b.Files.Rename(ctx, dir+"/from", dir+"/to")).NotTo(Succeed())
		Expect(b.Files.Exists(ctx, dir+"/to/file")).To(BeTrue())
	})
}

func describeRemove(b *box) {
	it("removes a file, an empty directory and a link", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "cd "+dir+" && mkdir empty && touch file && ln -s file link")
		for _, name := range []string{"link", "empty", "file"} {
			Expect(b.Files.Remove(ctx, dir+"/"+name)).To(Succeed(), name)
		}
		Expect(b.sh(ctx, "ls -A "+dir)).To(BeEmpty())
	})
	it("does not remove a directory that is not empty", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.write(ctx, dir+"/file", "x")
		Expect(b.Files.Remove(ctx, dir)).To(failAs(quixand.ErrConflict))
		Expect(b.read(ctx, dir+"/file")).To(Equal("x"))
	})
	it("says that there is nothing to remove, unless all is to go", func(ctx SpecContext) {
		dir := b.dir(ctx)
		Expect(b.Files.Remove(ctx, dir+"/missing")).To(failAs(quixand.ErrNotFound))
		Expect(b.Files.RemoveAll(ctx, dir+"/missing")).To(Succeed())
	})
	it("removes a tree and nothing that its links lead to", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "cd "+dir+" && mkdir -p tree/a/b kept && touch kept/file tree/a/b/c && ln -s ../../kept tree/a/link")
		Expect(b.Files.RemoveAll(ctx, dir+"/tree")).To(Succeed())
		Expect(b.sh(ctx, "cd "+dir+" && find .")).To(Equal(".\n./kept\n./kept/file"))
	})
	it("removes what the user may not enter", needs(Isolation), func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "cd "+dir+" && mkdir -p tree/a && touch tree/a/b && chmod 0 tree/a")
		Expect(b.Files.RemoveAll(ctx, dir+"/tree")).To(Succeed())
		Expect(b.Files.Exists(ctx, dir+"/tree")).To(BeFalse())
	})
}
