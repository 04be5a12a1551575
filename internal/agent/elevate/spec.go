package elevate

import (
	"cmp"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/quixand/quixand/internal/agent/environ"
	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/process"
	"github.com/quixand/quixand/internal/agent/spawn"
	"github.com/quixand/quixand/internal/sudo"
)

// maxVariable bounds what a command is told of its own command line.
const maxVariable = 4096

// spec describes the process that a request asks for, but for its files; nil is
// none.
func (s *Service) spec(req *sudo.Request, caller uint32) (*spawn.Spec, error) {
	u, err := s.o.Users.Lookup(cmp.Or(req.User, "root"))
	if err != nil {
		return nil, err
	}
	if len(req.Args) == 0 && !req.Login {
		return nil, nil
	}
	args := make([]string, len(req.Args))
	for i, a := range req.Args {
		args[i] = string(a)
	}
	spec := &spawn.Spec{TTY: req.TTY, UID: u.UID, GID: u.GID, Groups: u.Groups}
	dir := string(req.Dir)
	if req.Login {
		spec.Path, dir = u.Shell, u.Home
		args = append([]string{"-" + filepath.Base(u.Shell)}, args...)
	}
	spec.Args, spec.Dir = args, startIn(dir, u)
	vars := s.vars(req, u, caller)
	command := strings.Join(args, " ")
	vars["SUDO_COMMAND"] = command[:min(len(command), maxVariable)]
	spec.Env = vars.List()
	if spec.Path == "" {
		spec.Path, err = process.Lookup(args[0], vars["PATH"], spec.Dir, u)
	}
	return spec, err
}

// startIn is a directory, or the root where the user may not be in it: sudo does
// not leave its caller's, which a process of another user's cannot do.
func startIn(dir string, u identity.User) string {
	if !filepath.IsAbs(dir) || process.CheckDir(dir, u) != nil {
		return "/"
	}
	return dir
}

// vars are the variables of a command: little of the caller's, for it is
// another's.
func (s *Service) vars(req *sudo.Request, u identity.User, caller uint32) environ.Vars {
	from, err := s.o.Users.Lookup(strconv.FormatUint(uint64(caller), 10))
	if err != nil {
		from.Name, from.UID = s.o.Users.UserName(caller), caller
	}
	vars := environ.Vars{
		"PATH": environ.DefaultPath, "HOME": u.Home, "USER": u.Name, "LOGNAME": u.Name, "SHELL": u.Shell,
		"SUDO_USER": from.Name, "SUDO_UID": strconv.Itoa(int(from.UID)), "SUDO_GID": strconv.Itoa(int(from.GID)),
	}
	for _, v := range req.Env {
		if name, value, ok := strings.Cut(string(v), "="); ok && name != "" {
			vars[name] = value
		}
	}
	return vars
}
