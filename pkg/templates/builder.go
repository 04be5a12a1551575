// Package templates says in Go what a Dockerfile says: what the image that
// sandboxes start from is made of.
//
//	recipe := templates.From("python:3.11-slim").
//		Apt("git").
//		Pip("numpy>=2", "pandas").
//		Copy("app", "/app").
//		Workdir("/app").
//		Start("python3 server.py", templates.ReadyPort(8000))
//	tpl, err := client.Templates().Build(ctx, ".", &quixand.BuildOptions{Name: "server", Recipe: recipe})
//
// A [Builder] renders to a Containerfile that a person can read and keep, and
// that podman build and docker build understand as well. It builds nothing
// itself and knows no engine.
package templates

import (
	"errors"
	"fmt"
	"strings"
)

// Builder collects instructions. Each method adds one and returns the Builder,
// whose zero value has no image to begin with: use [From] or
// [FromContainerfile]. The first instruction that cannot be rendered is told by
// [Builder.Containerfile]. A Builder is not safe for concurrent use.
type Builder struct {
	lines    []string
	err      error
	compiled bool // Python's library is
}

// From begins with an image.
func From(image string) *Builder {
	b := new(Builder)
	return b.words("FROM", image)
}

// FromContainerfile begins with the instructions of a Dockerfile.
func FromContainerfile(text string) *Builder {
	b := &Builder{lines: []string{strings.TrimRight(text, "\n")}}
	if strings.TrimSpace(text) == "" {
		b.fail(errors.New("the Containerfile is empty"))
	}
	return b
}

// Containerfile is the text of all instructions.
func (b *Builder) Containerfile() (string, error) {
	if b.err != nil {
		return "", b.err
	}
	return strings.Join(b.lines, "\n") + "\n", nil
}

func (b *Builder) add(format string, args ...any) *Builder {
	b.lines = append(b.lines, fmt.Sprintf(format, args...))
	return b
}

func (b *Builder) fail(err error) *Builder {
	if b.err == nil {
		b.err = fmt.Errorf("instruction %d: %w", len(b.lines)+1, err)
	}
	return b
}

// Run runs shell commands, one instruction for each.
func (b *Builder) Run(commands ...string) *Builder {
	for _, c := range commands {
		b.run(c)
	}
	return b
}

func (b *Builder) run(command string) {
	switch {
	case strings.TrimSpace(command) == "":
		b.fail(errors.New("an empty command"))
	case plain(command):
		b.add("RUN %s", command)
	default:
		b.Exec("/bin/sh", "-c", command)
	}
}

// Exec runs a program with arguments that no shell sees.
func (b *Builder) Exec(program string, args ...string) *Builder {
	list, err := jsonList(append([]string{program}, args...))
	if err != nil {
		return b.fail(err)
	}
	return b.add("RUN %s", list)
}

// CopyOptions are the owner and the permissions of what is copied. Empty ones are
// the builder's: root's, and as they are in the context.
type CopyOptions struct {
	Owner string // user[:group]
	Mode  string // octal
}

// Copy copies a file or a directory of the context, as COPY does: of a
// directory what is in it.
func (b *Builder) Copy(source, destination string) *Builder {
	return b.CopyAs(source, destination, CopyOptions{})
}

// CopyAs is Copy with an owner or a mode.
func (b *Builder) CopyAs(source, destination string, o CopyOptions) *Builder {
	list, err := jsonList([]string{literal(source), literal(destination)})
	if err != nil {
		return b.fail(err)
	}
	var flags string
	for _, f := range [][2]string{{"chown", o.Owner}, {"chmod", o.Mode}} {
		if f[1] == "" {
			continue
		}
		if !isWord(f[1]) {
			return b.fail(fmt.Errorf("--%s=%q", f[0], f[1]))
		}
		flags += "--" + f[0] + "=" + f[1] + " "
	}
	return b.add("COPY %s%s", flags, list)
}

// Env sets variables for the following instructions and for every command in a
// sandbox, in the order of their names.
func (b *Builder) Env(variables map[string]string) *Builder {
	return b.pairs("ENV", variables)
}

// Label notes something on the image.
func (b *Builder) Label(labels map[string]string) *Builder { return b.pairs("LABEL", labels) }

// Workdir is where the following instructions and the commands of a sandbox
// start. It is created.
func (b *Builder) Workdir(dir string) *Builder { return b.words("WORKDIR", literal(dir)) }

// User is who runs the following instructions.
func (b *Builder) User(name string) *Builder { return b.words("USER", name) }

// words adds an instruction with one argument.
func (b *Builder) words(instruction, value string) *Builder {
	if value == "" || strings.ContainsAny(value, "\r\n") {
		return b.fail(fmt.Errorf("%s %q", instruction, value))
	}
	return b.add("%s %s", instruction, value)
}
