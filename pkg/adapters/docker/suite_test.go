package docker

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/local/enginetest"
	"github.com/quixand/quixand/pkg/adapters/contract"
)

// The suite runs where QS_IMAGE names an image with Python in the store of a
// Docker daemon of this machine, as hack/with-host arranges it.
var _ = contract.DescribeAdapter(Name, contract.Harness{
	New:   open,
	Image: os.Getenv("QS_IMAGE"),
	Claims: []contract.Capability{
		contract.Dialer, contract.Resolver, contract.Checker, contract.EventStreamer,
		contract.Isolation, contract.Networks, contract.RootUser, contract.Sudo, contract.Users, contract.Python,
		contract.Pauser, contract.Renamer, contract.Snapshotter, contract.StatsReader, contract.Historian,
		contract.ImageBuilder,
		contract.MemoryLimit, contract.CPULimit, contract.PIDsLimit,
	},
	SameKernel:  true,
	Loopback:    true,
	QS:          enginetest.BuiltQS(),
	Available:   cli.Available,
	Unreachable: unreachable,
	Import:      cli.Import,
	Stranger:    cli.Stranger,
	Inspect:     cli.Inspect,
	Marks:       marks,
	Leftovers:   cli.Leftovers,
	Deviations:  deviations(),
})

func TestContract(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "docker")
}

// What depends on the way to the agent again, with every agent reached through an
// exec. QS_DATA_PLANE=exec runs all cases that way.
func TestContractByExec(t *testing.T) {
	if os.Getenv(dataPlaneVariable) != "" {
		t.Skip("lacks a choice: one way to the agent is asked for")
	}
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		return !strings.HasPrefix(arg, "-ginkgo.") && !strings.HasPrefix(arg, "-test.v")
	})
	if len(args) == 0 || !strings.Contains(strings.Join(args, " "), "focus") {
		args = append(args, "-ginkgo.focus=docker (claims|create|commands|files|streams|security|network)")
	}
	again := exec.CommandContext(t.Context(), os.Args[0], append(args, "-test.run=^TestContract$")...)
	again.Env = append(os.Environ(), dataPlaneVariable+"=exec")
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	if err := again.Run(); err != nil {
		t.Error(err)
	}
}
