// Package version knows what this build of Quixand is called.
package version

import (
	"runtime/debug"
	"strings"
)

// next is the version that a checkout works towards. A release is tagged with
// it, and the one after it begins here.
const next = "v0.1.0"

const module = "github.com/quixand/quixand"

// String is the version of the module that this program was built from: what
// the Go toolchain has written into the binary where it knows, so that no
// build needs flags.
func String() string {
	if v := Module(); v != "" {
		return v
	}
	return next + "-dev"
}

// Module is the module's version by which the toolchain can fetch it again, or
// empty where it was built from a checkout, from changed files, or with a
// replacement.
func Module() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module && m.Replace == nil && strings.HasPrefix(m.Version, "v") && !strings.Contains(m.Version, "+") {
			return m.Version
		}
	}
	return ""
}
