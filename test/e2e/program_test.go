package e2e

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("the programs", func() {
	for _, name := range []string{"qs", "qs-agent"} {
		It("are static: "+name, func() {
			file, err := elf.Open(filepath.Join(suite.checkout, "bin", name))
			Expect(err).NotTo(HaveOccurred())
			defer file.Close()
			for _, p := range file.Progs {
				Expect(p.Type).NotTo(Equal(elf.PT_INTERP), "a dynamic loader is asked for")
			}
		})
	}
	It("are one file in a release", limit, needsEngine, func(ctx SpecContext) {
		dir := GinkgoT().TempDir() // with no agent beside it
		release, err := os.ReadFile(filepath.Join(suite.checkout, "bin", "release", "qs"))
		Expect(err).NotTo(HaveOccurred(), "build it with: make release")
		alone := filepath.Join(dir, "qs")
		Expect(os.WriteFile(alone, release, 0o755)).To(Succeed())
		cmd := exec.CommandContext(ctx, alone, "run", "--", "echo", "alone")
		cmd.Env = append(os.Environ(), "QS_AGENT=", "QS_ROOT="+dir)
		Expect(run(cmd)).To(Equal(outcome{Stdout: "alone\n"}))
		Expect(filepath.Glob(filepath.Join(dir, "cache/agent/embedded-*/qs-agent"))).To(HaveLen(1))
	})
	It("do what the demo shows", limit, needsEngine, func(ctx SpecContext) {
		out, err := exec.CommandContext(ctx, filepath.Join(suite.checkout, "hack", "demo")).CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), "%s", out)
	})
	It("tell their versions", limit, func(ctx SpecContext) {
		Expect(ok(ctx, "version")).To(ContainSubstring("qs"))
	})
	It("help without an engine", limit, func(ctx SpecContext) {
		cmd := command(ctx, "--help")
		cmd.Env = []string{"HOME=/nonexistent", "CONTAINER_HOST=unix:///no/such.sock"}
		Expect(run(cmd)).To(And(HaveField("Code", 0), HaveField("Stdout", ContainSubstring("qs run"))))
	})
	for _, shell := range []string{"bash", "zsh", "fish"} {
		It("complete in "+shell, limit, func(ctx SpecContext) {
			Expect(len(ok(ctx, "completion", shell))).To(BeNumerically(">", 500))
		})
	}
	It("refuse what nobody understands", limit, func(ctx SpecContext) {
		for _, args := range [][]string{{"no-such-verb"}, {"ls", "--no-such-flag"}, {"ls", "extra"}, {"kill"}, {"create", "--timeout", "soon"}} {
			out := qs(ctx, args...)
			Expect(out.Code).To(Equal(2), "%v", args)
			Expect(out.Stderr).To(HavePrefix("qs: "), "%v", args)
			Expect(out.Stdout).To(BeEmpty(), "%v", args)
		}
	})
	It("keep engines out of the library", limit, func(ctx SpecContext) {
		list := exec.CommandContext(ctx, "go", "list", "-deps", "./pkg/quixand")
		list.Dir = suite.checkout
		deps, err := list.Output()
		Expect(err).NotTo(HaveOccurred())
		for dep := range strings.Lines(string(deps)) {
			dep = strings.TrimSpace(dep)
			Expect(dep).NotTo(HavePrefix("github.com/containers/"))
			Expect(dep).NotTo(HavePrefix("go.podman.io/"))
			Expect(dep).NotTo(HavePrefix("github.com/docker/"))
			Expect(dep).NotTo(HavePrefix("github.com/quixand/quixand/pkg/adapters/"))
		}
	})
	It("find nothing amiss on a host that works", limit, needsEngine, func(ctx SpecContext) {
		out := qs(ctx, "doctor")
		Expect(out.Code).To(BeZero(), out.Stdout+out.Stderr)
	})
})
