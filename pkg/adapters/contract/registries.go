package contract

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// describeRegistries pushes to and pulls from registries of the cases' own, on
// the loopback of this host.
func describeRegistries(f *fixture) {
	Describe("registries", needs(ImageBuilder, Images, Loopback), func() {
		describeTransfers(f)
		describeFailedTransfers(f)
	})
}

// insecure is how to speak to a registry of a case.
func insecure() *quixand.RegistryOptions { return &quixand.RegistryOptions{Insecure: true} }

// serveRegistry starts a registry, or what passes for one, and returns its address.
func serveRegistry(handler http.Handler) string {
	server := httptest.NewServer(handler)
	DeferCleanup(func() {
		server.CloseClientConnections() // a case may have left one that hangs
		server.Close()
	})
	return server.Listener.Addr().String()
}

// store is the adapter as a store of images.
func (f *fixture) store() adapters.ImageStore {
	GinkgoHelper()
	store, ok := f.adapter().(adapters.ImageStore)
	Expect(ok).To(BeTrue())
	return store
}

func silent() *adapters.RegistryOptions {
	return &adapters.RegistryOptions{Insecure: true, Output: func(string) {}}
}

func emptyRegistry() string {
	return serveRegistry(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
}

// pushed builds a small template and pushes it to a new registry.
func (f *fixture) pushed(ctx context.Context) (w *workshop, built *quixand.Template, ref string) {
	GinkgoHelper()
	w = f.workshop().file("file", "travelled")
	w.file("Dockerfile", "FROM "+f.Images[scratchImage]+"\nCOPY file /file\n")
	built = w.build(ctx)
	ref = emptyRegistry() + "/team/" + w.name + ":1"
	Expect(f.client.Templates().Push(ctx, w.name, ref, insecure())).To(Succeed())
	return w, built, ref
}

func describeTransfers(f *fixture) {
	it("take a template and give it back", func(ctx SpecContext) {
		w, built, ref := f.pushed(ctx)
		Expect(f.client.Templates().Remove(ctx, w.name, false)).To(Succeed())
		pulled, err := f.client.Templates().Pull(ctx, ref, w.name, insecure())
		Expect(err).NotTo(HaveOccurred())
		Expect(pulled).To(And(HaveField("Image", built.Image), HaveField("Hash", built.Hash), HaveField("Recipe", built.Recipe)))
		b := f.create(ctx, &quixand.Options{Template: w.name})
		Expect(b.read(ctx, "/file")).To(Equal("travelled"))
		Expect(w.build(ctx).Cached).To(BeTrue(), "it is built although it was pulled")
	})
	it("leave nothing but the template when it is removed after a pull", func(ctx SpecContext) {
		w, _, ref := f.pushed(ctx)
		Expect(f.client.Templates().Remove(ctx, w.name, false)).To(Succeed())
		_, err := f.client.Templates().Pull(ctx, ref, w.name, insecure())
		Expect(err).NotTo(HaveOccurred())
		Expect(f.client.Templates().Remove(ctx, w.name, false)).To(Succeed())
		_, err = f.store().Image(ctx, ref)
		Expect(err).To(failAs(quixand.ErrNotFound))
	})
	it("give a template under a name that it had not", func(ctx SpecContext) {
		_, built, ref := f.pushed(ctx)
		second := f.workshop()
		Expect(f.client.Templates().Pull(ctx, ref, second.name, insecure())).To(And(
			HaveField("Name", second.name), HaveField("Hash", built.Hash), HaveField("Current", true),
		))
	})
	it("give images that are no templates, which then are", func(ctx SpecContext) {
		w, bare := f.workshop(), emptyRegistry()+"/bare:1"
		Expect(f.store().PushImage(ctx, f.Images[scratchImage], bare, silent())).To(Succeed())
		_, err := f.client.Templates().Pull(ctx, bare, w.name, insecure())
		Expect(err).NotTo(HaveOccurred())
		Expect(f.client.Templates().List(ctx)).To(ContainElement(HaveField("Name", w.name)))
		b := f.create(ctx, &quixand.Options{Template: w.name})
		Expect(b.Run(ctx, "/probe", "args", "x")).To(HaveField("Stdout", BeEquivalentTo("\"x\"\n")))
	})
	it("tell how far they are", func(ctx SpecContext) {
		w, _, ref := f.pushed(ctx)
		var said []string
		opts := &quixand.RegistryOptions{Insecure: true, Output: func(line string) { said = append(said, line) }}
		Expect(f.client.Templates().Push(ctx, w.name, ref, opts)).To(Succeed())
		Expect(said).NotTo(BeEmpty())
		said = nil
		_, err := f.client.Templates().Pull(ctx, ref, w.name, opts)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).NotTo(BeEmpty())
		Expect(said).To(HaveEach(And(Not(BeEmpty()), Not(ContainSubstring("\n")))))
	})
}

func describeFailedTransfers(f *fixture) {
	transfers := map[string]func(context.Context, *workshop, string, *quixand.RegistryOptions) error{
		"push": func(ctx context.Context, w *workshop, host string, o *quixand.RegistryOptions) error {
			return f.client.Templates().Push(ctx, w.name, host+"/a:1", o)
		},
		"pull": func(ctx context.Context, w *workshop, host string, o *quixand.RegistryOptions) error {
			_, err := f.client.Templates().Pull(ctx, host+"/a:1", w.name, o)
			return err
		},
	}
	for what, c := range map[string]struct {
		registry func() string
		options  *quixand.RegistryOptions
		kind     error
		hint     string
	}{
		"one that wants to know who asks": {closedToStrangers, insecure(), quixand.ErrPermission, f.name + " login"},
		"one that denies":                 {denies, insecure(), quixand.ErrPermission, f.name + " login"},
		"one that is not there":           {nobody, insecure(), quixand.ErrUnavailable, "network"},
		"one that fails":                  {fails, insecure(), quixand.ErrUnavailable, ""},
		"one that is something else":      {somethingElse, insecure(), quixand.ErrUnavailable, ""},
		"one without TLS, unless allowed": {emptyRegistry, nil, quixand.ErrUnavailable, "--insecure"},
	} {
		for verb, transfer := range transfers {
			it(fmt.Sprintf("fail in one line to %s: %s", verb, what), func(ctx SpecContext) {
				w := f.workshop()
				w.file("Dockerfile", "FROM "+f.Images[scratchImage]+"\n").build(ctx)
				err := transfer(ctx, w, c.registry(), c.options)
				Expect(err).To(failAs(c.kind))
				Expect(strings.Count(err.Error(), "\n")).To(BeZero(), err.Error())
				Expect(err).To(HaveField("Hint", ContainSubstring(c.hint)))
			})
		}
	}
	it("name the tags that there are in place of one that is not", func(ctx SpecContext) {
		w, _, ref := f.pushed(ctx)
		_, err := f.client.Templates().Pull(ctx, ref+"1", f.workshop().name, insecure())
		Expect(err).To(failAs(quixand.ErrNotFound))
		Expect(err).To(MatchError(ContainSubstring(w.name)))
		Expect(err).To(HaveField("Hint", "did you mean "+ref+"?"))
	})
	for what, name := range map[string]string{
		"a digest that nothing has": "@sha256:" + strings.Repeat("0", 64),
		"a repository that is not":  "-none:1",
	} {
		it("do not find "+what, func(ctx SpecContext) {
			_, _, ref := f.pushed(ctx)
			_, err := f.client.Templates().Pull(ctx, strings.TrimSuffix(ref, ":1")+name, f.workshop().name, insecure())
			Expect(err).To(failAs(quixand.ErrNotFound))
		})
	}
	it("suggest a template to who pushes one that is not", func(ctx SpecContext) {
		w := f.workshop()
		w.file("Dockerfile", "FROM "+f.Images[scratchImage]+"\n").build(ctx)
		err := f.client.Templates().Push(ctx, w.name+"x", emptyRegistry()+"/a:1", insecure())
		Expect(err).To(failAs(quixand.ErrNotFound))
		Expect(err).To(HaveField("Hint", ContainSubstring(w.name)))
	})
	for _, ref := range []string{"", "team/UPPER:1", "a b", "a:b:c", "--all", "http://localhost/a"} {
		it(fmt.Sprintf("are not asked for what is no reference: %q", ref), func(ctx SpecContext) {
			w := f.workshop()
			w.file("Dockerfile", "FROM "+f.Images[scratchImage]+"\n").build(ctx)
			Expect(f.client.Templates().Push(ctx, w.name, ref, nil)).To(failAs(quixand.ErrInvalid))
			_, err := f.client.Templates().Pull(ctx, ref, w.name, nil)
			Expect(err).To(failAs(quixand.ErrInvalid))
		})
	}
	it("are left by who has waited long enough", func(ctx SpecContext) {
		asked := make(chan struct{}, 100)
		host := serveRegistry(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-r.Context().Done()
		}))
		bounded, cancel := context.WithCancel(ctx)
		go func() {
			<-asked
			cancel()
		}()
		_, err := f.client.Templates().Pull(bounded, host+"/a:1", f.workshop().name, insecure())
		Expect(err).To(MatchError(context.Canceled))
	})
}

func closedToStrangers() string {
	return serveRegistry(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	}))
}

func denies() string {
	return serveRegistry(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			refuse(w, http.StatusForbidden, "DENIED", "requested access to the resource is denied")
		}
	}))
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

func fails() string {
	return serveRegistry(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "on fire", http.StatusInternalServerError)
	}))
}

func somethingElse() string {
	return serveRegistry(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>\nno registry\n</html>", http.StatusTeapot)
	}))
}

// nobody is an address at which nobody listens.
func nobody() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}
