package quixand_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quixand/quixand/pkg/quixand"
)

// withInterpreters returns a sandbox whose PATH has these scripts and nothing
// else. Real ones are for the engines' tests, whose images have Python.
func withInterpreters(t *testing.T, scripts map[string]string) *quixand.Sandbox {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755))
	}
	t.Setenv("PATH", dir)
	return newSandbox(t)
}

func TestRunCode(t *testing.T) {
	const code = "print('the program')\n"
	for name, test := range map[string]struct {
		scripts map[string]string
		want    string
		exit    int
	}{
		"python3":            {map[string]string{"python3": "echo three $1; exec /bin/cat", "python": "echo two"}, "three -c\n" + code, 0},
		"python":             {map[string]string{"python": "echo two $1; exec /bin/cat"}, "two -c\n" + code, 0},
		"exit code":          {map[string]string{"python3": "exit 9", "python": "echo two"}, "", 9},
		"its own 127":        {map[string]string{"python3": "echo other >&2; exit 127", "python": "echo two"}, "", 127},
		"does not read":      {map[string]string{"python3": "echo deaf"}, "deaf\n", 0},
		"closes its program": {map[string]string{"python3": "exec <&-; echo closed"}, "closed\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			sb := withInterpreters(t, test.scripts)
			res, err := sb.RunCode(t.Context(), code)
			if err != nil || res.Text() != test.want || res.ExitCode != test.exit {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
}

func TestNoPython(t *testing.T) {
	_, err := withInterpreters(t, nil).RunCode(t.Context(), "pass")
	e, ok := errors.AsType[*quixand.Error](err)
	if !ok || e.Kind != quixand.ErrNotFound || !strings.Contains(e.Hint, "python:") {
		t.Errorf("RunCode: %v", err)
	}
}

func TestInstallPackages(t *testing.T) {
	sb, ctx := withInterpreters(t, map[string]string{"python3": `
echo "$* $PIP_BREAK_SYSTEM_PACKAGES $PIP_DISABLE_PIP_VERSION_CHECK $PIP_ROOT_USER_ACTION" >asked
case "$*" in *bad*) printf 'ERROR: no such\nversion\007\n' >&2; exit 4;; esac`}), t.Context()
	must(t, sb.InstallPackages(ctx))
	if there, err := sb.Files.Exists(ctx, "asked"); there || err != nil {
		t.Errorf("pip ran for nothing: %v", err)
	}
	must(t, sb.InstallPackages(ctx, "one==1.0", "two[extra]"))
	if got, err := sb.Files.ReadString(ctx, "asked"); err != nil || got != "-m pip install --no-input -- one==1.0 two[extra] 1 1 ignore\n" {
		t.Errorf("%q, %v", got, err)
	}
	err := sb.InstallPackages(ctx, "bad")
	exit, ok := errors.AsType[*quixand.ExitError](err)
	if !ok || exit.Result.ExitCode != 4 || !strings.Contains(err.Error(), "ERROR: no such version") || strings.ContainsAny(err.Error(), "\n\a") {
		t.Errorf("%q", err)
	}
	for _, name := range []string{"", "-r", "--index-url=http://x"} {
		if err := sb.InstallPackages(ctx, "fine", name); !errors.Is(err, quixand.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
