package agentclient

import (
	"context"
	"path/filepath"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/envd/filesystem"
)

// Change is one change in a watched directory.
type Change struct {
	Name string // relative to the directory, and not leading out of it
	Type filesystem.EventType
}

// Watch reports changes in a directory. started is called once no change is
// missed any more; yield gets each change and returns false to stop. Watch
// returns nil after that, and otherwise an error.
func (c *Client) Watch(ctx context.Context, path string, recursive bool, started func(), yield func(Change) bool) error {
	dog := newWatchdog(ctx)
	defer dog.end()
	req := connect.NewRequest(&filesystem.WatchDirRequest{Path: path, Recursive: recursive})
	s, err := c.procedures().watch.CallServerStream(dog.ctx, req)
	if err != nil {
		return dog.explain(err)
	}
	defer s.Close()
	defer dog.end() // first, so that Close does not wait for the stream's end
	for s.Receive() {
		switch e := s.Msg().GetEvent().(type) {
		case *filesystem.WatchDirResponse_Start:
			dog.pause()
			started()
		case *filesystem.WatchDirResponse_Filesystem:
			change := Change{Name: e.Filesystem.GetName(), Type: e.Filesystem.GetType()}
			if !filepath.IsLocal(change.Name) {
				return garbage("change of %.80q", change.Name)
			}
			if !yield(change) {
				return nil
			}
		}
	}
	if err := s.Err(); err != nil {
		return dog.explain(err)
	}
	return garbage("watch ended by itself")
}
