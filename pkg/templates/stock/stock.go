// Package stock holds the recipes of the templates that come with Quixand. Each
// is a Containerfile in a directory of its own, good for podman build as well:
//
//	qs templates build --stock base
//	qs run --template base -- git --version
//
// They begin with Debian, or with another image that has apt-get, named by the
// build argument BASE. All but minimal begin with the same steps, so that an
// engine keeps these once. The user, its home and the working directory of a
// sandbox, /workspace, are in the image already: there is nothing left to do at the start.
package stock

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
)

// file is what each recipe is called, in the directory that has its name.
const file = "Containerfile"

//go:embed */Containerfile
var files embed.FS

// Names lists the stock templates in alphabetical order.
func Names() []string {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(err) // the files are part of the program
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// Has reports whether there is a stock template of this name.
func Has(name string) bool { return slices.Contains(Names(), name) }

// Recipe is the recipe of a stock template. An unknown name is an error of its
// method.
type Recipe string

// Containerfile is the recipe's text.
func (r Recipe) Containerfile() (string, error) {
	if !Has(string(r)) {
		return "", fmt.Errorf("no stock template %.120q", string(r))
	}
	text, err := files.ReadFile(string(r) + "/" + file)
	return string(text), err
}
