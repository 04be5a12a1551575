package contract

import (
	"fmt"
	"path"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// oddNames are file names that break what does not take names as they are.
var oddNames = []string{
	"with spaces",
	" leading and trailing ",
	"line\nbreak",
	"tab\tand\rreturn",
	"ünïcode-漢字-🦉",
	"e\u0301 is not \u00e9", // two normal forms
	"-rf",
	"--help",
	"'single' \"double\" `back`",
	"$HOME ${x} $(true) *?[a]",
	"back\\slash",
	"semi;colon&amp|pipe<>",
	"percent%2Fslash%00",
	"plus+and=equals",
	"#hash?query",
	"...",
	"~",
	"colon:C:",
	"escape\x1b[31mred",
	strings.Repeat("n", 255),
}

// describeNames takes each of the odd names through the life of a file.
func describeNames(f *fixture) {
	Describe("names", Ordered, ContinueOnFailure, func() {
		b := f.shared(nil)

		for _, name := range oddNames {
			it(fmt.Sprintf("are kept: %.40q", name), func(ctx SpecContext) {
				dir := b.dir(ctx)
				file := path.Join(dir, name)
				entry, err := b.Files.WriteString(ctx, file, "content")
				Expect(err).NotTo(HaveOccurred())
				Expect(entry.Name).To(Equal(name))
				Expect(entry.Path).To(Equal(file))

				Expect(b.read(ctx, file)).To(Equal("content"))
				Expect(b.Files.Stat(ctx, file)).To(HaveField("Name", name))
				Expect(b.Files.Exists(ctx, file)).To(BeTrue())
				Expect(b.Files.List(ctx, dir, 1)).To(ConsistOf(HaveField("Name", name)))
				Expect(b.probed(ctx, "args", file)).To(Equal(fmt.Sprintf("%q\n", file)))
				cmd := b.Command("cat", "./"+name)
				cmd.Dir = dir
				Expect(cmd.Output(ctx)).To(BeEquivalentTo("content"))

				Expect(b.Files.Rename(ctx, file, file+"2"[:min(1, 255-len(name))])).To(Succeed())
				Expect(b.Files.RemoveAll(ctx, dir)).To(Succeed())
				Expect(b.Files.Exists(ctx, file)).To(BeFalse())
			})
		}

		it("are kept of directories, too", func(ctx SpecContext) {
			dir := b.dir(ctx)
			for _, name := range oddNames {
				sub := path.Join(dir, name)
				Expect(b.Files.Mkdir(ctx, sub)).To(Succeed(), "%q", name)
				cmd := b.Command("pwd")
				cmd.Dir = sub
				Expect(cmd.Output(ctx)).To(BeEquivalentTo(sub+"\n"), "%q", name)
			}
			Expect(b.Files.List(ctx, dir, 1)).To(HaveLen(len(oddNames)))
		})
		it("that are not UTF-8 do not hide their neighbours", func(ctx SpecContext) {
			dir := b.dir(ctx)
			b.sh(ctx, "cd "+dir+` && touch a b && touch "$(printf 'bad\377name')"`)
			entries, err := b.Files.List(ctx, dir, 1)
			Expect(err).NotTo(HaveOccurred())
			Expect(entries).To(ContainElements(HaveField("Name", "a"), HaveField("Name", "b")))
		})
		it("with a zero byte are refused", func(ctx SpecContext) {
			_, err := b.Files.WriteString(ctx, "a\x00b", "x")
			Expect(err).To(failAs(quixand.ErrInvalid))
			Expect(b.Files.Mkdir(ctx, "a\x00b")).To(failAs(quixand.ErrInvalid))
		})
		it("that are too long are refused", func(ctx SpecContext) {
			_, err := b.Files.WriteString(ctx, strings.Repeat("n", 256), "x")
			Expect(err).To(failAs(quixand.ErrInvalid))
		})
		it("that are empty are refused", func(ctx SpecContext) {
			_, err := b.Files.WriteString(ctx, "", "x")
			Expect(err).To(failAs(quixand.ErrInvalid))
			Expect(b.Files.RemoveAll(ctx, "")).To(failAs(quixand.ErrInvalid))
		})
	})
}
