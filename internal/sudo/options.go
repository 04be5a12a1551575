package sudo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// usage is all that sudo says about itself.
const usage = `usage: sudo [-EHnS] [-u USER] [VAR=VALUE]... {-i | -s | COMMAND} [ARGUMENT]...
       sudo {-h | -K | -k | -V | -v}
`

// options are a command line of sudo's.
type options struct {
	user         string
	preserve     string // names with commas, everything, or nothing
	setHome      bool
	login, shell bool
	validate     bool // ask whether the caller may, and run nothing
	forget       bool // passwords, which nobody asks for
	help         bool
	version      bool

	variables []string // NAME=value
	command   []string
}

// everything is what -E preserves that names nothing.
const everything = "*"

// usageError is a command line that is none of sudo's.
type usageError string

func (e usageError) Error() string { return string(e) }

// parse reads a command line, without the program's name.
func parse(args []string) (*options, error) {
	o := new(options)
	f := pflag.NewFlagSet("sudo", pflag.ContinueOnError)
	f.SetInterspersed(false)
	f.StringVarP(&o.user, "user", "u", "", "")
	f.StringVarP(&o.preserve, "preserve-env", "E", "", "")
	f.Lookup("preserve-env").NoOptDefVal = everything
	f.BoolVarP(&o.setHome, "set-home", "H", false, "")
	f.BoolVarP(&o.login, "login", "i", false, "")
	f.BoolVarP(&o.shell, "shell", "s", false, "")
	f.BoolVarP(&o.validate, "validate", "v", false, "")
	f.BoolVarP(&o.forget, "reset-timestamp", "k", false, "")
	f.BoolVarP(&o.forget, "remove-timestamp", "K", false, "")
	f.BoolVarP(&o.help, "help", "h", false, "")
	f.BoolVarP(&o.version, "version", "V", false, "")
	// What is about passwords has no meaning without them.
	f.BoolP("non-interactive", "n", false, "")
	f.BoolP("stdin", "S", false, "")
	f.StringP("prompt", "p", "", "")
	if err := f.Parse(args); err != nil {
		return nil, usageError(complaint(err))
	}
	rest := f.Args()
	for len(rest) > 0 && assignment.MatchString(rest[0]) {
		o.variables, rest = append(o.variables, rest[0]), rest[1:]
	}
	o.command = rest
	return o, o.check()
}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// complaint is an error of the flags in sudo's words.
func complaint(err error) string {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	switch {
	case !ok:
		return err.Error()
	case unknown.GetSpecifiedShortnames() != "":
		return fmt.Sprintf("invalid option -- '%s'", unknown.GetSpecifiedName())
	}
	return fmt.Sprintf("unrecognized option '--%s'", unknown.GetSpecifiedName())
}

func (o *options) check() error {
	runs := len(o.command) > 0 || o.login || o.shell
	switch {
	case o.help || o.version:
		return nil
	case o.login && o.shell:
		return usageError("you may not specify both the -i and -s options")
	case o.validate && runs:
		return usageError("-v takes no command")
	case !runs && !o.validate && !o.forget:
		return usageError("")
	}
	return nil
}

// request is what the options ask for of a caller with an environment.
func (o *options) request(environ []string) *Request {
	r := &Request{User: strings.TrimPrefix(o.user, "#"), Login: o.login}
	args := o.command
	if o.login || o.shell {
		args = nil
		if len(o.command) > 0 {
			args = []string{"-c", escaped(o.command)}
		}
	}
	if o.shell {
		args = append([]string{shellIn(environ)}, args...)
	}
	for _, a := range args {
		r.Args = append(r.Args, []byte(a))
	}
	for _, v := range append(slices.DeleteFunc(slices.Clone(environ), o.leftBehind), o.variables...) {
		r.Env = append(r.Env, []byte(v))
	}
	dir, _ := os.Getwd()
	r.Dir = []byte(dir)
	return r
}

// kept are the variables that go along unasked. They say how the terminal is and
// what language is spoken.
var kept = []string{
	"TERM", "COLORTERM", "COLORS", "LS_COLORS", "NO_COLOR", "LANG", "LANGUAGE", "TZ", "DISPLAY", "XAUTHORITY", "PS1", "PS2",
}

// replaced are the variables that another user has others of, whatever is
// preserved.
var replaced = []string{"PATH", "USER", "LOGNAME", "SHELL", "MAIL", "SUDO_USER", "SUDO_UID", "SUDO_GID", "SUDO_COMMAND", "_"}

// leftBehind reports whether a variable of the caller's does not go along.
func (o *options) leftBehind(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	switch {
	case slices.Contains(replaced, name), o.setHome && name == "HOME":
		return true
	case slices.Contains(kept, name), strings.HasPrefix(name, "LC_"):
		return false
	case o.login:
		return true
	}
	return o.preserve != everything && !slices.Contains(strings.Split(o.preserve, ","), name)
}

// shellIn is the caller's shell.
func shellIn(environ []string) string {
	for _, v := range environ {
		if shell, ok := strings.CutPrefix(v, "SHELL="); ok && filepath.IsAbs(shell) {
			return shell
		}
	}
	return "/bin/sh"
}

// escaped is a command line for a shell, in which all characters mean themselves
// but for the dollar, as sudo has it.
func escaped(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = special.ReplaceAllStringFunc(w, func(c string) string {
			if c == "\n" {
				return "'\n'"
			}
			return `\` + c
		})
	}
	return strings.Join(quoted, " ")
}

var special = regexp.MustCompile(`[^\w$\x{80}-\x{10FFFF}-]`)
