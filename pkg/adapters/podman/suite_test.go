package podman

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

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
		contract.Isolation, contract.Networks, contract.RootUser, contract.Python, contract.Publish,
		contract.Pauser, contract.Renamer, contract.Snapshotter, contract.StatsReader, contract.Historian,
		contract.ImageBuilder,
	),
	SameKernel:  true,
	Loopback:    true,
	QS:          builtQS(),
	Available:   available,
	Unreachable: unreachable,
	Import:      importImage,
	Stranger:    stranger,
	Inspect:     inspect,
	Marks:       marks,
	Leftovers:   leftovers,
	Endings:     endings,
})

func TestContract(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "podman")
}

// builtQS is the qs that was built beside the agent under test, if any.
func builtQS() string {
	qs := filepath.Join(filepath.Dir(os.Getenv("QS_AGENT")), "qs")
	if _, err := os.Stat(qs); err != nil || os.Getenv("QS_AGENT") == "" {
		return ""
	}
	return qs
}
