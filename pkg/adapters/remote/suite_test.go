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
		contract.Pauser, contract.Renamer, contract.Snapshotter, contract.StatsReader, contract.Sudo, contract.Users,
	},
	SameKernel:  true,
	Available:   available,
	Unreachable: unreachable,
	Stranger:    cli.Stranger,
	Inspect:     cli.Inspect,
	Marks:       marks,
	Deviations: map[string]string{
		"watch says so when more comes than is taken": "what the network and the proxy hold on the way is more than the case makes",
	},
})

// groups are what `make test` runs of the suite: what goes another way here than with
// an engine of this machine. QS_TEST_REMOTE=all, or any focus of one's own, runs
// the whole.
const groups = `remote (claims|adapter|create|find connect|find roots|name|an ephemeral|kill|death|pause|snapshot|ports|events)`

func TestContract(t *testing.T) {
	if enginetest.BuiltQS() != "" {
		serverURL = "http://" + serveHere(t, "--listen", "127.0.0.1:0")
	}
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	if os.Getenv("QS_TEST_REMOTE") == "" && len(suite.FocusStrings) == 0 && suite.LabelFilter == "" {
		suite.FocusStrings = []string{groups}
	}
	RunSpecs(t, "remote", suite, reporter)
}
