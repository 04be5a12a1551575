package contract

import (
	"context"
	"io"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/quixand/quixand/pkg/adapters"
)

// Harness says how to build the adapter under test, and what it promises. New
// and Image are required.
type Harness struct {
	// New opens the adapter. It is called many times, at once too.
	New adapters.Factory
	// Image is what sandboxes start from: it has a shell and the usual
	// tools, and python3 with pip where Python is claimed.
	Image string
	// Claims lists the capabilities of adapter and host. Each is put to the
	// test, and so is the lack of each that is not claimed.
	Claims []Capability
	// SameKernel says that sandboxes are processes of this machine, so that
	// what they leave behind can be seen in its /proc.
	SameKernel bool
	// Loopback says that the engine is in this host's network, and reaches a
	// registry on its loopback.
	Loopback bool
	// QS is the path of a qs program that has the adapter linked, for systemd to
	// start.
	QS string
	// Deviations lists cases that this adapter is known to fail, by their full
	// text, with the reason. One that names no case is a failure.
	Deviations map[string]string

	// Available says why the engine cannot be used on this machine. All cases are
	// then skipped for lack of Engine, or fail where $QS_TEST_REQUIRE, a list with
	// commas, names the adapter. nil: it always can.
	Available func(ctx context.Context) error
	// Unreachable opens the adapter so that it cannot reach its engine.
	Unreachable adapters.Factory
	// Import makes an image of a root file system, a tar stream, and returns
	// what to call it and how to remove it.
	Import func(ctx context.Context, name string, rootfs io.Reader) (image string, remove func(context.Context) error, err error)
	// Stranger starts something that is not Quixand's but bears a name as if it
	// were the sandbox of this id.
	Stranger func(ctx context.Context, id string) (alive func(context.Context) (bool, error), remove func(context.Context) error, err error)
	// Inspect returns all that the engine tells of a sandbox, in its own words.
	Inspect func(ctx context.Context, id string) (string, error)
	// Marks lists what the command lines of host processes that serve a sandbox
	// contain, besides its id.
	Marks func(ctx context.Context, id string) ([]string, error)
	// Endings are ways to end a sandbox behind the adapter's back.
	Endings []Ending
	// Leftovers lists what the engine and the host still hold of a Quixand root
	// whose sandboxes have all ended: containers, networks, processes.
	Leftovers func(ctx context.Context, root string) ([]string, error)
}

// Ending is a way in which a sandbox can end that the adapter has no part in.
type Ending struct {
	Name   string // the rest of a sentence: "podman kill"
	Reason adapters.Reason
	End    func(ctx context.Context, root, id string) error
}

// DescribeAdapter registers every case for the adapter. It is called once in a
// test binary, at the top level: it has the suite's before and after for itself.
func DescribeAdapter(name string, h Harness) bool {
	f := newFixture(name, h)
	SynchronizedBeforeSuite(f.prepareOnce, f.prepare, NodeTimeout(5*time.Minute))
	SynchronizedAfterSuite(f.assertNothingLeft, f.cleanUpOnce, NodeTimeout(time.Minute))
	ReportAfterSuite("capabilities of "+name, f.report)
	return Describe(name, Label("contract"), needs(Engine), func() {
		BeforeEach(f.skipWhatIsLacking)
		for _, describe := range groups {
			describe(f)
		}
	})
}

// groups are the suite's chapters, in the order of a sandbox's life.
var groups = []func(*fixture){
	describeClaims,
	describeSeam,
	describeCreate,
	describeFind,
	describeGivenNames,
	describeLabels,
	describeTime,
	describeEnforcers,
	describeLeases,
	describeKill,
	describeDeath,
	describePause,
	describeSnapshots,
	describeForks,
	describeMetrics,
	describeFiles,
	describeNames,
	describeDirectories,
	describeTrees,
	describeFS,
	describeWatch,
	describeCommands,
	describeStreams,
	describeSignals,
	describeCancel,
	describeAttach,
	describePTY,
	describePorts,
	describePython,
	describeImages,
	describeTemplates,
	describeRegistries,
	describeErrors,
	describeConcurrency,
	describeSecurity,
	describeSudo,
	describeSwaps,
	describeLostSocket,
	describeNetwork,
	describeLimits,
	describeLeaks,
}
