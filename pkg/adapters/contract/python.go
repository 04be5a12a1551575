package contract

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describePython is about running snippets and installing packages, without any
// network where that can be had.
func describePython(f *fixture) {
	Describe("Python", Ordered, ContinueOnFailure, needs(Python), func() {
		b := new(box)
		BeforeAll(func(ctx SpecContext) {
			opts := &quixand.Options{}
			if f.has(Networks) {
				opts.Network = quixand.NetworkNone
			}
			*b = *f.create(ctx, opts)
		}, NodeTimeout(time.Minute))

		for _, snippet := range []struct {
			what, code, stdout, stderr string
			exit                       int
		}{
			{"prints", "x=1\nx+=1\nprint(x)", "2\n", "", 0},
			{"has quotes, dollars and newlines", "print('''a \"b\" $c\n`d` \\\\ e''')", "a \"b\" $c\n`d` \\ e\n", "", 0},
			{"prints other scripts", "print('é漢🦉')", "é漢🦉\n", "", 0},
			{"prints to both streams", "import sys; print(1); print(2, file=sys.stderr)", "1\n", "2\n", 0},
			{"exits", "import sys; sys.exit(3)", "", "", 3},
			{"raises", "def f():\n    raise ValueError('bad')\nf()", "", "ValueError: bad", 1},
			{"cannot be parsed", "this is no python", "", "SyntaxError", 1},
			{"begins with a dash", "-1", "", "", 0},
			{"is empty", "", "", "", 0},
			{"reads its input", "import sys; print(len(sys.stdin.read()))", "0\n", "", 0},
			{"is the main module", "print(__name__)", "__main__\n", "", 0},
		} {
			it("runs a snippet that "+snippet.what, func(ctx SpecContext) {
				res, err := b.RunCode(ctx, snippet.code)
				Expect(err).NotTo(HaveOccurred())
				Expect(res.Text()).To(Equal(snippet.stdout))
				Expect(string(res.Stderr)).To(ContainSubstring(snippet.stderr))
				Expect(res.ExitCode).To(Equal(snippet.exit))
			})
		}
		it("runs a snippet of a megabyte", func(ctx SpecContext) {
			res, err := b.RunCode(ctx, "x = '"+strings.Repeat("y", 1<<20)+"'\nprint(len(x))")
			Expect(err).NotTo(HaveOccurred())
			Expect(res.Text()).To(Equal("1048576\n"))
		})
		it("keeps snippets apart", func(ctx SpecContext) {
			_, err := b.RunCode(ctx, "kept = 1")
			Expect(err).NotTo(HaveOccurred())
			res, err := b.RunCode(ctx, "print('kept' in globals())")
			Expect(err).NotTo(HaveOccurred())
			Expect(res.Text()).To(Equal("False\n"))
		})
		it("ends a snippet with its context", func(ctx SpecContext) {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := b.RunCode(short, "while True: pass")
			Expect(err).To(MatchError(context.DeadlineExceeded))
			eventually(ctx, b.Processes).Should(BeEmpty())
		})
		it("installs a package for the user", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
			wheel := b.dir(ctx) + "/quixand_contract-1.0-py3-none-any.whl"
			_, err := b.Files.Write(ctx, wheel, makeWheel("quixand_contract", "1.0", "answer = 42\n"))
			Expect(err).NotTo(HaveOccurred())
			Expect(b.InstallPackages(ctx, wheel)).To(Succeed())
			res, err := b.RunCode(ctx, "import quixand_contract; print(quixand_contract.answer)")
			Expect(err).NotTo(HaveOccurred())
			Expect(string(res.Stderr)).To(BeEmpty())
			Expect(res.Text()).To(Equal("42\n"))
		})
		it("says why a package cannot be installed", SpecTimeout(time.Minute), func(ctx SpecContext) {
			err := b.InstallPackages(ctx, "./no-such-file.whl")
			Expect(err).To(HaveOccurred())
			Expect(err.Error()).To(ContainSubstring("no-such-file.whl"))
			var e *quixand.Error
			Expect(err).To(BeAssignableToTypeOf(e))
		})
		it("takes no switch for a package", func(ctx SpecContext) {
			Expect(b.InstallPackages(ctx, "--index-url=http://127.0.0.1")).To(failAs(quixand.ErrInvalid))
			Expect(b.InstallPackages(ctx, "")).To(failAs(quixand.ErrInvalid))
		})
	})
}

// makeWheel packs one module as pip wants it.
func makeWheel(name, version, code string) []byte {
	GinkgoHelper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	info := fmt.Sprintf("%s-%s.dist-info/", name, version)
	for _, file := range [][2]string{
		{name + ".py", code},
		{info + "METADATA", fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: contract\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", fmt.Sprintf("%s.py,,\n%sMETADATA,,\n%sWHEEL,,\n%sRECORD,,\n", name, info, info, info)},
	} {
		w, err := z.Create(file[0])
		Expect(err).NotTo(HaveOccurred())
		_, err = w.Write([]byte(file[1]))
		Expect(err).NotTo(HaveOccurred())
	}
	Expect(z.Close()).To(Succeed())
	return b.Bytes()
}
