package template

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
)

// recipeNames are looked for in a directory, in this order. The first is E2B's.
var recipeNames = []string{"e2b.Dockerfile", "Dockerfile", "Containerfile"}

// maxRecipe bounds the size of a recipe, which is kept in memory.
const maxRecipe = 1 << 20

// Source is a directory to build an image from.
type Source struct {
	Dir    string // the context, an absolute path; empty for none
	File   string // the recipe, an absolute path; it may lie outside Dir, or nowhere
	Recipe *Recipe
	Ignore *Ignore
}

// Open finds and reads the recipe in a directory. file, when it is not empty,
// names it: relative to the directory, as podman build has it, or absolute.
func Open(dir, file string) (*Source, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	if file, err = findRecipe(dir, file); err != nil {
		return nil, err
	}
	text, err := readSmall(file)
	if err != nil {
		return nil, err
	}
	return newSource(dir, file, text)
}

// With is Open with a recipe that lies in no file. An empty dir is a context
// without files.
func With(dir string, recipe []byte) (*Source, error) {
	if dir == "" {
		parsed, err := Parse(recipe)
		return &Source{Recipe: parsed, Ignore: &Ignore{}}, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	return newSource(dir, "", recipe)
}

func newSource(dir, file string, text []byte) (*Source, error) {
	recipe, err := Parse(text)
	if err != nil {
		return nil, within(cmp.Or(file, "recipe"), err)
	}
	ignore, err := openIgnore(dir, file)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, refuse(fs.ErrNotExist, err)
	}
	defer root.Close()
	if err := recipe.followLinks(root); err != nil {
		return nil, within(cmp.Or(file, "recipe"), err)
	}
	return &Source{Dir: dir, File: file, Recipe: recipe, Ignore: ignore}, nil
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return refuse(fs.ErrNotExist, err)
	}
	if !info.IsDir() {
		return invalid("%s is no directory", dir)
	}
	return nil
}

func findRecipe(dir, file string) (string, error) {
	if file != "" {
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		return file, nil
	}
	for _, name := range recipeNames {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	e := invalid("%s holds no %s", dir, strings.Join(recipeNames, ", "))
	e.Kind, e.Hint = adapters.ErrNotFound, "name another file with --file"
	return "", e
}

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, refuse(fs.ErrNotExist, err)
	case !info.Mode().IsRegular():
		return nil, invalid("%s is no file", path)
	case info.Size() > maxRecipe:
		return nil, invalid("%s is larger than %d bytes", path, maxRecipe)
	}
	return os.ReadFile(path)
}

// refuse gives an error of the file system its kind.
func refuse(notFound, err error) error {
	kind := adapters.ErrInvalid
	if errors.Is(err, notFound) {
		kind = adapters.ErrNotFound
	}
	return &adapters.Error{Kind: kind, Err: err}
}

func invalid(format string, args ...any) *adapters.Error {
	return &adapters.Error{Kind: adapters.ErrInvalid, Err: fmt.Errorf(format, args...)}
}

func within(file string, err error) error {
	return &adapters.Error{Kind: adapters.ErrInvalid, Err: fmt.Errorf("%s: %w", file, err)}
}
