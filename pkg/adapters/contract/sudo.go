package contract

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/quixand"
)

// describeSudo is about code that becomes another user, where it may and where
// it may not.
func describeSudo(f *fixture) {
	Describe("sudo", Ordered, ContinueOnFailure, needs(Sudo), func() {
		b := f.shared(&quixand.Options{Sudo: true})

		describeSudoCommands(b)
		describeSudoUsers(b)
		describeSudoEnds(b)
		describeSudoTerminals(b)
		it("is in a fork, too", needs(Snapshotter), func(ctx SpecContext) {
			fork, err := b.Fork(ctx, nil)
			Expect(err).NotTo(HaveOccurred())
			f.own(fork.ID())
			Expect((&box{Sandbox: fork, f: f}).sh(ctx, "sudo id -u")).To(Equal("0"))
		})
	})
	Describe("a sandbox without sudo", Ordered, ContinueOnFailure, needs(Sudo), func() {
		b := f.shared(nil)

		it("has no such command of ours", func(ctx SpecContext) {
			Expect(b.Files.Exists(ctx, agentapi.SudoPath)).To(BeFalse())
			Expect(b.sh(ctx, "cat /proc/net/unix")).NotTo(ContainSubstring("sudo"))
		})
		it("refuses the command of another's", func(ctx SpecContext) {
			program := b.dir(ctx) + "/sudo"
			b.asRoot(ctx, "cp "+agentapi.BinaryPath+" "+program)
			res, err := b.Run(ctx, program, "id")
			Expect(err).NotTo(HaveOccurred())
			Expect(res.ExitCode).To(Equal(1))
			Expect(string(res.Stderr)).To(HavePrefix("sudo: nobody becomes another user here"))
		})
	})
	it("starts commands as the user that is asked for", needs(Users), func(ctx SpecContext) {
		b := f.create(ctx, &quixand.Options{User: "nobody", Workdir: "/tmp"})
		Expect(b.sh(ctx, "id -un; echo $USER")).To(Equal("nobody\nnobody"))
		Expect(b.Info(ctx)).To(HaveField("User", "nobody"))
		_, err := f.tryCreate(ctx, &quixand.Options{User: "nosuchuser"})
		Expect(err).To(MatchError(ContainSubstring("nosuchuser")))
	})
}

func describeSudoCommands(b *box) {
	it("runs commands as root", func(ctx SpecContext) {
		Expect(b.sh(ctx, "sudo touch /etc/x && stat -c %u /etc/x && sudo rm /etc/x")).To(Equal("0"))
	})
	it("gives root no more than it has for callers who name it", func(ctx SpecContext) {
		with, without := b.sh(ctx, "sudo cat /proc/self/status"), b.asRoot(ctx, "cat /proc/self/status")
		for _, field := range []string{"Uid", "Gid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"} {
			Expect(statusOf(with, field)).To(Equal(statusOf(without, field)), field)
		}
		Expect(b.denied(ctx, "", "sudo mount -t tmpfs none /mnt")).To(Succeed())
	})
	it("passes all bytes", func(ctx SpecContext) {
		dir := b.dir(ctx)
		b.sh(ctx, "cd "+dir+" && head -c 3000000 /dev/urandom >in && sudo cat <in | sudo cat >out && cmp in out")
		res, err := b.Shell(ctx, "sudo sh -c 'echo out; echo err >&2'")
		Expect(err).NotTo(HaveOccurred())
		Expect([]string{string(res.Stdout), string(res.Stderr)}).To(Equal([]string{"out\n", "err\n"}))
	})
	it("takes arguments as they are", func(ctx SpecContext) {
		res, err := b.Run(ctx, "sudo", "--", "printf", "%s.", "", " a b", "$HOME", "-u", "\n", "é", "X=1")
		Expect(err).NotTo(HaveOccurred())
		Expect(res.Text()).To(Equal(". a b.$HOME.-u.\n.é.X=1."))
	})
	it("exits as the command", func(ctx SpecContext) {
		Expect(b.sh(ctx, "sudo sh -c 'exit 7' || echo $?; sudo sh -c 'kill -9 $$' 2>/dev/null || echo $?")).To(Equal("7\n137"))
	})
	it("stays in the directory", func(ctx SpecContext) {
		dir := b.dir(ctx)
		Expect(b.sh(ctx, "cd "+dir+" && sudo pwd")).To(Equal(dir))
	})
	it("takes the environment along as sudo does", func(ctx SpecContext) {
		script := `export MINE=1 HOME=/x PATH="$PATH:/y" LC_ALL=C
			for options in "" "-E" "--preserve-env=MINE" "-EH" "THEIRS=2"; do
				sudo $options sh -c 'echo "$MINE $HOME $PATH $LC_ALL $USER $SUDO_USER $THEIRS"'
			done`
		const path = " /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin C root user "
		Expect(strings.Split(b.sh(ctx, script), "\n")).To(Equal([]string{
			" /root" + path, "1 /x" + path, "1 /root" + path, "1 /root" + path, " /root" + path + "2",
		}))
	})
	it("starts shells", func(ctx SpecContext) {
		Expect(b.sh(ctx, `sudo -i sh -c 'pwd; id -u'; sudo -s echo "a  b" '$HOME'; echo 'echo $0 $(id -u)' | sudo -i`)).
			To(MatchRegexp(`^/root\n0\na  b /root\n-\w+ 0$`))
	})
	it("does without passwords", func(ctx SpecContext) {
		Expect(b.sh(ctx, "sudo -k && sudo -K && sudo -v && sudo -n true && echo x | sudo -S cat && sudo -nkS -p '' id -u")).To(Equal("x\n0"))
	})
	it("refuses what it does not know", func(ctx SpecContext) {
		for args, want := range map[string]string{
			"-x true": "sudo: invalid option -- 'x'\nusage: sudo ", "--nosuch": "sudo: unrecognized option '--nosuch'\nusage: sudo ", "": "usage: sudo ",
			"-is": "sudo: you may not specify both the -i and -s options\n", "nosuchcommand": "sudo: nosuchcommand: command not found\n",
			"/etc/passwd": "sudo: /etc/passwd: permission denied\n",
		} {
			res, err := b.Shell(ctx, "sudo "+args)
			Expect(err).NotTo(HaveOccurred())
			Expect(res.ExitCode).To(Equal(1), args)
			Expect(string(res.Stderr)).To(HavePrefix(want), args)
		}
	})
}

func describeSudoUsers(b *box) {
	it("runs commands as any user", func(ctx SpecContext) {
		Expect(b.sh(ctx, "sudo -u nobody id -un; sudo -u '#1000' id -u; sudo --user=root id -u; sudo sudo -u user id -u")).To(Equal("nobody\n1000\n0\n1000"))
		status := b.sh(ctx, "sudo -u nobody cat /proc/self/status")
		Expect(statusOf(status, "CapBnd")).To(Equal("0000000000000000"))
	})
	it("does not know all users", func(ctx SpecContext) {
		res, err := b.Shell(ctx, "sudo -u nosuchuser true")
		Expect(err).NotTo(HaveOccurred())
		Expect(res.ExitCode).To(Equal(1))
		Expect(string(res.Stderr)).To(HavePrefix("sudo: unknown user"))
	})
	it("is the default user's alone", func(ctx SpecContext) {
		res, err := b.Shell(ctx, "sudo -u nobody sudo id")
		Expect(err).NotTo(HaveOccurred())
		Expect(res.ExitCode).To(Equal(1))
		Expect(string(res.Stderr)).To(Equal("sudo: nobody may not become another user\n"))
	})
}

func describeSudoEnds(b *box) {
	running := func(ctx context.Context, body string) (*quixand.Cmd, *gbytes.Buffer) {
		return b.running(ctx, fmt.Sprintf("exec sudo sh -c '%s; echo ready; while :; do sleep 0.01; done'", body))
	}
	it("passes signals on", func(ctx SpecContext) {
		cmd, out := running(ctx, `trap "echo hup" HUP; trap "echo term; exit 4" TERM`)
		Expect(cmd.Process.Signal(ctx, syscall.SIGHUP)).To(Succeed())
		eventually(ctx, out).Should(gbytes.Say("hup\n"))
		Expect(cmd.Process.Signal(ctx, syscall.SIGTERM)).To(Succeed())
		eventually(ctx, out).Should(gbytes.Say("term\n"))
	})
	it("ends a command with its caller", func(ctx SpecContext) {
		sleep := nap()
		cmd, _ := b.running(ctx, "echo ready; exec sudo "+sleep)
		eventually(ctx, func() []process { return b.commands(ctx, sleep) }).Should(HaveLen(1))
		Expect(cmd.Process.Kill(ctx)).To(Succeed())
		eventually(ctx, func() []process { return b.commands(ctx, sleep) }).Should(BeEmpty())
	})
	it("ends a command with its caller also when that does not want to", func(ctx SpecContext) {
		sleep := nap()
		cmd, _ := running(ctx, `trap "" HUP; `+sleep+" & true")
		Expect(b.commands(ctx, sleep)).To(HaveLen(1))
		Expect(cmd.Process.Kill(ctx)).To(Succeed())
		eventually(ctx, func() []process { return b.commands(ctx, sleep) }).WithTimeout(10 * time.Second).Should(BeEmpty())
	})
}

func describeSudoTerminals(b *box) {
	it("has a terminal where its caller has one", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sudo", "sh", "-c", "tty && stty size </dev/tty && exit 5"}, Cols: 132, Rows: 43})
		eventually(ctx, t.out).Should(gbytes.Say(`/dev/pts/\d+\r\n43 132\r\n`))
		t.expectExit(ctx, 5)
	})
	it("is interrupted by Ctrl-C and told of a new size", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{
			"sudo", "sh", "-c", "trap 'stty size' WINCH; trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.01; done",
		}})
		eventually(ctx, t.out).Should(gbytes.Say("ready"))
		Expect(t.Resize(ctx, 100, 50)).To(Succeed())
		eventually(ctx, t.out).Should(gbytes.Say(`50 100\r\n`))
		t.typed("\x03")
		eventually(ctx, t.out).Should(gbytes.Say("caught"))
		t.expectExit(ctx, 3)
	})
	it("controls the jobs of a shell, and leaves the terminal as it was", func(ctx SpecContext) {
		t := b.terminal(ctx, &quixand.PTYOptions{Command: []string{"sh", "-c", `before=$(stty -g); sudo sh -i; [ "$before" = "$(stty -g)" ] && echo un"changed"`}, Env: map[string]string{"PS1": "> "}})
		sleep := nap()
		t.typed("id -u; " + sleep + "\r")
		eventually(ctx, t.out).Should(gbytes.Say(`(> |\n)0\r\n`))
		eventually(ctx, func() []process { return b.commands(ctx, sleep) }).Should(HaveLen(1))
		t.typed("\x1a")
		eventually(ctx, func() string { return b.commands(ctx, sleep)[0].state }).Should(Equal("T"))
		t.typed("kill -9 %1; exit\rexit\r") // once is not enough for some shells that have had jobs
		eventually(ctx, t.out).Should(gbytes.Say("unchanged"))
		t.expectExit(ctx, 0)
	})
}
