package template

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// Inputs are what changes an image besides the recipe and its files.
type Inputs struct {
	Args     map[string]string // build arguments
	Target   string            // stage, or empty for the last
	Platform string            // os/arch, or empty for the engine's
	Labels   map[string]string
	Secrets  []string // their names: contents do not get into an image
	Extra    []string // what else belongs to the template, such as its start command
}

// hashLength is how many hexadecimal digits make a tag: 80 bits.
const hashLength = 20

// Hash is the tag of the image that would be built now.
func (s *Source) Hash(in *Inputs) (string, error) {
	h := sha256.New()
	// Every part says how long it is, so that no two inputs look the same.
	part := func(text string) { fmt.Fprintf(h, "%d:%s", len(text), text) }
	part("quixand template 1")
	part(string(s.Recipe.Text))
	part(in.Target)
	part(in.Platform)
	for _, m := range []map[string]string{in.Args, in.Labels} {
		part(fmt.Sprint(len(m)))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			part(k)
			part(m[k])
		}
	}
	for _, list := range [][]string{in.Secrets, in.Extra} {
		part(fmt.Sprint(len(list)))
		for _, text := range list {
			part(text)
		}
	}
	if err := s.hashFiles(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:hashLength], nil
}

func (s *Source) hashFiles(h io.Writer) error {
	buf := make([]byte, 256<<10)
	return s.walk(func(root *os.Root, e Entry) error {
		mode := e.Info.Mode()
		if !mode.IsRegular() {
			_, err := fmt.Fprintf(h, "%d:%s %v %d:%s", len(e.Name), e.Name, mode, len(e.Link), e.Link)
			return err
		}
		// The length comes last: the file may grow while it is read.
		fmt.Fprintf(h, "%d:%s %v ", len(e.Name), e.Name, mode)
		f, err := root.Open(e.Name)
		if err != nil {
			return fmt.Errorf("context: %w", err)
		}
		defer f.Close()
		n, err := io.CopyBuffer(h, struct{ io.Reader }{f}, buf)
		fmt.Fprintf(h, " %d", n)
		return err
	})
}
