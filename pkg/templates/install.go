package templates

import (
	"errors"
	"fmt"
	"strings"
)

// Apt installs packages of Debian or Ubuntu, and leaves no package lists.
func (b *Builder) Apt(packages ...string) *Builder {
	if err := checkWords(packages); err != nil {
		return b.fail(fmt.Errorf("apt: %w", err))
	}
	return b.add("RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends %s"+
		" && rm -rf /var/lib/apt/lists/*", strings.Join(packages, " "))
}

// compileStdlib tolerates what does not compile, such as tests of syntax errors.
const compileStdlib = `import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path("stdlib"), quiet=2)`

// CompilePython compiles Python's standard library, unless it is: the official
// images come without, and a sandbox's user cannot keep what it compiles. Each
// process that imported asyncio and an HTTP client took ten times as long for it.
func (b *Builder) CompilePython() *Builder {
	b.compiled = true
	return b.Exec("python3", "-c", compileStdlib)
}

// Pip installs Python packages, by pip's requirement specifiers, for all users,
// after [Builder.CompilePython], once.
func (b *Builder) Pip(requirements ...string) *Builder {
	if !b.compiled {
		b.CompilePython()
	}
	return b.install([]string{"python3", "-m", "pip", "install", "--no-cache-dir"}, requirements)
}

// Npm installs Node packages for all users.
func (b *Builder) Npm(packages ...string) *Builder {
	return b.install([]string{"npm", "install", "--global"}, packages)
}

func (b *Builder) install(command, packages []string) *Builder {
	if err := checkArguments(packages); err != nil {
		return b.fail(fmt.Errorf("%s: %w", command[0], err))
	}
	return b.Exec(command[0], append(command[1:], packages...)...)
}

// GitClone clones a repository into a directory: a branch or tag of it when
// one is named, and without its history.
func (b *Builder) GitClone(url, dir, branch string) *Builder {
	if err := checkArguments([]string{url, dir}); err != nil {
		return b.fail(fmt.Errorf("git clone: %w", err))
	}
	args := []string{"clone", "--depth=1"}
	if branch != "" {
		args = append(args, "--branch="+branch)
	}
	return b.Exec("git", append(args, "--", url, dir)...)
}

// checkArguments refuses what the program would take for an option.
func checkArguments(args []string) error {
	if len(args) == 0 {
		return errors.New("nothing is named")
	}
	for _, a := range args {
		if a == "" || strings.HasPrefix(a, "-") {
			return fmt.Errorf("%q", a)
		}
	}
	return nil
}

// checkWords is for arguments that a shell will see.
func checkWords(words []string) error {
	if err := checkArguments(words); err != nil {
		return err
	}
	for _, w := range words {
		if !isWord(w) {
			return fmt.Errorf("%q", w)
		}
	}
	return nil
}
