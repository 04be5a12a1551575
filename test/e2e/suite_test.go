// Package e2e drives the qs program that `make build` left in bin/, as a person
// or a script would, against the user's real rootless Podman.
//
// What a sandbox is and does is the contract suite's subject; here it is what
// comes through the command line: exit codes, streams, terminals, signals, JSON.
package e2e

import (
	"crypto/rand"
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

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "qs")
}

// limit bounds every case.
const limit = SpecTimeout(time.Minute)

// suite is what all cases use.
var suite struct {
	checkout string
	root     string // QS_ROOT
	lacking  string // why there is no engine, or empty
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	suite.checkout, err = filepath.Abs("../..")
	Expect(err).NotTo(HaveOccurred())
	Expect(program()).To(BeAnExistingFile(), "build it with: make build")
	if suite.lacking = lacking(ctx); suite.lacking != "" {
		if slices.Contains(strings.Split(os.Getenv("QS_TEST_REQUIRE"), ","), "podman") {
			Fail("QS_TEST_REQUIRE names podman, but: " + suite.lacking)
		}
		return
	}
	suite.root, err = os.MkdirTemp("", "qs-e2e-")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, suite.root)
	for name, value := range map[string]string{
		"QS_ROOT":     suite.root,
		"QS_METADATA": fmt.Sprintf(`{"qs.test":%q}`, rand.Text()),
		"QS_AGENT":    filepath.Join(suite.checkout, "bin", "qs-agent"),
	} {
		GinkgoT().Setenv(name, value)
	}
}, NodeTimeout(time.Minute))

// AfterSuite removes what the cases left behind, if anything, and fails over it.
var _ = AfterSuite(func(ctx SpecContext) {
	if suite.lacking != "" {
		return
	}
	left := qs(ctx, "ls", "--quiet").Stdout
	Expect(qs(ctx, "kill", "--all").Code).To(BeZero())
	Expect(left).To(BeEmpty(), "sandboxes that the cases left behind")
	Expect(statedir.Open(suite.root).IDs()).To(BeEmpty(), "directories of sandboxes that are gone")
}, NodeTimeout(time.Minute))

// A suite that skips everything says so.
var _ = ReportAfterSuite("what ran", func(r Report) {
	if suite.lacking != "" {
		fmt.Printf("\nqs: nothing that needs an engine ran: %s\n", suite.lacking)
	}
})

// needsEngine marks the containers whose cases need sandboxes.
var needsEngine = Label("engine")

var _ = BeforeEach(func() {
	if suite.lacking != "" && slices.Contains(CurrentSpecReport().Labels(), needsEngine[0]) {
		Skip("lacks engine")
	}
})

// lacking says why no sandbox can be had on this machine.
func lacking(ctx SpecContext) string {
	image := os.Getenv("QS_IMAGE")
	switch {
	case image == "":
		return "QS_IMAGE names no image: run the tests with hack/with-host"
	case os.Getuid() == 0:
		return "rootless Podman needs an ordinary user: run the tests with hack/with-host"
	}
	if out, err := exec.CommandContext(ctx, "podman", "image", "exists", image).CombinedOutput(); err != nil {
		return fmt.Sprintf("podman image exists %s: %v %s", image, err, out)
	}
	return ""
}

// program is the qs that is under test.
func program() string { return filepath.Join(suite.checkout, "bin", "qs") }
