package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"

	"github.com/quixand/quixand/internal/local/enginetest"
)

var _ = Describe("qs templates", needsEngine, func() {
	var name, dir string
	var base string
	recipe := func(text string) {
		GinkgoHelper()
		Expect(os.WriteFile(filepath.Join(dir, "e2b.Dockerfile"), []byte("FROM "+base+"\n"+text), 0o644)).To(Succeed())
	}
	BeforeEach(func() {
		name, dir, base = "qs-e2e-"+strings.ToLower(rand.Text())[:10], GinkgoT().TempDir(), os.Getenv("QS_IMAGE")
		DeferCleanup(func(ctx SpecContext) { qs(ctx, "templates", "rm", "--force", name) })
	})

	for _, engine := range []string{"podman", "docker"} {
		It("builds a directory with an e2b.Dockerfile, lists it, has sandboxes begin with it, and removes it: "+engine, limit, func(ctx SpecContext) {
			use(ctx, engine)
			DeferCleanup(func(ctx SpecContext) { qs(ctx, "templates", "rm", "--force", name) })
			recipe("RUN echo made >/made\n")
			ref := strings.TrimSpace(ok(ctx, "templates", "build", dir, "--name", name, "--quiet"))
			Expect(ref).To(HavePrefix("localhost/quixand/" + name + ":"))
			Expect(ok(ctx, "templates", "ls")).To(ContainSubstring(name))
			id := ok(ctx, "create", "--template", name, "--quiet")
			Expect(ok(ctx, "exec", id, "--", "cat", "/made")).To(Equal("made"))
			Expect(ok(ctx, "status", id)).To(ContainSubstring(ref))
			ok(ctx, "kill", id)
			Expect(ok(ctx, "run", "--template", name, "--", "cat", "/made")).To(Equal("made"))
			Expect(ok(ctx, "templates", "show", "--containerfile", name)).To(HaveSuffix("RUN echo made >/made"))
			ok(ctx, "templates", "rm", name)
			out := qs(ctx, "templates", "show", name)
			Expect(out.Code).To(Equal(3))
			Expect(out.Stderr).To(HavePrefix("qs: get template: no template " + name))
		})
	}
	It("prints the steps as lines where there is no terminal, and builds once", limit, func(ctx SpecContext) {
		recipe("RUN echo one\n")
		first := qs(ctx, "templates", "build", dir, "--name", name)
		Expect(first.Stderr).To(MatchRegexp(`(?s)\[1/\d\] FROM .*\[2/\d\] RUN echo one\none\n`))
		second := qs(ctx, "templates", "build", dir, "--name", name)
		Expect(second.Stderr).To(BeEmpty())
		Expect(second.Stdout).To(ContainSubstring("nothing has changed"))
	})
	It("speaks JSON", limit, func(ctx SpecContext) {
		recipe("RUN echo one\n")
		out := qs(ctx, "templates", "build", dir, "--name", name, "--json")
		var built struct{ Name, Hash, Recipe string }
		Expect(json.Unmarshal([]byte(out.Stdout), &built)).To(Succeed())
		Expect(built.Name).To(Equal(name))
		for line := range strings.Lines(out.Stderr) {
			Expect(json.Valid([]byte(line))).To(BeTrue(), line)
		}
		var listed []struct{ Name, Hash string }
		Expect(json.Unmarshal([]byte(ok(ctx, "templates", "ls", "--json")), &listed)).To(Succeed())
		Expect(listed).To(ContainElement(struct{ Name, Hash string }{name, built.Hash}))
	})
	It("keeps what a build said, and knows the rest without", limit, func(ctx SpecContext) {
		recipe("RUN echo said\n")
		ok(ctx, "templates", "build", dir, "--name", name, "--quiet")
		Expect(ok(ctx, "templates", "show", "--log", name)).To(ContainSubstring("RUN echo said\nsaid"))
		// Without its age.
		show := func() string {
			return regexp.MustCompile(`\d+s ago`).ReplaceAllString(ok(ctx, "templates", "show", name), "")
		}
		shown := show()
		Expect(shown).To(MatchRegexp(`(?m)^Built: +in \d+\.\d s, by podman$`))
		Expect(ok(ctx, "templates", "show", "--json", name)).To(ContainSubstring(`"said"`))
		Expect(os.RemoveAll(filepath.Join(suite.root, "templates"))).To(Succeed())
		Expect(show()).To(Equal(shown))
		Expect(ok(ctx, "templates", "ls", "--quiet")).To(ContainSubstring(name))
		Expect(ok(ctx, "templates", "show", "--log", name)).To(BeEmpty())
		recipe("RUN echo bad; exit 3\n")
		Expect(qs(ctx, "templates", "build", dir, "--name", name, "--quiet").Code).To(Equal(1))
		Expect(ok(ctx, "templates", "show", "--log", name)).To(MatchRegexp(`RUN echo bad; exit 3\nbad\nline 2: RUN echo bad; exit 3: .*3$`))
	})
	It("names the line and the last words of what fails", limit, func(ctx SpecContext) {
		recipe("\nRUN echo said; exit 3\n")
		out := qs(ctx, "templates", "build", dir, "--name", name)
		Expect(out.Code).To(Equal(1))
		Expect(out.Stderr).To(MatchRegexp(`(?s)said\nqs: build template: line 3: RUN echo said; exit 3: .*exit status 3\n`))
	})
	// The working containers of a build are called after its base image.
	ownBase := func(ctx SpecContext) (left func() []string) {
		GinkgoHelper()
		base = "localhost/" + name + "-base"
		podman := func(ctx context.Context, args ...string) string {
			GinkgoHelper()
			out, err := exec.CommandContext(ctx, "podman", args...).CombinedOutput()
			Expect(err).NotTo(HaveOccurred(), "%s", out)
			return string(out)
		}
		podman(ctx, "tag", os.Getenv("QS_IMAGE"), base)
		DeferCleanup(func(ctx SpecContext) { podman(ctx, "untag", os.Getenv("QS_IMAGE"), base) })
		return func() []string {
			containers := strings.Fields(podman(ctx, "ps", "--all", "--external", "--format", "{{.Names}}"))
			return slices.DeleteFunc(containers, func(c string) bool { return !strings.HasPrefix(c, name) })
		}
	}
	It("stops at an interrupt, and leaves no container behind", limit, func(ctx SpecContext) {
		left := ownBase(ctx)
		recipe("RUN echo ready; sleep 1000\n")
		session := start(command(ctx, "templates", "build", dir, "--name", name))
		eventually(ctx, session.Err).Should(gbytes.Say(`\nready\n`))
		Expect(left()).NotTo(BeEmpty())
		session.Interrupt()
		eventually(ctx, session).Should(gexec.Exit(130))
		Expect(left()).To(BeEmpty())
		Expect(qs(ctx, "templates", "show", name).Code).To(Equal(3))
	})
	It("leaves no container behind when a command fails, or a file is not there", limit, func(ctx SpecContext) {
		left := ownBase(ctx)
		for _, last := range []string{"RUN false", "COPY nothing /", "COPY --from=nowhere /a /b", "USER nobody-here\nRUN true"} {
			recipe("RUN true\n" + last + "\n")
			Expect(qs(ctx, "templates", "build", dir, "--name", name).Code).To(Equal(1), last)
			Expect(left()).To(BeEmpty(), last)
		}
	})
	for what, c := range map[string]struct {
		files int
		bytes int64
		slow  bool
	}{
		"3,000 files": {3_000, 0, false}, "200 MB": {2, 200 << 20, false}, "50,000 files": {50_000, 0, true}, "2 GB": {2, 2 << 30, true},
	} {
		It("takes a context of "+what+" through little memory", SpecTimeout(10*time.Minute), func(ctx SpecContext) {
			if c.slow && os.Getenv("QS_TEST_SLOW") == "" {
				Skip("lacks patience: QS_TEST_SLOW is not set")
			}
			recipe("COPY files /files\nRUN ls /files | wc -l >/count\n")
			Expect(os.Mkdir(filepath.Join(dir, "files"), 0o755)).To(Succeed())
			for i := range c.files {
				file, err := os.Create(filepath.Join(dir, "files", strconv.Itoa(i)))
				Expect(err).NotTo(HaveOccurred())
				_, err = io.CopyN(file, rand.Reader, min(c.bytes, 16<<20))
				Expect(errors.Join(err, file.Truncate(c.bytes/int64(c.files)), file.Close())).To(Succeed())
			}
			cmd := command(ctx, "templates", "build", dir, "--name", name)
			session := start(cmd)
			// All has been sent by the time of the last step.
			eventually(ctx, session.Err).Should(gbytes.Say(`\n\[3/`))
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			Expect(err).NotTo(HaveOccurred())
			most, err := strconv.Atoi(string(regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)[1]))
			Expect(err).NotTo(HaveOccurred())
			GinkgoWriter.Printf("%s: %d kB\n", what, most)
			Expect(most).To(BeNumerically("<", 32<<10))
			eventually(ctx, session).Should(gexec.Exit(0))
			Expect(ok(ctx, "run", "--template", name, "--", "cat", "/count")).To(Equal(strconv.Itoa(c.files)))
		})
	}
	It("reads secrets from files and arguments from the command line", limit, func(ctx SpecContext) {
		secret := filepath.Join(GinkgoT().TempDir(), "secret")
		Expect(os.WriteFile(secret, []byte("12345"), 0o600)).To(Succeed())
		recipe("ARG WHO\nRUN --mount=type=secret,id=s echo $WHO $(wc -c </run/secrets/s) >/got\n")
		ok(ctx, "templates", "build", dir, "--name", name, "--secret", "s="+secret, "--build-arg", "WHO=me", "--quiet")
		Expect(ok(ctx, "run", "--template", name, "--", "cat", "/got")).To(Equal("me 5"))
	})
	It("exports to a file or a pipe, and imports", limit, func(ctx SpecContext) {
		recipe("RUN echo same >/x\n")
		ok(ctx, "templates", "build", dir, "--name", name, "--quiet")
		archive := filepath.Join(GinkgoT().TempDir(), "archive")
		ok(ctx, "templates", "export", name, "--output", archive)
		ok(ctx, "templates", "rm", name)
		ok(ctx, "templates", "import", archive, name)
		Expect(ok(ctx, "run", "--template", name, "--", "cat", "/x")).To(Equal("same"))
	})
	It("pushes to a registry, and pulls", limit, func(ctx SpecContext) {
		server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
		DeferCleanup(server.Close)
		// One file and not the image, to move little.
		Expect(os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY tool /tool\n"), 0o644)).To(Succeed())
		tool, err := os.ReadFile(program())
		Expect(err).NotTo(HaveOccurred())
		Expect(os.WriteFile(filepath.Join(dir, "tool"), tool, 0o755)).To(Succeed())
		ok(ctx, "templates", "build", dir, "--name", name, "--quiet")
		ref := server.Listener.Addr().String() + "/team/tool:1"
		ok(ctx, "templates", "push", "--insecure", name, ref)
		ok(ctx, "templates", "rm", name)
		Expect(ok(ctx, "templates", "pull", "--insecure", ref, name)).To(HavePrefix("localhost/quixand/" + name + ":"))
		Expect(ok(ctx, "run", "--template", name, "--", "/tool", "version")).To(ContainSubstring("qs"))

		out := qs(ctx, "templates", "pull", "--insecure", ref+"x", name)
		Expect(out.Code).To(Equal(3))
		Expect(out.Stderr).To(MatchRegexp(`^qs: pull template: .*/team/tool: manifest unknown.*\n`))
		Expect(out.Stderr).To(HaveSuffix("\nhint: did you mean " + ref + "?\n"))
		server.Close()
		out = qs(ctx, "templates", "push", "--insecure", name, ref)
		Expect(out.Code).To(Equal(4))
		Expect(out.Stderr).To(MatchRegexp(`^qs: push template: .*: pinging container registry .*connection refused\nhint: .*\n$`))
	})
	It("refuses what cannot be", limit, func(ctx SpecContext) {
		recipe("RUN true\n")
		for _, args := range [][]string{
			{"build"}, {"build", dir, "--secret", "x"}, {"build", dir, "--secret", "x=/no/such"}, {"rm"}, {"tag", "x"}, {"frob"},
		} {
			Expect(qs(ctx, append([]string{"templates"}, args...)...).Code).To(Equal(2), "%v", args)
		}
		Expect(qs(ctx, "templates", "build", dir, "--name", "No Name").Code).To(Equal(1))
		Expect(qs(ctx, "templates", "build", filepath.Join(dir, "none")).Code).To(Equal(3))
	})
})

// use has a case run on an engine, or skips it where there is none.
func use(ctx context.Context, engine string) {
	GinkgoHelper()
	if err := enginetest.CLI(engine).Available(ctx); err != nil {
		if slices.Contains(strings.Split(os.Getenv("QS_TEST_REQUIRE"), ","), engine) {
			Fail(err.Error())
		}
		Skip("lacks " + engine + ": " + err.Error())
	}
	GinkgoT().Setenv("QS_RUNTIME", engine)
}
