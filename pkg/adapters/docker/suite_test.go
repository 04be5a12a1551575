package docker

import (
	"os"
	"slices"
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
	Claims: without(
		lacking(),
		contract.Dialer, contract.Resolver, contract.Checker, contract.EventStreamer,
		contract.Isolation, contract.Networks, contract.RootUser, contract.Sudo, contract.Users, contract.Python,
		contract.Pauser, contract.Renamer, contract.Snapshotter, contract.StatsReader, contract.Historian,
		contract.ImageBuilder,
		contract.MemoryLimit, contract.CPULimit, contract.PIDsLimit,
	),
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

// without leaves capabilities out.
func without(lacking []contract.Capability, all ...contract.Capability) []contract.Capability {
	return slices.DeleteFunc(all, func(c contract.Capability) bool { return slices.Contains(lacking, c) })
}

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
	runAgain(t, "claims|create|commands|files|streams|security|network|events|death|kill|an ephemeral", dataPlaneVariable+"=exec")
}
