package adapters

import (
	"context"
	"io"
	"time"
)

// ImageStore is implemented by adapters whose engine keeps images. An image is
// named as the engine's own tools name it, by a reference or an id; one that is
// not there is ErrNotFound.
type ImageStore interface {
	// Image describes one image. It is quick.
	Image(ctx context.Context, name string) (*Image, error)
	// Images describes the images that have all the labels, newest first.
	// A label with an empty value matches any.
	Images(ctx context.Context, labels map[string]string) ([]*Image, error)
	// TagImage gives an image one more name. Another image that has it loses
	// it.
	TagImage(ctx context.Context, image, name string) error
	// RemoveImage takes the name away from an image, and removes the image
	// with its last name. One that a container uses is ErrConflict, unless
	// force removes these containers, too.
	RemoveImage(ctx context.Context, name string, force bool) error
	// PushImage copies an image to a registry, and PullImage from one, with
	// the credentials that the user has given the engine's own tools.
	PushImage(ctx context.Context, name, destination string, opts *RegistryOptions) error
	PullImage(ctx context.Context, name string, opts *RegistryOptions) error
	// ExportImage writes an image as an OCI archive, and ImportImage reads
	// one and returns the names in it.
	ExportImage(ctx context.Context, name string, w io.Writer) error
	ImportImage(ctx context.Context, r io.Reader) (names []string, err error)
}

// Image is what an engine knows about an image.
type Image struct {
	ID         string
	Names      []string // references, with their tags
	Created    time.Time
	Bytes      int64 // its layers together, shared ones included
	Labels     map[string]string
	Containers int // that use it; negative where the engine does not say

	// Workdir and User are those that the image's recipe has set, as it says
	// them. Only [ImageStore.Image] tells.
	Workdir, User string
}

// RegistryOptions say how to speak to a registry.
type RegistryOptions struct {
	Insecure bool              // plain HTTP, or a certificate that nobody vouches for
	Output   func(line string) // the engine's words; never nil
}
