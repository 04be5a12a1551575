package contract

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
	"github.com/quixand/quixand/pkg/templates"
)

// describeTemplates is about images that are built for sandboxes.
func describeTemplates(f *fixture) {
	Describe("templates", needs(ImageBuilder), func() {
		describeBuilds(f)
		describeNeighbours(f)
		describeRebuilds(f)
		describeBuildRecords(f)
		describeBuildFailures(f)
		describeTemplateNames(f)
		describeTemplateStore(f)
		describeStartCommands(f)
	})
}

// workshop is a directory to build from, and the name of what is built.
type workshop struct {
	f    *fixture
	name string
	dir  string
	opts quixand.BuildOptions
	log  []quixand.BuildEvent
}

// workshop returns one whose recipe begins with the suite's image. The template is
// removed when the case is over.
func (f *fixture) workshop(instructions ...string) *workshop {
	GinkgoHelper()
	name := "qs-test-" + strings.ToLower(rand.Text())[:10]
	w := &workshop{f: f, name: name, dir: GinkgoT().TempDir()}
	w.opts = quixand.BuildOptions{Name: name, Progress: func(e quixand.BuildEvent) { w.log = append(w.log, e) }}
	w.file("Dockerfile", "FROM "+f.harness.Image+"\n"+strings.Join(instructions, "\n")+"\n")
	DeferCleanup(func(ctx SpecContext) {
		err := f.client.Templates().Remove(ctx, name, true)
		Expect(err).To(Or(BeNil(), MatchError(quixand.ErrNotFound)))
	})
	return w
}

// once is a command that no engine finds in a cache: what it says is to be heard.
func once(command string) string { return command + " # " + rand.Text() }

func (w *workshop) file(name, content string) *workshop {
	GinkgoHelper()
	path := filepath.Join(w.dir, name)
	Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
	Expect(os.WriteFile(path, []byte(content), 0o644)).To(Succeed())
	return w
}

func (w *workshop) build(ctx context.Context) *quixand.Template {
	GinkgoHelper()
	built, err := w.tryBuild(ctx)
	Expect(err).NotTo(HaveOccurred())
	return built
}

func (w *workshop) tryBuild(ctx context.Context) (*quixand.Template, error) {
	w.log = nil
	return w.f.client.Templates().Build(ctx, w.dir, &w.opts)
}

// sh builds, and runs a script in a sandbox of it.
func (w *workshop) sh(ctx context.Context, script string) string {
	GinkgoHelper()
	w.build(ctx)
	return w.f.create(ctx, &quixand.Options{Template: w.name}).sh(ctx, script)
}

func describeBuilds(f *fixture) {
	it("are built from a directory and started from by name", func(ctx SpecContext) {
		w := f.workshop("COPY app /app", "RUN echo made >/made").file("app/data.txt", "data")
		built := w.build(ctx)
		Expect(built.Name).To(Equal(w.name))
		Expect(built.Current).To(BeTrue())
		Expect(built.Cached).To(BeFalse())
		b := f.create(ctx, &quixand.Options{Template: w.name})
		Expect(b.sh(ctx, "cat /app/data.txt /made")).To(Equal("datamade"))
		Expect(b.Info(ctx)).To(HaveField("Image", built.Image))
	})
	it("tell each step and what it says while they are built", func(ctx SpecContext) {
		said := once("RUN echo one; echo two >&2")
		w := f.workshop(said)
		w.build(ctx)
		Expect(w.log).To(ContainElements(
			HaveField("Instruction", HavePrefix("FROM ")),
			HaveField("Instruction", said),
			quixand.BuildEvent{Output: "one"},
			quixand.BuildEvent{Output: "two"},
		))
	})
	it("know build arguments, stages, labels and variables", func(ctx SpecContext) {
		w := f.workshop("ARG WHO", "RUN echo $WHO >/who", "ENV SET=yes", "FROM "+f.harness.Image+" AS second", "RUN false")
		text, err := os.ReadFile(filepath.Join(w.dir, "Dockerfile"))
		Expect(err).NotTo(HaveOccurred())
		w.file("Dockerfile", strings.Replace(string(text), "FROM "+f.harness.Image, "FROM "+f.harness.Image+" AS first", 1))
		w.opts.Args, w.opts.Target = map[string]string{"WHO": "you"}, "first"
		w.opts.Labels = map[string]string{"team": "a b"}
		Expect(w.sh(ctx, "cat /who; echo $SET")).To(Equal("you\nyes"))
		Expect(f.client.Templates().Get(ctx, w.name)).To(HaveField("Labels", HaveKeyWithValue("team", "a b")))
	})
	it("see a secret for one step, and keep nothing of it", func(ctx SpecContext) {
		w := f.workshop("RUN --mount=type=secret,id=token wc -c </run/secrets/token >/size", "COPY . /all")
		w.opts.Secrets = map[string][]byte{"token": []byte("s3cr3t-" + w.name)}
		Expect(w.sh(ctx, "cat /size")).To(Equal("25"))
		b := f.create(ctx, &quixand.Options{Template: w.name})
		Expect(b.asRootOr(ctx, "grep -rlF s3cr3t /all /run /etc /tmp /root 2>/dev/null; ls -A /all")).To(Equal("Dockerfile"))
	})
	it("hold what is copied with its modes and links, and no other's ids", func(ctx SpecContext) {
		w := f.workshop("COPY . /c").file("run.sh", "#!/bin/sh\necho ran").file(".dockerignore", "skip\n*.log").file("skip/x", "").file("y.log", "")
		Expect(os.Chmod(filepath.Join(w.dir, "run.sh"), 0o755)).To(Succeed())
		Expect(os.Symlink("run.sh", filepath.Join(w.dir, "link"))).To(Succeed())
		Expect(w.sh(ctx, "/c/link; ls /c; stat -c %u:%g:%a /c/run.sh")).To(Equal("ran\nDockerfile\nlink\nrun.sh\n0:0:755"))
	})
	it("hold what the links lead to that are copied by name", func(ctx SpecContext) {
		w := f.workshop("COPY link /copied", "COPY dir/x /under").file("target", "one").file("real/x", "two")
		Expect(os.Symlink("target", filepath.Join(w.dir, "link"))).To(Succeed())
		Expect(os.Symlink("real", filepath.Join(w.dir, "dir"))).To(Succeed())
		Expect(w.sh(ctx, "cat /copied /under")).To(Equal("onetwo"))
	})
	it("are said in Go as well", func(ctx SpecContext) {
		w := f.workshop().file("my app/x", "1")
		w.opts.Recipe = templates.From(f.harness.Image).
			Copy("my app", "/my $app").
			Env(map[string]string{"QUOTED": `a "b" $c \d`}).
			Workdir("/work dir").
			Run("echo one >one\necho two >two").
			Exec("touch", "a b", "$c")
		b := f.create(ctx, &quixand.Options{Template: w.build(ctx).Name, Workdir: "/work dir"})
		Expect(b.sh(ctx, `echo "$QUOTED"; cat '/my $app/x' one two; ls`)).To(Equal("a \"b\" $c \\d\n1one\ntwo\n$c\na b\none\ntwo"))
	})
	it("compile Python's library, where the image brings none of it compiled", needs(Python), SpecTimeout(2*time.Minute), func(ctx SpecContext) {
		w := f.workshop()
		w.opts.Recipe = templates.From(f.harness.Image).Run("find / -xdev -name '*.pyc' -delete").CompilePython()
		Expect(w.sh(ctx, `python3 -B -c 'import asyncio, os; print(os.path.exists(asyncio.__cached__))'`)).To(Equal("True"))
	})
	it("are built once by all who want them at once", SpecTimeout(time.Minute), func(ctx SpecContext) {
		w := f.workshop("RUN sleep 1; date +%N >/built")
		ids := make([]string, 4)
		inParallel(len(ids), func(i int) {
			built, err := f.another().Templates().Build(ctx, w.dir, &quixand.BuildOptions{Name: w.name})
			Expect(err).NotTo(HaveOccurred())
			ids[i] = built.ID
		})
		Expect(ids).To(HaveEach(ids[0]))
		Expect(f.client.Templates().List(ctx)).To(WithTransform(func(all []*quixand.Template) (n int) {
			for _, t := range all {
				if t.Name == w.name {
					n++
				}
			}
			return n
		}, Equal(1)))
	})
}

// describeNeighbours is about builds that go on at once.
func describeNeighbours(f *fixture) {
	it("are each built from files of their own, whatever else is built", SpecTimeout(time.Minute), func(ctx SpecContext) {
		all := make([]*workshop, 3)
		for i := range all {
			all[i] = f.workshop(once("RUN sleep 0.3"), "COPY used /used").file("used", fmt.Sprint(i))
		}
		inParallel(len(all), func(i int) { all[i].build(ctx) })
		for i, w := range all {
			b := f.create(ctx, &quixand.Options{Template: w.name})
			Expect(b.sh(ctx, "cat /used")).To(Equal(fmt.Sprint(i)))
		}
	})
}

func describeRebuilds(f *fixture) {
	it("are not built again while nothing has changed", func(ctx SpecContext) {
		w := f.workshop("COPY used /used").file("used", "1").file("unused", "1")
		first := w.build(ctx)
		w.file("unused", "2")
		Expect(os.Chtimes(filepath.Join(w.dir, "used"), time.Now(), time.Unix(1, 0))).To(Succeed())
		again := w.build(ctx)
		Expect(again.Cached).To(BeTrue())
		Expect(again.ID).To(Equal(first.ID))
		Expect(w.log).To(BeEmpty(), "the engine was asked to build")
	})
	for what, change := range map[string]func(*workshop){
		"a byte":           func(w *workshop) { w.file("used", "2") },
		"a mode bit":       func(w *workshop) { Expect(os.Chmod(filepath.Join(w.dir, "used"), 0o640)).To(Succeed()) },
		"a build argument": func(w *workshop) { w.opts.Args = map[string]string{"A": "2"} },
		"an instruction":   func(w *workshop) { w.opts.Recipe = templates.From(w.f.harness.Image).Run("true") },
	} {
		it("are built again after a change of "+what, func(ctx SpecContext) {
			w := f.workshop("ARG A=1", "COPY used /used").file("used", "1")
			first := w.build(ctx)
			change(w)
			second := w.build(ctx)
			Expect(second.Cached).To(BeFalse())
			Expect(second.Hash).NotTo(Equal(first.Hash))
			Expect(f.client.Templates().Get(ctx, w.name)).To(HaveField("Hash", second.Hash))
		})
	}
	it("mean the earlier build again when the recipe comes back to it", func(ctx SpecContext) {
		w := f.workshop("COPY used /used").file("used", "1")
		first := w.build(ctx)
		w.file("used", "2").build(ctx)
		back := w.file("used", "1").build(ctx)
		Expect(back.Cached).To(BeTrue())
		Expect(back.ID).To(Equal(first.ID))
		Expect(f.create(ctx, &quixand.Options{Template: w.name}).sh(ctx, "cat /used")).To(Equal("1"))
	})
	it("are built anew for who wants no cache", func(ctx SpecContext) {
		w := f.workshop("RUN date +%N >/built")
		first := w.build(ctx)
		w.opts.NoCache = true
		b := f.create(ctx, &quixand.Options{Template: w.name})
		second := w.build(ctx)
		Expect(second.ID).NotTo(Equal(first.ID))
		third := w.build(ctx)
		_, err := f.adapter().(adapters.ImageStore).Image(ctx, second.ID)
		Expect(err).To(failAs(quixand.ErrNotFound), "nothing uses it, and it has no name")
		Expect(b.Kill(ctx)).To(Succeed())
		Expect(f.client.Templates().Prune(ctx)).To(ContainElement(HaveField("ID", first.ID)))
		Expect(f.client.Templates().Get(ctx, w.name)).To(HaveField("ID", third.ID))
	})
	it("are found again when everything on disk but the images is lost", func(ctx SpecContext) {
		w := f.workshop("RUN true")
		built := w.build(ctx)
		other := f.clientAt(GinkgoT().TempDir(), f.harness.New)
		got, err := other.Templates().Get(ctx, w.name)
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Hash).To(Equal(built.Hash))
		Expect(got.Recipe).To(Equal("FROM " + f.harness.Image + "\nRUN true\n"))
		again, err := other.Templates().Build(ctx, w.dir, &quixand.BuildOptions{Name: w.name})
		Expect(err).NotTo(HaveOccurred())
		Expect(again.Cached).To(BeTrue())
	})
}

func describeBuildFailures(f *fixture) {
	for what, c := range map[string]struct {
		instruction string
		kind        error
		words       string
	}{
		"a command that fails":       {"RUN echo said; exit 3", quixand.ErrInvalid, "line 2: RUN echo said; exit 3"},
		"a file that is not there":   {"COPY nothing /", quixand.ErrInvalid, "line 2: COPY nothing /"},
		"a way out of the context":   {"COPY ../x /", quixand.ErrInvalid, "leads out of the context"},
		"no instruction":             {"FROB x", quixand.ErrInvalid, "line 2"},
		"a link to nowhere":          {"COPY out /", quixand.ErrInvalid, "line 2: out: out is a link"},
		"garbage":                    {"\x00\xff\x7fELF", quixand.ErrInvalid, "line 2"},
		"a registry that is down":    {"FROM 127.0.0.1:1/none:1", quixand.ErrUnavailable, "line 2: FROM 127.0.0.1:1/none:1"},
		"an image that is not there": {"FROM localhost/quixand/none:1", quixand.ErrNotFound, "localhost/quixand/none:1"},
	} {
		it("fail for "+what+", and leave nothing behind", func(ctx SpecContext) {
			w := f.workshop(c.instruction)
			if errors.Is(c.kind, quixand.ErrNotFound) {
				w.opts.Pull = quixand.PullNever // there is no registry to ask
			}
			Expect(os.Symlink("/nowhere", filepath.Join(w.dir, "out"))).To(Succeed())
			_, err := w.tryBuild(ctx)
			Expect(err).To(failAs(c.kind))
			Expect(err).To(MatchError(ContainSubstring(c.words)))
			_, err = f.client.Templates().Get(ctx, w.name)
			Expect(err).To(failAs(quixand.ErrNotFound))
		})
	}
	it("tell the instruction and its last words", func(ctx SpecContext) {
		w := f.workshop("RUN echo first; echo last >&2; exit 3")
		_, err := w.tryBuild(ctx)
		var failed *quixand.BuildError
		Expect(err).To(failAs(quixand.ErrInvalid))
		Expect(errors.As(err, &failed)).To(BeTrue())
		Expect(failed.Line).To(Equal(2))
		Expect(failed.Output).To(ConsistOf("first", "last"))
	})
	it("keep the last good build", func(ctx SpecContext) {
		w := f.workshop("RUN true")
		good := w.build(ctx)
		w.file("Dockerfile", "FROM "+f.harness.Image+"\nRUN false\n")
		_, err := w.tryBuild(ctx)
		Expect(err).To(failAs(quixand.ErrInvalid))
		Expect(f.client.Templates().Get(ctx, w.name)).To(HaveField("ID", good.ID))
	})
	it("end with their caller", SpecTimeout(30*time.Second), func(ctx SpecContext) {
		w := f.workshop("RUN echo ready; sleep 1000")
		bounded, cancel := context.WithCancel(ctx)
		defer cancel()
		w.opts.Progress = func(e quixand.BuildEvent) {
			if e.Output == "ready" {
				cancel()
			}
		}
		_, err := f.client.Templates().Build(bounded, w.dir, &w.opts)
		Expect(err).To(MatchError(context.Canceled))
		_, err = f.client.Templates().Get(ctx, w.name)
		Expect(err).To(failAs(quixand.ErrNotFound))
	})
	it("refuse names that cannot be one", func(ctx SpecContext) {
		w := f.workshop("RUN true")
		for _, name := range []string{"Upper", "a/b", "a:b", "-a", "a b", strings.Repeat("a", 200), "a..b", "../x"} {
			w.opts.Name = name
			_, err := w.tryBuild(ctx)
			Expect(err).To(failAs(quixand.ErrInvalid), "%q", name)
		}
	})
	it("refuse a directory without a recipe, and none", func(ctx SpecContext) {
		for _, dir := range []string{GinkgoT().TempDir(), "/no/such/directory"} {
			_, err := f.client.Templates().Build(ctx, dir, nil)
			Expect(err).To(failAs(quixand.ErrNotFound), dir)
		}
	})
}

func describeTemplateNames(f *fixture) {
	it("are built when a sandbox asks for their directory", func(ctx SpecContext) {
		w := f.workshop("RUN echo by path >/how")
		dir := filepath.Join(GinkgoT().TempDir(), w.name)
		Expect(os.Rename(w.dir, dir)).To(Succeed())
		Expect(f.create(ctx, &quixand.Options{Template: dir}).sh(ctx, "cat /how")).To(Equal("by path"))
		Expect(f.client.Templates().Get(ctx, w.name)).To(HaveField("Name", w.name))
	})
	it("start at a certain build by its hash", func(ctx SpecContext) {
		w := f.workshop("COPY used /used").file("used", "1")
		first := w.build(ctx)
		w.file("used", "2").build(ctx)
		b := f.create(ctx, &quixand.Options{Template: w.name + ":" + first.Hash})
		Expect(b.sh(ctx, "cat /used")).To(Equal("1"))
	})
	it("are suggested to who is nearly right", func(ctx SpecContext) {
		w := f.workshop("RUN true")
		w.build(ctx)
		_, err := f.tryCreate(ctx, &quixand.Options{Template: w.name + "x", Pull: quixand.PullNever})
		Expect(err).To(failAs(quixand.ErrNotFound))
		Expect(err).To(HaveField("Hint", ContainSubstring(w.name)))
		_, err = f.client.Templates().Get(ctx, w.name[1:])
		Expect(err).To(HaveField("Hint", ContainSubstring(w.name)))
	})
}

func describeTemplateStore(f *fixture) {
	it("are removed, but not from under a sandbox", func(ctx SpecContext) {
		w := f.workshop("RUN true")
		w.build(ctx)
		b := f.create(ctx, &quixand.Options{Template: w.name})
		Expect(f.client.Templates().Remove(ctx, w.name, false)).To(failAs(quixand.ErrConflict))
		Expect(b.sh(ctx, "echo here")).To(Equal("here"))
		Expect(f.client.Templates().Remove(ctx, w.name, true)).To(Succeed())
		_, err := f.client.Get(ctx, b.ID())
		Expect(err).To(failAs(quixand.ErrNotFound))
		Expect(f.client.Templates().Remove(ctx, w.name, true)).To(failAs(quixand.ErrNotFound))
	})
	it("are listed with their sandboxes, and pruned of old builds", func(ctx SpecContext) {
		w := f.workshop("COPY used /used").file("used", "1")
		old := w.build(ctx)
		current := w.file("used", "2").build(ctx)
		f.create(ctx, &quixand.Options{Template: w.name})
		Expect(f.client.Templates().List(ctx)).To(ContainElements(
			SatisfyAll(HaveField("Image", old.Image), HaveField("Current", false), HaveField("Sandboxes", 0)),
			SatisfyAll(HaveField("Image", current.Image), HaveField("Current", true), HaveField("Sandboxes", 1)),
		))
		Expect(f.client.Templates().Prune(ctx)).To(ContainElement(HaveField("Image", old.Image)))
		_, err := f.client.Templates().Get(ctx, w.name+":"+old.Hash)
		Expect(err).To(failAs(quixand.ErrNotFound))
		Expect(f.client.Templates().Get(ctx, w.name)).To(HaveField("ID", current.ID))
	})
	it("get a second name, export and import", needs(Images), func(ctx SpecContext) {
		w, second, third := f.workshop(), f.workshop(), f.workshop()
		// Little to move.
		w.file("Dockerfile", "FROM "+f.Images[scratchImage]+"\nCOPY x /x\n").file("x", "same")
		built := w.build(ctx)
		Expect(f.client.Templates().Tag(ctx, w.name, second.name)).To(Succeed())
		Expect(f.client.Templates().Get(ctx, second.name)).To(HaveField("ID", built.ID))
		var archive bytes.Buffer
		Expect(f.client.Templates().Export(ctx, w.name, &archive)).To(Succeed())
		Expect(f.client.Templates().Remove(ctx, w.name, false)).To(Succeed())
		Expect(f.client.Templates().Remove(ctx, second.name, false)).To(Succeed())
		Expect(f.client.Templates().Import(ctx, &archive, third.name)).To(HaveField("Hash", built.Hash))
		Expect(f.create(ctx, &quixand.Options{Template: third.name}).read(ctx, "/x")).To(Equal("same"))
	})
	it("refuse an archive of something else", func(ctx SpecContext) {
		_, err := f.client.Templates().Import(ctx, strings.NewReader("no archive"), f.workshop().name)
		Expect(err).To(failAs(quixand.ErrInvalid))
	})
}

func describeStartCommands(f *fixture) {
	const server = `python3 -c "import http.server as h; h.ThreadingHTTPServer(('127.0.0.1', 8123), h.SimpleHTTPRequestHandler).serve_forever()"`
	for what, c := range map[string]struct {
		command string
		ready   templates.Ready
		needs   Labels
	}{
		"a port":    {"sleep 0.3; exec " + server, templates.ReadyPort(8123), needs(Python)},
		"a URL":     {"sleep 0.3; exec " + server, templates.ReadyURL("http://localhost:8123/"), needs(Python)},
		"a file":    {"sleep 0.3; touch /tmp/ready; sleep 1000", templates.ReadyFile("/tmp/ready"), nil},
		"a command": {"sleep 0.3; touch /tmp/ready; sleep 1000", templates.ReadyCommand("test -e /tmp/ready"), nil},
	} {
		it("start their command in each sandbox, which is there when "+what+" is", c.needs, func(ctx SpecContext) {
			w := f.workshop()
			w.opts.Recipe = templates.From(f.harness.Image).Start(c.command, c.ready)
			b := f.create(ctx, &quixand.Options{Template: w.build(ctx).Name})
			Expect(b.Processes(ctx)).To(ContainElement(HaveField("Tag", "start")))
			if c.needs != nil {
				b.dial(ctx, 8123)
			} else {
				Expect(b.Files.Exists(ctx, "/tmp/ready")).To(BeTrue())
			}
		})
	}
	it("start their command anew in forks and from snapshots, also when the template is gone", needs(Snapshotter), func(ctx SpecContext) {
		w := f.workshop()
		w.opts.Recipe = templates.From(f.harness.Image).Run("mkdir -m 777 /starts").
			Start("echo >>/starts/log; sleep 1000", templates.ReadyFile("/starts/log"))
		// Each file system tells how often that was.
		started := func(b *box, times string) *box {
			GinkgoHelper()
			Expect(b.Processes(ctx)).To(ContainElement(HaveField("Tag", "start")))
			Eventually(ctx, func() string { return b.sh(ctx, "wc -l </starts/log") }).Should(Equal(times))
			return b
		}
		b := started(f.create(ctx, &quixand.Options{Template: w.build(ctx).Image}), "1")
		fork := started(b.fork(ctx, nil), "2")
		started(fork.fork(ctx, nil), "3")
		snap := b.snapshot(ctx)
		Expect(f.client.Templates().Remove(ctx, w.name, true)).To(Succeed())
		started(f.create(ctx, &quixand.Options{Snapshot: snap.Name}), "2")
	})
	it("tell the last words of a start command that fails, and leave no sandbox", func(ctx SpecContext) {
		w := f.workshop()
		w.opts.Recipe = templates.From(f.harness.Image).Start("echo broken >&2; exit 7", templates.ReadyPort(8123))
		_, err := f.tryCreate(ctx, &quixand.Options{Template: w.build(ctx).Name})
		Expect(err).To(failAs(quixand.ErrInvalid))
		Expect(err).To(MatchError(ContainSubstring("ended with 7: broken")))
		Expect(f.client.Templates().Remove(ctx, w.name, false)).To(Succeed())
	})
	it("do not wait longer than they may", func(ctx SpecContext) {
		w := f.workshop()
		w.opts.Recipe = templates.From(f.harness.Image).Start("sleep 1000", templates.ReadyPort(8123))
		_, err := f.tryCreate(ctx, &quixand.Options{
			Template: w.build(ctx).Name,
			Budgets:  quixand.Budgets{Ready: 5 * time.Second},
		})
		Expect(err).To(failAs(quixand.ErrTimeout))
	})
}

// builds reports whether the engine builds images.
func builds(_ context.Context, f *fixture) bool {
	a := f.adapter()
	_, builder := a.(adapters.ImageBuilder)
	_, store := a.(adapters.ImageStore)
	return builder && store
}
