// Package quixand runs code that nobody has read yet in sandboxes on this
// machine.
//
//	import (
//		"github.com/quixand/quixand/pkg/quixand"
//		_ "github.com/quixand/quixand/pkg/adapters/podman"
//	)
//
//	sb, err := quixand.Create(ctx, nil)
//	if err != nil {
//		return err
//	}
//	defer sb.Kill(context.WithoutCancel(ctx))
//	res, err := sb.Run(ctx, "python3", "-c", "print(2+2)")
//	// res.Text() == "4\n"
//
// A [Sandbox] is driven by shapes that Go programmers know: [Sandbox.Command]
// is os/exec, [Sandbox.Files] is os, [Sandbox.FS] is io/fs,
// [Sandbox.DialContext] is net.Dialer and [Sandbox.Transport] is an
// http.RoundTripper.
//
// # Engines
//
// The package knows no engine. A program links an adapter for its side
// effect, as it links a database driver; [Config] and the QS_* environment
// choose among the linked ones.
//
// # Time
//
// A sandbox ends by itself when it has been idle for its timeout (five minutes
// unless told), and at the end of its lifetime if it has one. A running
// command, a transfer or an open connection is not idle; [Sandbox.Keep] is for
// what a sandbox cannot see.
//
// Three enforcers see to it, each of which is enough: the sandbox's agent ends
// itself, the user's systemd starts qs to look at the sandbox, and timers in this
// process do, for as long as it lives. Config.Enforcer chooses: auto is the
// agent, and systemd where there is one of the user's and a qs program, or else
// this process; a list with commas, such as "agent,systemd", is exactly these.
// All count monotonic time; see package timeouts.
//
// # Errors
//
// Every error is an [*Error]: errors.Is finds its kind ([ErrNotFound], ...),
// errors.As the engine's own error. A command that exits with a status other
// than zero is a result, not an error; only the os/exec-shaped [Cmd] returns
// an [*ExitError].
//
// # Trust
//
// Everything that comes out of a sandbox is untrusted input: calls that
// return it whole are bounded in size, and say so. Code runs as an
// unprivileged user without capabilities; root inside is for callers that name
// it. No host directory, environment or service is visible inside.
//
// Every exported type is safe for concurrent use, unless its comment says
// otherwise.
package quixand
