package quixand

import (
	"context"
	"iter"

	"github.com/quixand/quixand/internal/agentclient"
	"github.com/quixand/quixand/internal/envd/filesystem"
)

// Watch reports changes in a directory until ctx ends, which is the last error
// of the sequence, or the caller stops. What changes after Started was called is
// not missed; when more changes come than are taken, the sequence ends with
// ErrExhausted.
func (f *Files) Watch(ctx context.Context, path string, opts *WatchOptions) iter.Seq2[FileEvent, error] {
	if opts == nil {
		opts = &WatchOptions{}
	}
	return func(yield func(FileEvent, error) bool) {
		if err := f.watch(ctx, path, opts, func(e FileEvent) bool { return yield(e, nil) }); err != nil {
			yield(FileEvent{}, f.wrap(ctx, "watch", path, err))
		}
	}
}

func (f *Files) watch(ctx context.Context, path string, opts *WatchOptions, yield func(FileEvent) bool) error {
	full, err := f.sandbox.path(path)
	if err != nil {
		return err
	}
	started := opts.Started
	if started == nil {
		started = func() {}
	}
	return f.sandbox.agent.Watch(ctx, full, opts.Recursive, started, func(c agentclient.Change) bool {
		op, known := fileOps[c.Type]
		return !known || yield(FileEvent{Name: c.Name, Op: op})
	})
}

// WatchOptions says what [Files.Watch] reports.
type WatchOptions struct {
	Recursive bool
	// Started, when not nil, is called once the watch is in place.
	Started func()
}

// FileEvent is a change in a watched directory.
type FileEvent struct {
	Name string // relative to the watched directory
	Op   FileOp
}

// FileOp is the kind of a [FileEvent].
type FileOp string

// What can happen to a file.
const (
	FileCreated FileOp = "create"
	FileWritten FileOp = "write"
	FileRemoved FileOp = "remove"
	FileRenamed FileOp = "rename" // the old name; the new one is FileCreated
	FileChmod   FileOp = "chmod"
)

var fileOps = map[filesystem.EventType]FileOp{
	filesystem.EventType_EVENT_TYPE_CREATE: FileCreated,
	filesystem.EventType_EVENT_TYPE_WRITE:  FileWritten,
	filesystem.EventType_EVENT_TYPE_REMOVE: FileRemoved,
	filesystem.EventType_EVENT_TYPE_RENAME: FileRenamed,
	filesystem.EventType_EVENT_TYPE_CHMOD:  FileChmod,
}
