package statedir

import "path/filepath"

// OpenBuilds finds the directory that notes the builds of images, in the way in
// which sandboxes are: with a directory each, claimed by who waits for the build.
// Images belong to the user and not to a root, and so do these.
func OpenBuilds(root string) *Runtime {
	return &Runtime{filepath.Join(base(root), "builds")}
}
