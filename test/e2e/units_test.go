package e2e

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/envd/process"
)

// The units of contrib, under names of their own and with what this suite has in
// place of what a user would.
var _ = Describe("The units of qs serve", needsEngine, func() {
	It("are what systemd takes for right", limit, func(ctx SpecContext) {
		u := newUnit(ctx)
		u.installService("")
		systemctl(ctx, "daemon-reload")
		out, err := exec.CommandContext(ctx, "systemd-analyze", "--user", "verify", u.name+".socket", u.name+".service").CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
		Expect(string(out)).To(BeEmpty())
	})

	It("start at the first request, and lose nothing when they are restarted", limit, func(ctx SpecContext) {
		u := newUnit(ctx)
		u.installService("ExecStart=\nExecStart=" + program() + " serve --audit-log=- --drain=1s --no-stock\n")
		u.start(ctx)
		sb := u.create(ctx)
		before := u.describe(ctx, sb)
		stream, pid := sb.count(ctx)

		asked := u.askOn(ctx)
		restarted := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(restarted)
			systemctl(ctx, "restart", u.name+".service")
		}()
		for stream.Receive() { // until the server that ends cuts it
		}
		Expect(stream.Err()).To(HaveOccurred(), "a command without an end")
		<-restarted
		again, err := sb.process().Connect(ctx, connect.NewRequest(&process.ConnectRequest{
			Process: &process.ProcessSelector{Selector: &process.ProcessSelector_Pid{Pid: pid}},
		}))
		Expect(err).NotTo(HaveOccurred())
		Expect(again.Receive()).To(BeTrue(), "%v", again.Err()) // with the old token
		Expect(again.Close()).To(Succeed())
		Expect(u.describe(ctx, sb)).To(Equal(before))
		Expect(asked()).To(BeNumerically(">", 3), "requests that were answered meanwhile")
	})

	It("run it in a container that Quadlet makes", limit, func(ctx SpecContext) {
		if _, err := os.Stat("/usr/libexec/podman/quadlet"); err != nil {
			Skip("lacks Quadlet")
		}
		image := "localhost/qs-e2e-" + strings.ToLower(rand.Text())
		podman(ctx, "build", "--tag", image, "--file", filepath.Join(suite.checkout, "contrib/quadlet/Containerfile"), filepath.Join(suite.checkout, "bin/release"))
		DeferCleanup(func(ctx SpecContext) { podman(ctx, "rmi", image) }, NodeTimeout(20*time.Second))
		u := newUnit(ctx)
		u.install("quadlet/qs-serve.container", "containers/systemd", "[Container]\n"+u.environment(),
			"Image=localhost/qs\n", "Image="+image+"\n", "--audit-log=-\n", "--audit-log=- --no-stock\n", "%h/.quixand", suite.root)
		u.start(ctx)
		sb := u.create(ctx)
		stream, _ := sb.count(ctx)
		Expect(stream.Close()).To(Succeed())
		systemctl(ctx, "restart", u.name+".service")
		u.describe(ctx, sb)
	})
})

func podman(ctx SpecContext, args ...string) {
	GinkgoHelper()
	out, err := exec.CommandContext(ctx, "podman", args...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "podman %v: %s", args, out)
}
