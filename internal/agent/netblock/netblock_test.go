package netblock

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRequest(t *testing.T) {
	got := route(7, netip.MustParsePrefix("10.0.2.2/32"))
	want := []byte{
		36, 0, 0, 0, 24, 0, 5, 5, 7, 0, 0, 0, 0, 0, 0, 0, // header
		2, 32, 0, 0, 254, 4, 0, 7, 0, 0, 0, 0, // route
		8, 0, 1, 0, 10, 0, 2, 2, // destination
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	rule := rule(7, netip.MustParsePrefix("10.0.2.2/32"))
	want[4], want[7] = unix.RTM_NEWRULE, unix.NLM_F_CREATE>>8
	want[20], want[21], want[23] = 0, 0, unix.FR_ACT_UNREACHABLE
	if !bytes.Equal(rule, want) {
		t.Errorf("got  %v\nwant %v", rule, want)
	}
	if got := route(1, netip.MustParsePrefix("fd00::1/128")); len(got) != 48 || got[16] != unix.AF_INET6 || got[17] != 128 {
		t.Errorf("IPv6: %v", got)
	}
}

func TestParse(t *testing.T) {
	answer := func(seq byte, errno int32) []byte {
		e := -errno
		return []byte{
			20, 0, 0, 0, 2, 0, 0, 0, seq, 0, 0, 0, 0, 0, 0, 0,
			byte(e), byte(e >> 8), byte(e >> 16), byte(e >> 24),
		}
	}
	if done, err := parse(answer(3, 0), 3); !done || err != nil {
		t.Error(done, err)
	}
	if done, err := parse(answer(2, 0), 3); done || err != nil {
		t.Error(done, err)
	}
	if _, err := parse(answer(3, int32(unix.EPERM)), 3); err != unix.EPERM {
		t.Error(err)
	}
	if _, err := parse([]byte("short"), 3); err == nil {
		t.Error("a short answer was accepted")
	}
}

// inNamespaces runs one test again in new namespaces, where an ordinary user
// is root.
func inNamespaces(t *testing.T, flags uintptr) (output string, err error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "NETBLOCK_CHILD=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  flags,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestBlock(t *testing.T) {
	if os.Getenv("NETBLOCK_CHILD") != "" {
		// A mapped address is its IPv4 address, and a zone is none of its.
		if err := Block([]netip.Addr{netip.MustParseAddr("::ffff:10.1.2.3"), netip.MustParseAddr("fd00::7"), netip.MustParseAddr("fe80::7%lo")}); err != nil {
			t.Fatal(err)
		}
		_, err := net.Dial("tcp", "10.1.2.3:80")
		fmt.Println("dial:", err)
		routes, err := os.ReadFile("/proc/self/net/ipv6_route")
		fmt.Printf("%s%v", routes, err)
		return
	}
	out, err := inNamespaces(t, syscall.CLONE_NEWUSER|syscall.CLONE_NEWNET)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(out, "no route to host") || !strings.Contains(out, "fd000000000000000000000000000007 80") {
		t.Errorf("not blocked:\n%s", out)
	}
}

// Of a network with a router, only what is behind the router can be reached.
func TestBlockOwn(t *testing.T) {
	if os.Getenv("NETBLOCK_CHILD") != "" {
		for _, command := range []string{
			"link add eth0 type veth peer name eth1", "link set eth1 up", "link set eth0 up", "address add 172.17.0.2/16 dev eth0", "address add fd17::2/64 dev eth0 nodad",
			"route add default via 172.17.0.1", "-6 route add default via fd17::1",
		} {
			if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
				t.Fatalf("ip %s: %v, %s", command, err, out)
			}
		}
		if err := BlockOwn(); err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{"172.17.0.1", "172.17.9.9", "fd17::1", "172.17.0.2", "192.0.2.1", "2001:db8::1"} {
			conn, err := net.Dial("udp", net.JoinHostPort(to, "9"))
			fmt.Printf("%s %v\n", to, err == nil)
			if err == nil {
				conn.Close()
			}
		}
		return
	}
	out, err := inNamespaces(t, syscall.CLONE_NEWUSER|syscall.CLONE_NEWNET)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const want = "172.17.0.1 false\n172.17.9.9 false\nfd17::1 false\n172.17.0.2 true\n192.0.2.1 true\n2001:db8::1 true\n"
	if !strings.HasPrefix(out, want) {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}

func TestBlockWithoutPrivileges(t *testing.T) {
	if os.Getenv("NETBLOCK_CHILD") != "" {
		fmt.Println("block:", Block([]netip.Addr{netip.MustParseAddr("192.0.2.1")}))
		return
	}
	// Root of a user namespace has no power over the network of another.
	out, err := inNamespaces(t, syscall.CLONE_NEWUSER)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(out, "block: make 192.0.2.1/32 unreachable: operation not permitted") {
		t.Errorf("not refused:\n%s", out)
	}
}
