package identity

import (
	"errors"
	"path/filepath"
	"strings"
)

// Errors of [User.Path].
var (
	errNUL   = errors.New("path contains a NUL byte")
	errTilde = errors.New("only ~ and ~/path are understood: another user's home must be written out")
)

// Path returns the absolute, clean path that a request's path means to the
// user: "~" is the home directory, a relative path starts there too, as E2B
// has it, and the empty path is where commands start.
func (u User) Path(path string) (string, error) {
	switch {
	case strings.IndexByte(path, 0) >= 0:
		return "", errNUL
	case path == "":
		if u.Workdir != "" {
			return filepath.Clean(u.Workdir), nil
		}
		return filepath.Clean(u.Home), nil
	case path == "~" || strings.HasPrefix(path, "~/"):
		return filepath.Join(u.Home, path[1:]), nil
	case path[0] == '~':
		return "", errTilde
	case filepath.IsAbs(path):
		return filepath.Clean(path), nil
	}
	return filepath.Join(u.Home, path), nil
}
