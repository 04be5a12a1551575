package contract

import (
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/quixand"
)

// describeSwaps has root inside replace the agent's socket, which is in a
// directory that the host looks into, by something worse.
func describeSwaps(f *fixture) {
	Describe("a socket directory", needs(Local, Isolation, RootUser, SameKernel), func() {
		const socket = agentapi.SocketDir + "/" + agentapi.SocketName
		for _, trap := range []struct{ what, script string }{
			{"a link to a socket of the host", "ln -s $HOST " + socket},
			{"a link to a directory of the host", "ln -s /run " + socket},
			{"a pipe that nobody reads", "mkfifo -m 777 " + socket},
			{"a file", "echo HTTP/1.1 200 OK >" + socket},
			{"a directory", "mkdir " + socket},
		} {
			it("leads nobody astray with "+trap.what, func(ctx SpecContext) {
				host, arrived := listenUnix(filepath.Join(f.Dir, newID()))
				b := f.create(ctx, nil)
				b.asRoot(ctx, "HOST="+host+"; rm "+socket+" && "+trap.script)
				begin := time.Now()
				_, err := f.another().Connect(ctx, b.ID())
				var e *quixand.Error
				Expect(err).To(BeAssignableToTypeOf(e))
				Expect(time.Since(begin)).To(BeNumerically("<", 10*time.Second))
				Expect(arrived.Load()).To(BeZero())
				Expect(f.client.List(ctx, nil)).To(ContainElement(HaveField("ID", b.ID())))
				Expect(f.client.Kill(ctx, b.ID())).To(Succeed())
			})
		}
	})
}

// A socket that is merely gone is nobody's trap: where the adapter can have it
// made anew, it does.
func describeLostSocket(f *fixture) {
	it("gets its socket back, or tells that it is lost", needs(Isolation, RootUser), func(ctx SpecContext) {
		b := f.create(ctx, nil)
		b.asRoot(ctx, "rm "+agentapi.SocketDir+"/"+agentapi.SocketName)
		begin := time.Now()
		sb, err := f.another().Connect(ctx, b.ID())
		Expect(time.Since(begin)).To(BeNumerically("<", 15*time.Second))
		if err == nil {
			Expect(sb.Run(ctx, "true")).To(HaveField("ExitCode", 0))
		} else {
			Expect(err).To(failAs(quixand.ErrUnavailable))
		}
		Expect(f.client.Kill(ctx, b.ID())).To(Succeed())
	})
}

// listenUnix listens at a path of the host, until the case ends, and counts who
// comes.
func listenUnix(path string) (string, *atomic.Int64) {
	GinkgoHelper()
	l, err := net.Listen("unix", path)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(l.Close)
	arrived := new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			arrived.Add(1)
			conn.Close()
		}
	}()
	return path, arrived
}
