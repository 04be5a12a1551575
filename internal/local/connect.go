package local

import "context"

// Connection is one that is made when it is first needed, by one caller for all,
// and kept. It is safe for concurrent use.
type Connection[T any] struct {
	connect func(context.Context) (*T, error)
	turn    chan struct{} // a mutex that a context can stop waiting for
	made    *T
}

// NewConnection returns a Connection that connect makes.
func NewConnection[T any](connect func(context.Context) (*T, error)) *Connection[T] {
	return &Connection[T]{connect: connect, turn: make(chan struct{}, 1)}
}

// Use returns the connection, and makes it when nobody has yet. An error is not
// kept: the next call tries again.
func (c *Connection[T]) Use(ctx context.Context) (*T, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if c.made != nil {
		return c.made, nil
	}
	made, err := c.connect(ctx)
	if err == nil {
		c.made = made
	}
	return made, err
}

// Drop forgets the connection, and returns it to be closed, or nil when there is
// none.
func (c *Connection[T]) Drop() *T {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	made := c.made
	c.made = nil
	return made
}
