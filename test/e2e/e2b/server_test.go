package e2b

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// ownKey is the key that the server is started with.
const ownKey = "e2b_00000000000000000000000000000000000000aa"

// server is a `qs serve` of the suite's own.
type server struct {
	url    string
	cmd    *exec.Cmd
	logged chan struct{} // closed when its last word has been read
}

// anyPort has a server listen at a port that is free, on loopback.
const anyPort = "--listen=127.0.0.1:0"

// serve starts a server.
func serve(ctx SpecContext, flags ...string) *server {
	cmd := command(context.WithoutCancel(ctx), append([]string{"serve"}, flags...)...)
	cmd.Env = append(cmd.Env, "QS_SERVE_API_KEY="+ownKey)
	pipe, err := cmd.StderrPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(cmd.Start()).To(Succeed())
	DeferCleanup(func() { _ = cmd.Process.Kill() }) // where it is not stopped
	log := bufio.NewReader(pipe)
	var address string
	for found := false; !found; {
		line, err := log.ReadString('\n')
		Expect(err).NotTo(HaveOccurred(), line)
		_, address, found = strings.Cut(strings.TrimSpace(line), "listens at ")
	}
	s := &server{"http://" + address, cmd, make(chan struct{})}
	go func() {
		defer close(s.logged)
		_, _ = io.Copy(GinkgoWriter, log)
	}()
	return s
}

// stocked returns when the server has built its own templates. Their layers are
// in the store, or they cannot be built here.
func (s *server) stocked(ctx SpecContext) {
	Eventually(func(g Gomega) {
		resp, err := http.Get(s.url + "/readyz")
		g.Expect(err).NotTo(HaveOccurred())
		defer resp.Body.Close()
		var told struct{ Templates map[string]string }
		g.Expect(json.NewDecoder(resp.Body).Decode(&told)).To(Succeed())
		g.Expect(told.Templates).To(HaveEach("ready"), "build their layers with: hack/with-host hack/stock-templates")
	}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
}

// stop ends the server as a service manager would.
func (s *server) stop(ctx SpecContext) {
	Expect(s.cmd.Process.Signal(syscall.SIGTERM)).To(Succeed())
	defer context.AfterFunc(ctx, func() { _ = s.cmd.Process.Kill() })()
	<-s.logged
	Expect(s.cmd.Wait()).To(Succeed(), "the server's end")
}

// command is a qs of the suite's root. The agent is the one that it has in it.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, suite.program, args...)
	cmd.Env = append(os.Environ(), "QS_ROOT="+suite.root, "QS_AGENT=")
	return cmd
}

// qs runs qs, which must succeed.
func qs(ctx SpecContext, args ...string) string {
	out, err := command(ctx, args...).Output()
	Expect(err).NotTo(HaveOccurred(), "qs %v", args)
	return string(out)
}
