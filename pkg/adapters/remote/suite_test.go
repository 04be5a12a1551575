package remote

import (
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/local/enginetest"
	"github.com/quixand/quixand/pkg/adapters/contract"
)

// The suite runs through a qs serve of its own, on the user's rootless Podman,
// where hack/with-host arranges for them.
var _ = contract.DescribeAdapter(Name, contract.Harness{
	New:   openRemote,
	Image: os.Getenv("QS_IMAGE"),
	Claims: []contract.Capability{
		contract.Dialer, contract.Checker, contract.EventStreamer, contract.Historian,
		contract.Isolation, contract.Networks, contract.RootUser, contract.Python,
		contract.Pauser, contract.Renamer, contract.Snapshotter, contract.StatsReader,
	},
	SameKernel:  true,
	Available:   available,
	Unreachable: unreachable,
	Stranger:    cli.Stranger,
	Inspect:     cli.Inspect,
	Marks:       marks,
})

func TestContract(t *testing.T) {
	if enginetest.BuiltQS() != "" {
		serverURL = "http://" + serve(t, "--listen", "127.0.0.1:0")
	}
	RegisterFailHandler(Fail)
	RunSpecs(t, "remote")
}
