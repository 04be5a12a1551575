package contract

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/quixand"
)

// describeSecurity looks at a sandbox from inside, as hostile code would.
func describeSecurity(f *fixture) {
	Describe("security", Ordered, ContinueOnFailure, needs(Isolation), func() {
		b := f.shared(nil)

		describePrivileges(b)
		describeRoot(b)
		describeAgentsOwn(b)
		describeHostsOwn(f, b)
	})
}

func describePrivileges(b *box) {
	it("runs code as uid and gid 1000 and in no other group", func(ctx SpecContext) {
		status := b.probed(ctx, "status")
		Expect(status).To(MatchRegexp(`(?m)^Uid:\t1000\t1000\t1000\t1000$`))
		Expect(status).To(MatchRegexp(`(?m)^Gid:\t1000\t1000\t1000\t1000$`))
		Expect(strings.Fields(statusOf(status, "Groups"))).To(Or(BeEmpty(), Equal([]string{"1000"})))
	})
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		it("gives code no capability in "+set, func(ctx SpecContext) {
			Expect(statusOf(b.probed(ctx, "status"), set)).To(Equal("0000000000000000"))
		})
	}
	it("lets code gain no privileges", func(ctx SpecContext) {
		Expect(statusOf(b.probed(ctx, "status"), "NoNewPrivs")).To(Equal("1"))
	})
	it("filters the system calls of code", func(ctx SpecContext) {
		Expect(statusOf(b.probed(ctx, "status"), "Seccomp")).To(Equal("2"))
	})
	it("gives terminals and attached code no more than that", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{b.probe(ctx), "status"}})
		t.expectExit(ctx, 0)
		status := strings.ReplaceAll(string(t.out.Contents()), "\r", "")
		Expect(status).To(MatchRegexp(`(?m)^Uid:\t1000\t1000\t1000\t1000$`))
		Expect(statusOf(status, "CapBnd")).To(Equal("0000000000000000"))
		Expect(statusOf(status, "NoNewPrivs")).To(Equal("1"))
	})
	it("lets code write to no file of the system's", func(ctx SpecContext) {
		for _, path := range []string{"/etc/passwd", "/etc/new", "/usr/bin/new", "/new", "/root/new"} {
			Expect(b.denied(ctx, "", "echo x >>"+path)).To(Succeed())
		}
	})
	it("gives a setuid program of root's no power", needs(RootUser), func(ctx SpecContext) {
		program := b.dir(ctx) + "/setuid"
		b.asRoot(ctx, "cp "+b.probe(ctx)+" "+program+" && chmod 6755 "+program)
		Expect(b.sh(ctx, "stat -c '%u %a' "+program)).To(Equal("0 6755"))
		res, err := b.Run(ctx, program, "status")
		Expect(err).NotTo(HaveOccurred())
		Expect(res.Text()).To(MatchRegexp(`(?m)^Uid:\t1000\t1000\t1000\t1000$`))
		Expect(statusOf(res.Text(), "CapEff")).To(Equal("0000000000000000"))
	})
}

// Capabilities that let root inside do harm outside of its sandbox, or look at
// and steer its networks: capabilities(7).
var forbidden = map[string]int{
	"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_MODULE": 16, "CAP_SYS_RAWIO": 17, "CAP_SYS_PTRACE": 19,
	"CAP_SYS_ADMIN": 21, "CAP_SYS_BOOT": 22, "CAP_SYS_TIME": 25, "CAP_MKNOD": 27, "CAP_AUDIT_WRITE": 29,
	"CAP_SETFCAP": 31, "CAP_SYSLOG": 34, "CAP_BPF": 39,
}

func describeRoot(b *box) {
	it("limits root, who has to be asked for", needs(RootUser), func(ctx SpecContext) {
		status := b.asRoot(ctx, "cat /proc/self/status")
		Expect(status).To(MatchRegexp(`(?m)^Uid:\t0\t0\t0\t0$`))
		Expect(statusOf(status, "NoNewPrivs")).To(Equal("1"))
		Expect(statusOf(status, "Seccomp")).To(Equal("2"))
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
			caps, err := strconv.ParseUint(statusOf(status, set), 16, 64)
			Expect(err).NotTo(HaveOccurred())
			for name, bit := range forbidden {
				Expect(caps>>bit&1).To(BeZero(), "%s in %s", name, set)
			}
		}
	})
	for _, attempt := range []struct{ what, script string }{
		{"mount", "mount -t tmpfs none /mnt"},
		{"change the kernel's settings", "echo x >/proc/sys/kernel/core_pattern"},
		{"use the system request key", "[ -e /proc/sysrq-trigger ] || { echo not permitted by this kernel; exit 1; }; echo h >/proc/sysrq-trigger"},
		{"make devices", "mknod /tmp/disk b 8 0"},
		{"change its control group", "mkdir /sys/fs/cgroup/mine"},
		{"write to the agent", "echo x >>" + agentapi.BinaryPath},
		{"change the agent", "chmod 777 " + agentapi.BinaryPath},
		{"remove the agent", "rm -f " + agentapi.BinaryPath},
		{"change the host's name", "hostname changed"},
	} {
		it("does not even let root "+attempt.what, needs(RootUser), func(ctx SpecContext) {
			Expect(b.denied(ctx, "root", attempt.script)).To(Succeed())
		})
	}
}

func describeAgentsOwn(b *box) {
	for _, attempt := range []struct{ what, script string }{
		{"kill the agent", "kill -9 1"},
		{"stop the agent", "kill -STOP 1"},
		{"look for the agent by a signal", "kill -0 1"},
		{"read the agent's environment", "cat /proc/1/environ"},
		{"read the agent's memory", "head -c 1 /proc/1/mem"},
		{"see the agent's descriptors", "ls /proc/1/fd"},
		{"enter the agent's root", "ls /proc/1/root/"},
		{"enter the socket's directory", "ls " + agentapi.SocketDir},
		{"replace the socket", "touch " + agentapi.SocketDir + "/" + agentapi.SocketName},
		{"write to the agent's program", "echo x >>" + agentapi.BinaryPath},
	} {
		it("does not let code "+attempt.what, func(ctx SpecContext) {
			Expect(b.denied(ctx, "", attempt.script)).To(Succeed())
			Expect(b.sh(ctx, "echo alive")).To(Equal("alive"))
		})
	}
	it("does not listen on any network address", func(ctx SpecContext) {
		const listen = " 0A "
		Expect(b.sh(ctx, "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || true")).NotTo(ContainSubstring(listen))
	})
	it("has the agent's program on a mount that cannot be written", func(ctx SpecContext) {
		Expect(b.mountsOf(ctx)).To(ContainElement(SatisfyAll(
			HaveField("Point", agentapi.BinaryPath), HaveField("Options", ContainElement("ro")),
		)))
	})
}

func describeHostsOwn(f *fixture, b *box) {
	for _, path := range []string{
		"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/latency_stats", "/proc/sched_debug", "/sys/firmware", "/proc/acpi", "/proc/scsi",
	} {
		it("hides "+path, func(ctx SpecContext) {
			Expect(b.sh(ctx, "if [ -d "+path+" ]; then ls "+path+"; else head -c 1 "+path+"; fi 2>/dev/null || true")).To(BeEmpty())
		})
	}
	it("shows no environment of the host", func(ctx SpecContext) {
		env := b.probed(ctx, "env")
		Expect(env).NotTo(ContainSubstring(f.canary))
		for _, name := range []string{"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "QS_", "CONTAINER_HOST", "SSH_", "http_proxy"} {
			Expect(env).NotTo(ContainSubstring(`"` + name))
		}
		Expect(b.asRootOr(ctx, "cat /proc/*/environ 2>/dev/null || true")).NotTo(ContainSubstring(f.canary))
	})
	it("tells the engine nothing of the environment of the host", needs(Inspect), func(ctx SpecContext) {
		Expect(f.harness.Inspect(ctx, b.ID())).NotTo(ContainSubstring(f.canary))
	})
	it("shows no process but its own", func(ctx SpecContext) {
		for _, p := range b.processes(ctx, func(p process) bool { return p.pid != 1 }) {
			// Where no directory is shared, the way to the agent is a process.
			bridge := strings.HasPrefix(p.command, agentapi.BinaryPath+" ")
			Expect(p.parent == 1 || bridge || p.command == "[probe]" || strings.HasSuffix(p.command, "probe ps")).To(BeTrue(), "%+v", p)
		}
	})
	it("shows no name of the host", func(ctx SpecContext) {
		host, err := os.Hostname()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.sh(ctx, "cat /proc/sys/kernel/hostname")).NotTo(Equal(host))
	})
	it("has no socket of an engine", func(ctx SpecContext) {
		sockets := b.asRootOr(ctx, "find / -type s -not -path '/proc/*' 2>/dev/null || true")
		Expect(strings.Fields(sockets)).To(Or(BeEmpty(), Equal([]string{agentapi.SocketDir + "/" + agentapi.SocketName})))
	})
	it("has no device but the harmless ones", func(ctx SpecContext) {
		devices := strings.Fields(b.asRootOr(ctx, "find / -xdev \\( -type b -o -type c \\) 2>/dev/null; find /dev \\( -type b -o -type c \\) -not -path '/dev/pts/*' 2>/dev/null"))
		for _, d := range devices {
			Expect(d).To(MatchRegexp(`^/dev/(null|zero|full|random|urandom|tty|console|ptmx|core)$|^/proc/`))
		}
	})
	it("mounts nothing of the host but the agent and its socket's directory", func(ctx SpecContext) {
		for _, m := range b.mountsOf(ctx) {
			if slices.Contains([]string{agentapi.BinaryPath, agentapi.SocketDir}, m.Point) {
				continue
			}
			Expect(m.harmless()).To(BeTrue(), "%+v", m)
		}
	})
	it("has a directory of its own for the socket", func(ctx SpecContext) {
		Expect(b.asRootOr(ctx, "ls -A "+agentapi.SocketDir+" 2>/dev/null || true")).To(Or(BeEmpty(), Equal(agentapi.SocketName)))
	})
}

// mount is a line of /proc/self/mountinfo: proc(5).
type mount struct {
	Root, Point, Type string
	Options           []string
}

func (b *box) mountsOf(ctx context.Context) []mount {
	GinkgoHelper()
	var mounts []mount
	for line := range strings.Lines(b.sh(ctx, "cat /proc/self/mountinfo")) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		mounts = append(mounts, mount{
			Root: fields[3], Point: fields[4], Type: strings.Fields(after)[0], Options: strings.Split(fields[5], ","),
		})
	}
	return mounts
}

// harmless tells mounts of the kernel's own file systems, and the files that an
// engine writes for the sandbox alone, from windows to the host.
func (m mount) harmless() bool {
	switch m.Type {
	case "proc", "sysfs", "devpts", "mqueue", "cgroup2", "cgroup":
		return true
	case "overlay", "fuse.fuse-overlayfs":
		return m.Point == "/"
	case "btrfs": // whose subvolumes can be an engine's storage, and hold its files
		return m.Point == "/" || enginesOwn.MatchString(m.Point)
	}
	return enginesOwn.MatchString(m.Point) || m.Type == "tmpfs" && m.Root == "/"
}

var enginesOwn = regexp.MustCompile(`^/(etc/(hosts|hostname|resolv\.conf)|run/(\.containerenv|secrets)|dev|dev/(shm|null|zero|full|random|urandom|tty)|proc/.*|sys/.*)$`)

// statusOf returns a field of /proc/self/status.
func statusOf(status, field string) string {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "no field " + field
}

// asRoot runs a script as root, and it must succeed.
func (b *box) asRoot(ctx context.Context, script string) string {
	GinkgoHelper()
	cmd := b.Command("sh", "-c", script)
	cmd.User = "root"
	out, err := cmd.CombinedOutput(ctx)
	Expect(err).NotTo(HaveOccurred(), "%s", out)
	return strings.TrimSuffix(string(out), "\n")
}

// asRootOr runs a script as root where that can be had: who sees nothing as
// root sees nothing as anybody.
func (b *box) asRootOr(ctx context.Context, script string) string {
	GinkgoHelper()
	if b.f.has(RootUser) {
		return b.asRoot(ctx, script)
	}
	return b.sh(ctx, script)
}

// denied runs a script that must fail because somebody says no, and not for
// some other reason. An empty user is the sandbox's.
func (b *box) denied(ctx context.Context, user, script string) error {
	cmd := b.Command("sh", "-c", script)
	cmd.User = user
	out, err := cmd.CombinedOutput(ctx)
	switch {
	case err == nil:
		return fmt.Errorf("nobody stopped: %s\n%s", script, out)
	case !refusal.Match(out):
		return fmt.Errorf("%s failed without a refusal: %w\n%s", script, err, out)
	}
	return nil
}

var refusal = regexp.MustCompile(`(?i)permission denied|not permitted|read-only|must be (root|superuser)|device or resource busy|text file busy`)
