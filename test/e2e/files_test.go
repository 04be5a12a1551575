package e2e

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("qs files", needsEngine, Ordered, ContinueOnFailure, func() {
	id := shared()

	It("puts and gets a tree", limit, func(ctx SpecContext) {
		local := filepath.Join(GinkgoT().TempDir(), "tree")
		Expect(os.MkdirAll(filepath.Join(local, "sub dir"), 0o755)).To(Succeed())
		Expect(os.WriteFile(filepath.Join(local, "sub dir", "-rf"), []byte("content"), 0o750)).To(Succeed())
		ok(ctx, "files", "put", *id, local, "copy")
		Expect(ok(ctx, "exec", *id, "stat", "-c", "%a %s", "copy/sub dir/-rf")).To(Equal("750 7"))
		back := filepath.Join(GinkgoT().TempDir(), "back")
		ok(ctx, "files", "get", *id, "copy", back)
		Expect(os.ReadFile(filepath.Join(back, "sub dir", "-rf"))).To(BeEquivalentTo("content"))
	})
	It("copies either way by one verb", limit, func(ctx SpecContext) {
		local := filepath.Join(GinkgoT().TempDir(), "file")
		Expect(os.WriteFile(local, []byte("content"), 0o644)).To(Succeed())
		ok(ctx, "cp", local, *id+":copied")
		ok(ctx, "cp", *id+":copied", local+".back")
		Expect(os.ReadFile(local + ".back")).To(BeEquivalentTo("content"))
	})
	It("makes, lists, moves and removes", limit, func(ctx SpecContext) {
		ok(ctx, "files", "mkdir", "--parents", *id, "a/b/c")
		ok(ctx, "exec", *id, "touch", "a/1", "a/b/2")
		Expect(ok(ctx, "files", "ls", *id, "a")).To(MatchRegexp(`(?s)1.*b`))
		Expect(ok(ctx, "files", "ls", "--recursive", *id, "a")).To(ContainSubstring("b/2"))
		ok(ctx, "files", "mv", *id, "a/1", "a/moved")
		Expect(qs(ctx, "files", "rm", *id, "a").Code).To(Equal(1))
		ok(ctx, "files", "rm", "--recursive", *id, "a")
		out := qs(ctx, "files", "ls", *id, "a")
		Expect(out.Code).To(Equal(3))
		Expect(out.Stderr).To(HavePrefix("qs: "))
	})
	It("writes from standard input and reads to standard output", limit, func(ctx SpecContext) {
		big := strings.Repeat("\x00\xff\r\n", 1_000_000)
		cmd := command(ctx, "files", "write", *id, "big")
		cmd.Stdin = strings.NewReader(big)
		Expect(run(cmd).Code).To(BeZero())
		Expect(qs(ctx, "files", "cat", *id, "big").Stdout == big).To(BeTrue())
	})
	It("takes names as they are", limit, func(ctx SpecContext) {
		for _, name := range []string{"with space", "-dash", "ünïcode", "line\nbreak", "colon:name"} {
			cmd := command(ctx, "files", "write", *id, "--", "./"+name)
			cmd.Stdin = strings.NewReader(name)
			Expect(run(cmd)).To(HaveField("Code", 0), "%q", name)
			Expect(ok(ctx, "files", "cat", *id, "./"+name)).To(Equal(name))
		}
	})
})
