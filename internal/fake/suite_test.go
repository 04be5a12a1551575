package fake_test

import (
	"os/exec"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/pkg/adapters/contract"
)

// engine is one for all adapters that the suite opens: what one creates, another
// finds.
var engine = fake.NewEngine()

var _ = contract.DescribeAdapter(fake.Name, contract.Harness{
	New:    engine.Open,
	Image:  "this process",
	Claims: append(python(), contract.Dialer, contract.Renamer, contract.Snapshotter, contract.Historian),
})

// python is a capability of this machine, where the fake's sandboxes run.
func python() []contract.Capability {
	if exec.Command("python3", "-m", "pip", "--version").Run() != nil {
		return nil
	}
	return []contract.Capability{contract.Python}
}

func TestContract(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "fake")
}
