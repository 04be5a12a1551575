package quixand

import (
	"context"
	"sync"
)

// shared is the Client of the package's functions. It is opened when it is
// first needed; a configuration that does not work is tried again, since the
// program may set the environment right.
var shared struct {
	mu     sync.Mutex
	client *Client
}

func sharedClient() (*Client, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.client == nil {
		c, err := New(nil)
		if err != nil {
			return nil, err
		}
		shared.client = c
	}
	return shared.client, nil
}

// Create starts a sandbox with the environment's configuration; see
// [Client.Create].
func Create(ctx context.Context, opts *Options) (*Sandbox, error) {
	c, err := sharedClient()
	if err != nil {
		return nil, err
	}
	return c.Create(ctx, opts)
}

// Connect finds a running sandbox; see [Client.Connect].
func Connect(ctx context.Context, id string) (*Sandbox, error) {
	c, err := sharedClient()
	if err != nil {
		return nil, err
	}
	return c.Connect(ctx, id)
}

// List describes sandboxes; see [Client.List].
func List(ctx context.Context, opts *ListOptions) ([]*Info, error) {
	c, err := sharedClient()
	if err != nil {
		return nil, err
	}
	return c.List(ctx, opts)
}

// Kill ends a sandbox; see [Client.Kill].
func Kill(ctx context.Context, id string) error {
	c, err := sharedClient()
	if err != nil {
		return err
	}
	return c.Kill(ctx, id)
}
