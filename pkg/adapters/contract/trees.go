package contract

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeTrees is about whole trees that travel between host and sandbox, and
// about sandboxes that would like to write elsewhere on the host.
func describeTrees(f *fixture) {
	Describe("trees", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		describePut(b)
		describeGet(b)
		describeHostileGet(b)
	})
}

// localTree makes files of several kinds on the host.
func localTree() string {
	GinkgoHelper()
	root := filepath.Join(GinkgoT().TempDir(), "tree")
	Expect(os.MkdirAll(filepath.Join(root, "sub dir", "empty"), 0o755)).To(Succeed())
	for name, mode := range map[string]fs.FileMode{"run.sh": 0o755, "sub dir/-rf": 0o600, "line\nbreak": 0o644} {
		path := filepath.Join(root, name)
		Expect(os.WriteFile(path, []byte("content of "+name), 0o600)).To(Succeed())
		Expect(os.Chmod(path, mode)).To(Succeed())
		Expect(os.Chtimes(path, time.Time{}, someTime)).To(Succeed())
	}
	Expect(os.Symlink("sub dir/-rf", filepath.Join(root, "link"))).To(Succeed())
	return root
}

var someTime = time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)

func describePut(b *box) {
	it("puts a tree with modes, times and links", func(ctx SpecContext) {
		dir := b.dir(ctx)
		var told int64
		Expect(b.Files.Put(ctx, localTree(), dir+"/copy", func(n int64) { told = n })).To(Succeed())
		Expect(b.sh(ctx, "cd "+dir+"/copy && find . | LC_ALL=C sort")).
			To(Equal(".\n./line\n./link\n./run.sh\n./sub dir\n./sub dir/-rf\n./sub dir/empty\nbreak"))
		Expect(b.sh(ctx, "cd "+dir+`/copy && stat -c '%a %Y' run.sh "sub dir/-rf" && readlink link && cat run.sh`)).
			To(Equal("755 1614834367\n600 1614834367\nsub dir/-rf\ncontent of run.sh"))
		Expect(b.sh(ctx, "stat -c %U "+dir+"/copy/run.sh")).To(Equal(b.sh(ctx, "id -un")))
		Expect(told).To(BeNumerically(">", 0))
	})
	it("puts a tree into a directory that is there", func(ctx SpecContext) {
		dir := b.dir(ctx)
		Expect(b.Files.Put(ctx, localTree(), dir, nil)).To(Succeed())
		Expect(b.read(ctx, dir+"/tree/run.sh")).To(Equal("content of run.sh"))
	})
	it("puts a file under a name, or into a directory", func(ctx SpecContext) {
		dir := b.dir(ctx)
		local := filepath.Join(localTree(), "run.sh")
		Expect(b.Files.Put(ctx, local, dir+"/renamed", nil)).To(Succeed())
		Expect(b.Files.Put(ctx, local, dir, nil)).To(Succeed())
		Expect(b.sh(ctx, "cd "+dir+" && stat -c '%n %a' *")).To(Equal("renamed 755\nrun.sh 755"))
	})
	it("says what is missing on the host", func(ctx SpecContext) {
		err := b.Files.Put(ctx, filepath.Join(GinkgoT().TempDir(), "missing"), b.dir(ctx), nil)
		Expect(err).To(failAs(quixand.ErrNotFound))
		Expect(err).To(MatchError(fs.ErrNotExist))
	})
	it("puts a thousand small files", SpecTimeout(time.Minute), func(ctx SpecContext) {
		local := filepath.Join(GinkgoT().TempDir(), "many")
		Expect(os.Mkdir(local, 0o755)).To(Succeed())
		for i := range 1000 {
			Expect(os.WriteFile(filepath.Join(local, strings.Repeat("x", i/50+1)+string(rune('a'+i%50))), []byte{byte(i)}, 0o644)).To(Succeed())
		}
		dir := b.dir(ctx)
		Expect(b.Files.Put(ctx, local, dir, nil)).To(Succeed())
		Expect(b.number(ctx, "ls "+dir+"/many | wc -l")).To(Equal(1000))
	})
}

func describeGet(b *box) {
	it("gets back what was put", func(ctx SpecContext) {
		dir, local := b.dir(ctx), GinkgoT().TempDir()
		Expect(b.Files.Put(ctx, localTree(), dir+"/tree", nil)).To(Succeed())
		Expect(b.Files.Get(ctx, dir+"/tree", filepath.Join(local, "copy"), nil)).To(Succeed())
		Expect(os.ReadFile(filepath.Join(local, "copy", "sub dir", "-rf"))).To(BeEquivalentTo("content of sub dir/-rf"))
		info, err := os.Stat(filepath.Join(local, "copy", "run.sh"))
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode()).To(Equal(fs.FileMode(0o755)))
		Expect(info.ModTime()).To(BeTemporally("==", someTime))
		Expect(os.Readlink(filepath.Join(local, "copy", "link"))).To(Equal("sub dir/-rf"))
		Expect(filepath.Join(local, "copy", "sub dir", "empty")).To(BeADirectory())
	})
	it("gets a tree into a directory that is there", func(ctx SpecContext) {
		dir, local := b.dir(ctx), GinkgoT().TempDir()
		b.write(ctx, dir+"/tree/file", "x")
		Expect(b.Files.Get(ctx, dir+"/tree", local, nil)).To(Succeed())
		Expect(os.ReadFile(filepath.Join(local, "tree", "file"))).To(BeEquivalentTo("x"))
	})
	it("gets a file under a name, or into a directory", func(ctx SpecContext) {
		dir, local := b.dir(ctx), GinkgoT().TempDir()
		b.write(ctx, dir+"/file", "x")
		Expect(b.Files.Get(ctx, dir+"/file", filepath.Join(local, "renamed"), nil)).To(Succeed())
		Expect(b.Files.Get(ctx, dir+"/file", local, nil)).To(Succeed())
		Expect(os.ReadFile(filepath.Join(local, "renamed"))).To(BeEquivalentTo("x"))
		Expect(os.ReadFile(filepath.Join(local, "file"))).To(BeEquivalentTo("x"))
	})
	it("says what is missing in the sandbox", func(ctx SpecContext) {
		local := filepath.Join(GinkgoT().TempDir(), "to")
		Expect(b.Files.Get(ctx, b.dir(ctx)+"/missing", local, nil)).To(failAs(quixand.ErrNotFound))
		Expect(local).NotTo(BeAnExistingFile())
	})
	it("leaves out devices, pipes and sockets", func(ctx SpecContext) {
		dir, local := b.dir(ctx), GinkgoT().TempDir()
		b.sh(ctx, "cd "+dir+" && mkdir tree && mkfifo tree/pipe && echo x >tree/file")
		Expect(b.Files.Get(ctx, dir+"/tree", local, nil)).To(Succeed())
		Expect(filepath.Join(local, "tree", "file")).To(BeARegularFile())
		_, err := os.Lstat(filepath.Join(local, "tree", "pipe"))
		Expect(err).To(MatchError(fs.ErrNotExist))
	})
}

// describeHostileGet plants what would make a careless copy write outside of its
// destination, and looks at a neighbour of the destination afterwards.
func describeHostileGet(b *box) {
	for _, trap := range []struct{ what, script string }{
		{"a link to an absolute path", "ln -s /etc tree/out"},
		{"a link that climbs", "ln -s ../../../../../../victim tree/out"},
		{"a link that climbs in the middle", "mkdir tree/a && ln -s a/../../../victim tree/out"},
		{"a chain of links", "ln -s . tree/here && ln -s here/../../victim tree/out"},
	} {
		it("refuses "+trap.what, func(ctx SpecContext) {
			dir, local := b.dir(ctx), GinkgoT().TempDir()
			victim := filepath.Join(local, "victim")
			Expect(os.WriteFile(victim, []byte("untouched"), 0o600)).To(Succeed())
			b.sh(ctx, "cd "+dir+" && mkdir tree && "+trap.script)
			Expect(b.Files.Get(ctx, dir+"/tree", filepath.Join(local, "to"), nil)).To(failAs(quixand.ErrPermission))
			Expect(os.ReadFile(victim)).To(BeEquivalentTo("untouched"))
			_, err := os.Lstat(filepath.Join(local, "to", "out"))
			Expect(err).To(MatchError(fs.ErrNotExist))
		})
	}
	it("does not write through a link that was there before", func(ctx SpecContext) {
		dir, local := b.dir(ctx), GinkgoT().TempDir()
		victim := filepath.Join(GinkgoT().TempDir(), "victim")
		Expect(os.WriteFile(victim, []byte("untouched"), 0o600)).To(Succeed())
		Expect(os.MkdirAll(filepath.Join(local, "tree"), 0o755)).To(Succeed())
		Expect(os.Symlink(victim, filepath.Join(local, "tree", "file"))).To(Succeed())
		b.write(ctx, dir+"/tree/file", "hostile")
		_ = b.Files.Get(ctx, dir+"/tree", local, nil) // may replace the link, or refuse
		Expect(os.ReadFile(victim)).To(BeEquivalentTo("untouched"))
	})
	it("brings no setuid bit to the host", func(ctx SpecContext) {
		dir, local := b.dir(ctx), GinkgoT().TempDir()
		b.sh(ctx, "cd "+dir+" && mkdir tree && echo x >tree/file && chmod 6777 tree/file")
		Expect(b.Files.Get(ctx, dir+"/tree", local, nil)).To(Succeed())
		info, err := os.Stat(filepath.Join(local, "tree", "file"))
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode() & (fs.ModeSetuid | fs.ModeSetgid)).To(BeZero())
	})
}
