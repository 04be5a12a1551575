package contract

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/quixand"
)

// describeNetwork is about what a sandbox can reach, and what it must not.
func describeNetwork(f *fixture) {
	Describe("network none", Ordered, ContinueOnFailure, needs(Networks), func() {
		b := f.shared(&quixand.Options{Network: quixand.NetworkNone})

		it("has a loopback interface and no other", func(ctx SpecContext) {
			Expect(b.sh(ctx, interfaces)).To(Equal("lo"))
			Expect(b.Info(ctx)).To(HaveField("Network", quixand.NetworkNone))
		})
		it("reaches itself", func(ctx SpecContext) {
			port := b.serve(ctx, "127.0.0.1:0", "echo")
			Expect(b.probed(ctx, "dial", address(port))).To(ContainSubstring("connected"))
		})
		it("knows itself by name", func(ctx SpecContext) {
			port := strconv.Itoa(b.serve(ctx, "127.0.0.1:0", "echo"))
			self := strings.TrimSpace(b.sh(ctx, "cat /proc/sys/kernel/hostname"))
			for _, name := range []string{"localhost", self} {
				Expect(b.probed(ctx, "dial", net.JoinHostPort(name, port))).To(ContainSubstring("connected"))
			}
		})
		it("reaches nobody else", func(ctx SpecContext) {
			Expect(b.probed(ctx, "dial", "10.0.0.1:80", "192.0.2.1:80", "[2001:db8::1]:80")).NotTo(ContainSubstring("connected"))
		})
		it("reaches no service of this host", needs(SameKernel), func(ctx SpecContext) {
			expectUnreachable(ctx, b, "")
		})
	})

	Describe("network bridge", Ordered, ContinueOnFailure, needs(Networks), func() {
		b := f.shared(&quixand.Options{Network: quixand.NetworkBridge})

		it("has an interface and a default route", func(ctx SpecContext) {
			Expect(strings.Fields(b.sh(ctx, interfaces))).To(HaveLen(2))
			Expect(b.sh(ctx, "cat /proc/net/route")).To(MatchRegexp(`\t00000000\t`))
			Expect(b.Info(ctx)).To(HaveField("Network", quixand.NetworkBridge))
		})
		it("reaches others", needs(Outside), func(ctx SpecContext) {
			Expect(b.probed(ctx, "dial", os.Getenv(outsideVariable))).To(ContainSubstring("connected"))
		})
		it("reaches no service of this host", needs(SameKernel), func(ctx SpecContext) {
			expectUnreachable(ctx, b, "")
		})
		it("reaches no service of this host as root", needs(SameKernel, RootUser), func(ctx SpecContext) {
			expectUnreachable(ctx, b, "root")
		})
		it("reaches no other sandbox", func(ctx SpecContext) {
			other := f.create(ctx, &quixand.Options{Network: quixand.NetworkBridge})
			port := other.serve(ctx, "0.0.0.0:0", "echo")
			var targets []string
			for _, ip := range other.addresses(ctx) {
				targets = append(targets, net.JoinHostPort(ip, strconv.Itoa(port)))
			}
			Expect(targets).NotTo(BeEmpty())
			// The way there is not closed by a server that does not answer.
			Expect(other.probed(ctx, "dial", address(port))).To(ContainSubstring("connected"))
			Expect(b.probed(ctx, append([]string{"dial"}, targets...)...)).NotTo(ContainSubstring("connected"))
		})
	})
}

// addresses lists the sandbox's own IPv4 addresses but for the loopback's.
func (b *box) addresses(ctx context.Context) []string {
	GinkgoHelper()
	const local = `awk '/32 host/ { print address } { address = $2 }' /proc/net/fib_trie | sort -u | grep -v ^127`
	return strings.Fields(b.sh(ctx, local))
}

// expectUnreachable listens on every address of this host, lets the sandbox try
// them all, and the addresses by which engines make a host reachable, and
// asserts that nothing arrived. That the listeners work is shown by reaching them
// from this process.
func expectUnreachable(ctx context.Context, b *box, user string) {
	GinkgoHelper()
	tcp, err := net.Listen("tcp", ":0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(tcp.Close)
	loopback, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(loopback.Close)
	udp, err := net.ListenPacket("udp", ":0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(udp.Close)
	var arrived atomic.Int64
	for _, l := range []net.Listener{tcp, loopback} {
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
	}
	go func() {
		for b := make([]byte, 100); ; {
			if _, _, err := udp.ReadFrom(b); err != nil {
				return
			}
			arrived.Add(1)
		}
	}()

	hosts := append(hostAddresses(), b.gateways(ctx)...)
	hosts = append(hosts, "10.0.2.2", "10.0.2.3", "169.254.1.1", "169.254.1.2", "host.containers.internal", "host.docker.internal")
	var dials, sends []string
	for _, host := range hosts {
		dials = append(dials, at(host, tcp.Addr()), at(host, loopback.Addr()))
		sends = append(sends, at(host, udp.LocalAddr()))
	}
	for verb, targets := range map[string][]string{"dial": dials, "send": sends} {
		cmd := b.Command(b.probe(ctx), append([]string{verb}, targets...)...)
		cmd.User = user
		out, err := cmd.CombinedOutput(ctx)
		Expect(err).NotTo(HaveOccurred(), "%s", out)
		Expect(string(out)).NotTo(ContainSubstring("connected"))
	}
	Consistently(arrived.Load).WithContext(ctx).WithTimeout(200 * time.Millisecond).Should(BeZero())

	for _, a := range []net.Addr{tcp.Addr(), loopback.Addr(), udp.LocalAddr()} {
		conn, err := net.Dial(a.Network(), at("127.0.0.1", a))
		Expect(err).NotTo(HaveOccurred())
		_, err = conn.Write([]byte("from this process"))
		Expect(err).NotTo(HaveOccurred())
		Expect(conn.Close()).To(Succeed())
	}
	eventually(ctx, arrived.Load).Should(BeEquivalentTo(3))
}

// hostAddresses are those of all interfaces, loopback included.
func hostAddresses() []string {
	GinkgoHelper()
	addrs, err := net.InterfaceAddrs()
	Expect(err).NotTo(HaveOccurred())
	var hosts []string
	for _, a := range addrs {
		if ip := a.(*net.IPNet).IP; !ip.IsLinkLocalUnicast() {
			hosts = append(hosts, ip.String())
		}
	}
	return hosts
}

// gateways are the sandbox's IPv4 routers; behind one of them may be the host.
func (b *box) gateways(ctx context.Context) []string {
	GinkgoHelper()
	var hosts []string
	for _, hex := range strings.Fields(b.sh(ctx, `awk 'NR > 1 && $3 != "00000000" { print $3 }' /proc/net/route | sort -u`)) {
		n, err := strconv.ParseUint(hex, 16, 32)
		Expect(err).NotTo(HaveOccurred())
		hosts = append(hosts, net.IPv4(byte(n), byte(n>>8), byte(n>>16), byte(n>>24)).String())
	}
	return hosts
}

// at is a host with the port of an address.
func at(host string, a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return net.JoinHostPort(host, port)
}
