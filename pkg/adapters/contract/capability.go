package contract

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
)

// Capability names something that not every adapter or host can do. A case that
// needs one is skipped under its name.
type Capability string

// Claimed by a harness, and held to it by cases of their own.
const (
	Dialer        Capability = "dialer"         // implements adapters.Dialer
	Resolver      Capability = "resolver"       // implements adapters.Resolver
	Checker       Capability = "checker"        // implements adapters.Checker
	EventStreamer Capability = "event streamer" // implements adapters.EventStreamer
	Historian     Capability = "historian"      // implements adapters.Historian
	Pauser        Capability = "pauser"         // implements adapters.Pauser, and the host can freeze
	Renamer       Capability = "renamer"        // implements adapters.Renamer
	Snapshotter   Capability = "snapshotter"    // implements adapters.Snapshotter
	StatsReader   Capability = "stats reader"   // implements adapters.StatsReader
	ImageBuilder  Capability = "image builder"  // implements adapters.ImageBuilder and ImageStore

	Isolation   Capability = "isolation"    // namespaces of its own; code without privileges
	Networks    Capability = "networks"     // bridge and none are what they say
	RootUser    Capability = "root user"    // commands as root for those who ask
	Sudo        Capability = "sudo"         // Spec.Sudo
	Users       Capability = "users"        // Spec.User
	Python      Capability = "python"       // Harness.Image has python3 with pip
	Publish     Capability = "publish"      // ports published by the engine
	MemoryLimit Capability = "memory limit" // enforced
	CPULimit    Capability = "cpu limit"    // enforced
	PIDsLimit   Capability = "pids limit"   // enforced
)

// Given by what a harness or the host brings along.
const (
	Engine      Capability = "engine"      // Harness.Available says so
	Local       Capability = "local"       // no adapters.Hosted: the caller keeps timeouts, and reaches agents by their sockets
	Unreachable Capability = "unreachable" // Harness.Unreachable
	Images      Capability = "images"      // Harness.Import
	Busybox     Capability = "busybox"     // Images, and a busybox on this host
	Stranger    Capability = "stranger"    // Harness.Stranger
	Leftovers   Capability = "leftovers"   // Harness.Leftovers
	Inspect     Capability = "inspect"     // Harness.Inspect
	SameKernel  Capability = "same kernel" // Harness.SameKernel
	Loopback    Capability = "loopback"    // Harness.Loopback
	Systemd     Capability = "systemd"     // Harness.QS, and a systemd of this user's
	Outside     Capability = "outside"     // $QS_TEST_OUTSIDE, an address that a bridge reaches
	Patience    Capability = "patience"    // $QS_TEST_SLOW is set: minutes are no matter
)

// outsideVariable names the host:port of a TCP service that is neither this
// host nor a sandbox.
const outsideVariable = "QS_TEST_OUTSIDE"

// capabilities are what the harness claims and what it brings along.
func (h *Harness) capabilities() []Capability {
	caps := slices.Clone(h.Claims)
	for c, there := range map[Capability]bool{
		Unreachable: h.Unreachable != nil,
		Images:      h.Import != nil,
		Busybox:     h.Import != nil && busybox() != "",
		Stranger:    h.Stranger != nil,
		Leftovers:   h.Leftovers != nil,
		Inspect:     h.Inspect != nil,
		SameKernel:  h.SameKernel,
		Loopback:    h.Loopback,
		Systemd:     h.QS != "" && hasSystemd(),
		Outside:     os.Getenv(outsideVariable) != "",
		Patience:    os.Getenv("QS_TEST_SLOW") != "",
	} {
		if there {
			caps = append(caps, c)
		}
	}
	return caps
}

// busybox is the host's, or empty.
func busybox() string {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return ""
	}
	return path
}

const (
	needsPrefix = "needs "
	skipPrefix  = "lacks "

	deviationPrefix = "deviates: "
)

// needs marks a case, or a container of them, that runs only where all these
// capabilities are.
func needs(caps ...Capability) Labels {
	labels := make(Labels, len(caps))
	for i, c := range caps {
		labels[i] = needsPrefix + string(c)
	}
	return labels
}

// skipWhatIsLacking skips the running case under the name of the first
// capability that it needs and that is not there, or fails it where
// $QS_TEST_REQUIRE names that one.
func (f *fixture) skipWhatIsLacking() {
	for _, label := range CurrentSpecReport().Labels() {
		name, ok := strings.CutPrefix(label, needsPrefix)
		if ok && !f.has(Capability(name)) {
			if required(name) {
				Fail(fmt.Sprintf("QS_TEST_REQUIRE names %s, which is not there", name))
			}
			Skip(skipPrefix + name)
		}
	}
	if reason, ok := f.harness.Deviations[f.caseText(CurrentSpecReport())]; ok {
		Skip(deviationPrefix + reason)
	}
}

func (f *fixture) has(c Capability) bool { return slices.Contains(f.capabilities, c) }

// caseText is the full text of a case, without the adapter's name.
func (f *fixture) caseText(r SpecReport) string {
	return strings.TrimPrefix(r.FullText(), f.name+" ")
}
