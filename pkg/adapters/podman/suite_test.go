package podman

import (
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/local/enginetest"
	"github.com/quixand/quixand/pkg/adapters/contract"
)

// The suite runs where QS_IMAGE names an image with Python in the store of the
// user's Podman, as hack/with-host arranges it.
var _ = contract.DescribeAdapter(Name, contract.Harness{
	New:   open,
	Image: os.Getenv("QS_IMAGE"),
	Claims: append(
		enforced(),
		contract.Dialer, contract.Resolver, contract.Checker, contract.EventStreamer,
		contract.Isolation, contract.Networks, contract.RootUser, contract.Sudo, contract.Users, contract.Python, contract.Publish,
		contract.Pauser, contract.Renamer, contract.Snapshotter, contract.StatsReader, contract.Historian,
		contract.ImageBuilder,
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
	Leftovers:   leftovers,
	Endings:     endings,
})

func TestContract(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "podman")
}
