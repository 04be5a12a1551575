// Package contract holds the cases that every adapter must pass. It is the
// specification of a sandbox, written as a Ginkgo suite: an adapter's own tests
// repeat none of it.
//
//	var _ = contract.DescribeAdapter("podman", contract.Harness{
//		New:    podman.Open,
//		Image:  os.Getenv("QS_IMAGE"),
//		Claims: []contract.Capability{contract.Dialer, contract.Isolation},
//	})
//
//	func TestContract(t *testing.T) {
//		RegisterFailHandler(Fail)
//		RunSpecs(t, "podman")
//	}
//
// Nearly all cases drive pkg/quixand on the adapter, because that is what users
// hold; a group of its own calls the adapter's methods as pkg/quixand does.
//
// What an adapter or its host cannot do is a [Capability] that the harness does
// not claim. The cases that need it are skipped under its name, the suite's last
// lines count them, and a claim that does not hold, or a capability that is
// there without a claim, is a failure: nothing is left out in silence.
//
// The package says nothing about how an engine works inside, and measures no
// speed: that is hack/bench.
package contract
