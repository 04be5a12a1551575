package contract

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
	"testing/iotest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeFiles is about single files: their bytes, their modes, their size.
func describeFiles(f *fixture) {
	Describe("files", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		describeContent(b)
		describeModes(b)
		describeRanges(b)
		describeBigFiles(b)
	})
}

func describeContent(b *box) {
	for _, content := range []struct {
		what string
		data []byte
	}{
		{"nothing", nil},
		{"text", []byte("hello\n")},
		{"every byte", everyByte()},
		{"text with CR LF", []byte("a\r\nb\r\n")},
		{"invalid UTF-8", []byte("\xff\xfe\xc3(")},
		{"an incomplete multipart boundary", []byte("--boundary\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n--")},
		{"one byte more than 64 KiB", pattern(64<<10 + 1)},
		{"what gzip would pack well", make([]byte, 1<<20)},
	} {
		it("keeps a file with "+content.what, func(ctx SpecContext) {
			file := path.Join(b.dir(ctx), "file")
			entry, err := b.Files.Write(ctx, file, content.data)
			Expect(err).NotTo(HaveOccurred())
			Expect(entry.Path).To(Equal(file))
			Expect(entry.Name).To(Equal("file"))
			Expect(entry.Size).To(BeEquivalentTo(len(content.data)))
			read, err := b.Files.Read(ctx, file)
			Expect(err).NotTo(HaveOccurred())
			Expect(bytes.Equal(read, content.data)).To(BeTrue())
			Expect(b.sh(ctx, "sha256sum <"+file)).To(HavePrefix(sum(content.data)))
		})
	}

	it("begins relative paths at the workdir", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.write(ctx, path.Base(dir)+"/relative", "x")
		Expect(b.read(ctx, dir+"/relative")).To(Equal("x"))
		Expect(b.read(ctx, "./"+path.Base(dir)+"/../"+path.Base(dir)+"/relative")).To(Equal("x"))
	})
	it("begins ~ at the user's home", func(ctx SpecContext) {
		name := fmt.Sprintf("qs-%d", fresh.Add(1))
		b.write(ctx, "~/"+name, "x")
		Expect(b.sh(ctx, "cat ~/"+name+" && rm ~/"+name)).To(Equal("x"))
	})
	it("makes missing parents", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.write(ctx, dir+"/a/b/c/file", "x")
		Expect(b.sh(ctx, "stat -c '%a %U' "+dir+"/a "+dir+"/a/b")).To(Equal(b.sh(ctx, `echo "755 $(id -un)"; echo "755 $(id -un)"`)))
	})
	it("replaces a longer file", func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "file")
		b.write(ctx, file, "a long text")
		b.write(ctx, file, "short")
		Expect(b.read(ctx, file)).To(Equal("short"))
	})
	it("gives files to the user", func(ctx SpecContext) {
		dir := b.dir(ctx)
		entry, err := b.Files.WriteString(ctx, dir+"/file", "x")
		Expect(err).NotTo(HaveOccurred())
		Expect(entry.Owner).To(Equal(b.sh(ctx, "id -un")))
		Expect(b.sh(ctx, "stat -c %U:%G "+dir+"/file")).To(Equal(entry.Owner + ":" + entry.Group))
	})
	it("gives a file to the user that is named", needs(RootUser), func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "file")
		_, err := b.Files.WriteFrom(ctx, file, strings.NewReader("x"), &quixand.WriteOptions{User: "root"})
		Expect(err).NotTo(HaveOccurred())
		Expect(b.sh(ctx, "stat -c %u:%g "+file)).To(Equal("0:0"))
	})
	it("writes through a symbolic link and leaves the link", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "cd "+dir+" && touch target && ln -s target link")
		b.write(ctx, dir+"/link", "x")
		Expect(b.sh(ctx, "cd "+dir+" && cat target && readlink link")).To(Equal("xtarget"))
	})
	it("reports a reader's error and keeps what came before", func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "file")
		broken := errors.New("the reader broke")
		_, err := b.Files.WriteFrom(ctx, file, io.MultiReader(strings.NewReader("before"), iotest.ErrReader(broken)), nil)
		Expect(err).To(MatchError(broken))
		if there, err := b.Files.Exists(ctx, file); there || err != nil { // it broke off before the agent heard of it
			Expect("before").To(HavePrefix(b.read(ctx, file)))
		}
	})
	it("keeps files that are written at once apart", func(ctx SpecContext) {
		dir := b.dir(ctx)
		inParallel(8, func(i int) {
			file := fmt.Sprintf("%s/%d", dir, i)
			data := bytes.Repeat([]byte{byte('a' + i)}, 300_000)
			_, err := b.Files.Write(ctx, file, data)
			Expect(err).NotTo(HaveOccurred())
			read, err := b.Files.Read(ctx, file)
			Expect(err).NotTo(HaveOccurred())
			Expect(bytes.Equal(read, data)).To(BeTrue())
		})
	})
}

func describeModes(b *box) {
	it("gives new files 0644", func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "file")
		entry, err := b.Files.WriteString(ctx, file, "x")
		Expect(err).NotTo(HaveOccurred())
		Expect(entry.Mode).To(Equal(fs.FileMode(0o644)))
		Expect(b.sh(ctx, "stat -c %a "+file)).To(Equal("644"))
	})
	for _, mode := range []fs.FileMode{0o400, 0o600, 0o664, 0o755, 0o777} {
		it(fmt.Sprintf("gives a file the mode %04o", mode), func(ctx SpecContext) {
			file := path.Join(b.dir(ctx), "file")
			entry, err := b.Files.WriteFrom(ctx, file, strings.NewReader("x"), &quixand.WriteOptions{Mode: mode})
			Expect(err).NotTo(HaveOccurred())
			Expect(entry.Mode).To(Equal(mode))
			Expect(b.sh(ctx, "stat -c %a "+file)).To(Equal(fmt.Sprintf("%o", mode)))
		})
	}
	it("keeps the mode of a file that it replaces", func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "file")
		b.sh(ctx, "echo old >"+file+" && chmod 750 "+file)
		b.write(ctx, file, "new")
		Expect(b.sh(ctx, "stat -c %a "+file)).To(Equal("750"))
	})
}

func describeRanges(b *box) {
	for _, r := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, "0123456789"},
		{0, 3, "012"},
		{3, 4, "3456"},
		{8, -1, "89"},
		{8, 100, "89"},
		{9, 1, "9"},
		{10, -1, ""},
		{3, 0, ""},
		{50, 10, ""},
	} {
		it(fmt.Sprintf("reads %d bytes from %d on", r.length, r.offset), func(ctx SpecContext) {
			file := path.Join(b.dir(ctx), "file")
			b.write(ctx, file, "0123456789")
			rc, err := b.Files.OpenRange(ctx, file, r.offset, r.length)
			Expect(err).NotTo(HaveOccurred())
			defer rc.Close()
			Expect(io.ReadAll(rc)).To(BeEquivalentTo(r.want))
		})
	}
	it("reads a part of a file that has no size of its own, as in /proc", func(ctx SpecContext) {
		all := b.read(ctx, "/proc/version")
		rc, err := b.Files.OpenRange(ctx, "/proc/version", 6, 7)
		Expect(err).NotTo(HaveOccurred())
		defer rc.Close()
		Expect(io.ReadAll(rc)).To(BeEquivalentTo(all[6:13]))
	})
	it("reads no part of an empty file", func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "file")
		b.write(ctx, file, "")
		for _, r := range [][2]int64{{0, 5}, {3, -1}, {3, 5}} {
			rc, err := b.Files.OpenRange(ctx, file, r[0], r[1])
			Expect(err).NotTo(HaveOccurred())
			Expect(io.ReadAll(rc)).To(BeEmpty())
			Expect(rc.Close()).To(Succeed())
		}
	})
	it("refuses a negative offset", func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "file")
		b.write(ctx, file, "x")
		_, err := b.Files.OpenRange(ctx, file, -1, 1)
		Expect(err).To(failAs(quixand.ErrInvalid))
	})
}

func describeBigFiles(b *box) {
	const big = 1 << 30
	it("streams 1 GiB up and down with flat memory", SpecTimeout(3*time.Minute), func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "big")
		DeferCleanup(func(ctx SpecContext) { Expect(b.Files.Remove(ctx, file)).To(Succeed()) }, NodeTimeout(time.Minute))
		up, down := sha256.New(), sha256.New()
		grown := memoryOf(func() {
			_, err := b.Files.WriteFrom(ctx, file, io.TeeReader(noise(big), up), nil)
			Expect(err).NotTo(HaveOccurred())
			rc, err := b.Files.Open(ctx, file)
			Expect(err).NotTo(HaveOccurred())
			defer rc.Close()
			Expect(io.Copy(down, rc)).To(BeEquivalentTo(big))
		})
		Expect(down.Sum(nil)).To(Equal(up.Sum(nil)))
		Expect(grown).To(BeNumerically("<", 64<<20))
	})
	it("streams with flat memory in the agent, too", needs(Isolation), func(ctx SpecContext) {
		Expect(b.number(ctx, "sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/1/status")).To(BeNumerically("<", 128<<10))
	})
	it("refuses to read whole what is larger than MaxRead", func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "sparse")
		b.sh(ctx, fmt.Sprintf("truncate -s %d %s", int64(quixand.MaxRead)+1, file))
		_, err := b.Files.Read(ctx, file)
		Expect(err).To(failAs(quixand.ErrExhausted))
	})
	it("stops a transfer with its context", func(ctx SpecContext) {
		file := path.Join(b.dir(ctx), "sparse")
		b.sh(ctx, "truncate -s 1T "+file)
		reading, stop := context.WithCancel(ctx)
		rc, err := b.Files.Open(reading, file)
		Expect(err).NotTo(HaveOccurred())
		defer rc.Close()
		_, err = io.CopyN(io.Discard, rc, 1<<20)
		Expect(err).NotTo(HaveOccurred())
		stop()
		_, err = io.Copy(io.Discard, rc)
		Expect(err).To(MatchError(context.Canceled))
	})
}

func everyByte() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// pattern is n bytes that no shift leaves as they are.
func pattern(n int64) []byte {
	b, err := io.ReadAll(noise(n))
	if err != nil {
		panic(err)
	}
	return b
}

// noise is n bytes of a stream that is the same every time.
func noise(n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{1}), n)
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
