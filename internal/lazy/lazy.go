// Package lazy makes what takes long, and may fail, when it is first needed. It
// is not sync.OnceValues: a failure is tried again, and who waits can give up.
package lazy

import "context"

// Value is something that is made when it is first needed, by one caller for
// all, and kept. It is safe for concurrent use.
type Value[T any] struct {
	make func(context.Context) (*T, error)
	turn chan struct{} // a mutex that a context can stop waiting for
	made *T
}

// New returns a Value that f makes.
func New[T any](f func(context.Context) (*T, error)) *Value[T] {
	return &Value[T]{make: f, turn: make(chan struct{}, 1)}
}

// Get returns the value, and makes it when nobody has yet. An error is not kept:
// the next call tries again.
func (v *Value[T]) Get(ctx context.Context) (*T, error) {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if v.made != nil {
		return v.made, nil
	}
	made, err := v.make(ctx)
	if err == nil {
		v.made = made
	}
	return made, err
}

// Drop forgets the value, and returns it to be closed, or nil when there is none.
func (v *Value[T]) Drop() *T {
	v.turn <- struct{}{}
	defer func() { <-v.turn }()
	made := v.made
	v.made = nil
	return made
}
