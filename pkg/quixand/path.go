package quixand

import (
	"strings"
	"unicode/utf8"
)

// path completes a path for the agent: relative ones begin at the workdir, "~"
// is left for the agent to complete. Nothing is cleaned, since ".." behind a
// symbolic link is not where it seems.
func (s *Sandbox) path(p string) (string, error) {
	switch {
	case p == "":
		return "", invalid("path is empty")
	case strings.ContainsRune(p, 0):
		return "", invalid("path %q contains a NUL", p)
	case !utf8.ValidString(p):
		return "", invalid("path %q is not UTF-8", p)
	case len(p)+len(s.workdir) >= maxPath:
		return "", invalid("path of %d bytes is too long", len(p))
	case p[0] == '/', p == "~", strings.HasPrefix(p, "~/"):
		return p, nil
	}
	return strings.TrimSuffix(s.workdir, "/") + "/" + p, nil
}
