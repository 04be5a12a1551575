package docker

import (
	"context"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// exit is how a container has ended.
type exit struct {
	code int
	err  error
}

// exit tells once how a container has ended, or that the context did. Somebody
// has to take what the client has found out, or it waits for that for ever.
func (c *connection) exit(ctx context.Context, id string, when container.WaitCondition) <-chan exit {
	wait := c.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: when})
	ended := make(chan exit, 1)
	go func() {
		select {
		case told := <-wait.Result:
			ended <- exit{code: int(told.StatusCode)}
		case err := <-wait.Error:
			ended <- exit{err: mapError(err)}
		}
	}()
	return ended
}

// await returns a container's exit code when it has ended.
func await(ctx context.Context, ended <-chan exit) (int, error) {
	select {
	case e := <-ended:
		return e.code, e.err
	case <-ctx.Done():
		return 0, mapError(context.Cause(ctx))
	}
}
