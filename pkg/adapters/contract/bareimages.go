package contract

import (
	"bytes"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeImages is about images that have next to nothing in them.
func describeImages(f *fixture) {
	Describe("an image with one program and nothing else", Ordered, ContinueOnFailure, needs(Images), func() {
		b := new(box)
		BeforeAll(func(ctx SpecContext) {
			*b = *f.create(ctx, &quixand.Options{Template: f.Images[scratchImage], Pull: quixand.PullNever})
		}, NodeTimeout(time.Minute))

		run := func(ctx SpecContext, args ...string) string {
			GinkgoHelper()
			res, err := b.Run(ctx, "/probe", args...)
			Expect(err).NotTo(HaveOccurred())
			Expect(res.ExitCode).To(BeZero(), "%s", res.Stderr)
			return res.Text()
		}
		it("runs its program", func(ctx SpecContext) {
			Expect(run(ctx, "args", "a b", "")).To(Equal("\"a b\"\n\"\"\n"))
		})
		it("runs it as an unprivileged user with a home", needs(Isolation), func(ctx SpecContext) {
			Expect(run(ctx, "status")).To(MatchRegexp(`(?m)^Uid:\t1000\t1000\t1000\t1000$`))
			Expect(run(ctx, "env")).To(And(ContainSubstring(`"HOME=/home/user"`), ContainSubstring(`"USER=user"`)))
			Expect(b.Files.Stat(ctx, "~")).To(And(HaveField("IsDir()", true), HaveField("Owner", "user")))
			Expect(b.read(ctx, "/etc/passwd")).To(ContainSubstring("user:x:1000:1000:"))
		})
		it("has a workdir that can be written", func(ctx SpecContext) {
			b.write(ctx, "file", "content")
			Expect(b.Files.Stat(ctx, b.Workdir())).To(HaveField("Owner", "user"))
			cmd := b.Command("/probe", "touch", ".", "3")
			Expect(cmd.Run(ctx)).To(Succeed())
			Expect(b.Files.List(ctx, ".", 1)).To(HaveLen(4))
		})
		it("has a /tmp for everybody", func(ctx SpecContext) {
			Expect(run(ctx, "touch", "/tmp", "1")).To(BeEmpty())
		})
		it("pipes", func(ctx SpecContext) {
			cmd := b.Command("/probe", "cat")
			cmd.Stdin = bytes.NewReader(everyByte())
			Expect(cmd.Output(ctx)).To(Equal(everyByte()))
		})
		it("has exit codes, and no shell", func(ctx SpecContext) {
			Expect(b.Run(ctx, "/probe", "exit", "7")).To(HaveField("ExitCode", 7))
			Expect(b.Shell(ctx, "true")).To(HaveField("ExitCode", 127))
		})
		it("gets and puts trees", func(ctx SpecContext) {
			local := GinkgoT().TempDir()
			Expect(b.Files.Put(ctx, localTree(), "tree", nil)).To(Succeed())
			Expect(b.Files.Get(ctx, "tree", local, nil)).To(Succeed())
			Expect(local + "/tree/run.sh").To(BeARegularFile())
		})
		it("reaches ports", func(ctx SpecContext) {
			port := b.listening(ctx, b.Command("/probe", "serve", "127.0.0.1:0", "echo"))
			Expect(echoes(b.dial(ctx, port), "hello")).To(Succeed())
		})
		it("has terminals", func(ctx SpecContext) {
			t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"/probe", "args", "on a terminal"}})
			t.expectExit(ctx, 0)
			Expect(string(t.out.Contents())).To(Equal("\"on a terminal\"\r\n"))
		})
	})

	Describe("an image with busybox and nothing else", Ordered, ContinueOnFailure, needs(Busybox), func() {
		b := new(box)
		BeforeAll(func(ctx SpecContext) {
			*b = *f.create(ctx, &quixand.Options{Template: f.Images[busyboxImage], Pull: quixand.PullNever})
		}, NodeTimeout(time.Minute))

		it("runs shells", func(ctx SpecContext) {
			Expect(b.sh(ctx, "echo $((6*7)); pwd")).To(Equal("42\n" + b.Workdir()))
		})
		it("knows the user by name", needs(Isolation), func(ctx SpecContext) {
			Expect(b.sh(ctx, "id")).To(HavePrefix("uid=1000(user) gid=1000(user)"))
			Expect(b.sh(ctx, "cd && pwd && touch x && stat -c %U x")).To(Equal("/home/user\nuser"))
		})
		it("has terminals with its shell", func(ctx SpecContext) {
			t := b.terminal(ctx, nil)
			t.typed("exit 6\r")
			t.expectExit(ctx, 6)
		})
		it("writes and lists files", func(ctx SpecContext) {
			b.write(ctx, "dir/file", strings.Repeat("x", 10))
			Expect(b.sh(ctx, "ls -l dir | tail -n 1")).To(MatchRegexp(`user +user +10 .* file$`))
		})
	})
}
