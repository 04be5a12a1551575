// Package e2b drives E2B's own clients, unmodified, against `qs serve` on real
// rootless Podman: the npm packages of package.json, at the versions that the
// lock file pins. A case is a few lines of JavaScript in js/, and a spec here.
package e2b

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/statedir"
)

func TestE2B(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "E2B's clients")
}

// suite is what all cases use.
var suite struct {
	program string   // qs
	scripts string   // js, beside the packages that it imports
	root    string   // QS_ROOT
	env     []string // of node
	server  *server
	tls     *server // with a certificate
	lacking string  // why nothing can run here, or empty
}

var _ = BeforeSuite(func(ctx SpecContext) {
	if suite.lacking = lacking(ctx); suite.lacking != "" {
		required := strings.Split(os.Getenv("QS_TEST_REQUIRE"), ",")
		if slices.Contains(required, "podman") && slices.Contains(required, "node") {
			Fail("QS_TEST_REQUIRE names podman and node, but: " + suite.lacking)
		}
		return
	}
	suite.root = tempDir("qs-e2b-")
	suite.scripts = scripts()
	suite.server = serve(ctx, anyPort, "--stock-base="+os.Getenv("QS_IMAGE"))
	suite.server.stocked(ctx)
	var certified []string
	suite.tls, certified = serveTLS(ctx)
	suite.env = append(
		append(os.Environ(), certified...),
		"HOME="+tempDir("home-"), // where the CLI would look for an account
		"NO_UPDATE_NOTIFIER=1",
		"E2B_API_URL="+suite.server.url,
		"E2B_SANDBOX_URL="+suite.server.url,
		"E2B_API_KEY="+ownKey,
		"OTHER_API_KEY="+strings.TrimSpace(qs(ctx, "serve", "keys", "create", "other")),
		"BOUND_API_KEY="+strings.TrimSpace(qs(ctx, "serve", "keys", "create", "bound", "--sandboxes=1", "--timeout=10m", "--template=base")),
		"QS_PROGRAM="+suite.program,
		"QS_ROOT="+suite.root,
	)
}, NodeTimeout(2*time.Minute))

// AfterSuite fails over what the cases have left behind, and removes it.
var _ = AfterSuite(func(ctx SpecContext) {
	if suite.server == nil {
		return
	}
	sandboxes, snapshots := qs(ctx, "ls", "--quiet"), qs(ctx, "snapshots", "ls", "--quiet")
	templates := templatesOfClients(ctx)
	suite.server.stop(ctx)
	suite.tls.stop(ctx)
	qs(ctx, "kill", "--all")
	for _, name := range templates {
		qs(ctx, "templates", "rm", name)
	}
	// Those that the server has built would not be built again. Another suite on this
	// host may use them.
	_ = command(ctx, "templates", "rm", "base").Run()
	_ = command(ctx, "templates", "rm", "code-interpreter-v1").Run()
	for name := range strings.FieldsSeq(snapshots) {
		qs(ctx, "snapshots", "rm", name)
	}
	Expect(sandboxes).To(BeEmpty(), "sandboxes that the cases left behind")
	Expect(snapshots).To(BeEmpty(), "snapshots that the cases left behind")
	Expect(templates).To(BeEmpty(), "templates that the cases left behind")
	Expect(statedir.Open(suite.root).IDs()).To(BeEmpty(), "directories of sandboxes that are gone")
}, NodeTimeout(time.Minute))

// templatesOfClients are those that the server has built: the store has others',
// and suites beside this one work with them.
func templatesOfClients(ctx SpecContext) (names []string) {
	var all []struct {
		Name   string
		Labels map[string]string
	}
	Expect(json.Unmarshal([]byte(qs(ctx, "templates", "ls", "--json")), &all)).To(Succeed())
	for _, t := range all {
		if t.Labels["quixand.serve.key"] != "" {
			names = append(names, t.Name)
		}
	}
	return names
}

// A suite that skips everything says so.
var _ = ReportAfterSuite("what ran", func(Report) {
	if suite.lacking != "" {
		fmt.Printf("\ne2b: nothing ran: %s\n", suite.lacking)
	}
})

var _ = BeforeEach(func() {
	if suite.lacking != "" {
		Skip("lacks engine or clients")
	}
})

// lacking says why the clients cannot be tried on this machine.
func lacking(ctx SpecContext) string {
	suite.program, _ = filepath.Abs("../../../bin/release/qs")
	Expect(suite.program).To(BeAnExistingFile(), "build it with: make release")
	switch image := os.Getenv("QS_IMAGE"); {
	case image == "":
		return "QS_IMAGE names no image: run the tests with hack/with-host"
	case os.Getuid() == 0:
		return "rootless Podman needs an ordinary user: run the tests with hack/with-host"
	case os.Getenv("QS_NODE_MODULES") == "":
		return "QS_NODE_MODULES names no packages: run the tests with hack/with-host"
	default:
		if out, err := exec.CommandContext(ctx, "podman", "image", "exists", image).CombinedOutput(); err != nil {
			return fmt.Sprintf("podman image exists %s: %v %s", image, err, out)
		}
	}
	return lackingNode(ctx)
}

// lackingNode says what is wrong with this machine's node.
func lackingNode(ctx SpecContext) string {
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return "node: " + err.Error()
	}
	var major int
	if _, err := fmt.Sscanf(string(out), "v%d.", &major); err != nil || major < 20 {
		return fmt.Sprintf("E2B's clients need node 20, and this is %s", out)
	}
	return ""
}

// scripts are copies of js/ beside the packages: where a script lies is where
// node looks for what it imports.
func scripts() string {
	dir := tempDir("js-")
	Expect(os.CopyFS(dir, os.DirFS("js"))).To(Succeed())
	Expect(os.Symlink(os.Getenv("QS_NODE_MODULES"), filepath.Join(dir, "node_modules"))).To(Succeed())
	return dir
}

func tempDir(prefix string) string {
	dir, err := os.MkdirTemp("", prefix)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, dir)
	return dir
}
