package quixand

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// runner reads a program from its standard input and runs it as __main__. So
// the program may have any length, and a traceback shows the program's own
// lines and nothing of the runner, which neither "python -" nor "python -c"
// does in all versions.
const runner = `import sys, linecache
src = sys.stdin.buffer.read().decode()
linecache.cache["<code>"] = (len(src), None, src.splitlines(True), "<code>")
try:
    exec(compile(src, "<code>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
except SystemExit:
    raise
except BaseException as e:
    import traceback
    tb = e.__traceback__.tb_next
    traceback.print_exception(type(e), e.with_traceback(tb), tb)
    sys.exit(130 if isinstance(e, KeyboardInterrupt) else 1)
`

// RunCode runs a Python program in an interpreter of its own and returns how
// it ended and what it wrote. An exception is a result: its traceback is in
// Stderr. The program comes through the standard input, which is at its end
// when it begins: input() raises EOFError. The interpreter is python3, or
// python where there is no python3.
func (s *Sandbox) RunCode(ctx context.Context, code string) (*Result, error) {
	return s.python(ctx, func(c *Cmd) {
		c.Args = []string{"-c", runner}
		c.Stdin = strings.NewReader(code)
	})
}

// python runs the interpreter, as set up by prepare.
func (s *Sandbox) python(ctx context.Context, prepare func(*Cmd)) (*Result, error) {
	for _, name := range []string{"python3", "python"} {
		c := s.Command(name)
		prepare(c)
		res, err := c.capture(ctx)
		if err != nil || res.ExitCode != notFoundCode {
			return res, err
		}
		// 127 may also be the program's own.
		if string(res.Stderr) != name+": command not found\n" {
			return res, nil
		}
	}
	return nil, s.client.wrap("run python", s.id, errNoPython)
}

// notFoundCode is the exit code of a command that is not there, as shells have
// it.
const notFoundCode = 127

var errNoPython = &Error{
	Kind: ErrNotFound,
	Err:  errors.New("no python3 and no python in the sandbox"),
	Hint: "create the sandbox from a template that has Python, such as python:3.11-slim",
}

// InstallPackages installs Python packages with pip, for the sandbox's user.
// An installation that fails is an error that carries pip's last words.
func (s *Sandbox) InstallPackages(ctx context.Context, packages ...string) error {
	for _, p := range packages {
		if p == "" || strings.HasPrefix(p, "-") {
			return s.client.wrap("install packages", s.id, invalid("%q is not the name of a package", p))
		}
	}
	if len(packages) == 0 {
		return nil
	}
	res, err := s.python(ctx, func(c *Cmd) {
		c.Args = slices.Concat([]string{"-m", "pip", "install", "--no-input", "--"}, packages)
		c.Env = map[string]string{
			// The sandbox is the environment: nothing else is managed in it.
			"PIP_BREAK_SYSTEM_PACKAGES":     "1",
			"PIP_DISABLE_PIP_VERSION_CHECK": "1",
			"PIP_ROOT_USER_ACTION":          "ignore",
		}
	})
	if err == nil && !res.Success() {
		err = &Error{Kind: ErrConflict, Err: fmt.Errorf("pip: %w: %s", &ExitError{Result: *res}, lastWords(res.Stderr))}
	}
	return s.client.wrap("install packages", s.id, err)
}

// lastWords is the end of what a program says, on one line and without control
// characters.
func lastWords(text []byte) string {
	const most = 400
	printable := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(string(text), "?"))
	words := strings.Join(strings.Fields(printable), " ")
	if len(words) > most {
		words = "…" + strings.ToValidUTF8(words[len(words)-most:], "")
	}
	return words
}
