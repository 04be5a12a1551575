package filesystem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/keepalive"
	"github.com/quixand/quixand/internal/agent/watch"
	pb "github.com/quixand/quixand/internal/envd/filesystem"
)

// watchRequest is what WatchDir and CreateWatcher have in common.
type watchRequest interface {
	GetPath() string
	GetRecursive() bool
	GetAllowNetworkMounts() bool
}

func (s *Service) watch(h http.Header, req watchRequest) (*watch.Watcher, error) {
	_, path, err := s.resolve(h, req.GetPath())
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, connectError(err)
	}
	if !info.IsDir() {
		return nil, invalid(fmt.Errorf("%q is not a directory", path))
	}
	if !req.GetAllowNetworkMounts() && onNetwork(path) {
		return nil, invalid(fmt.Errorf("%q is on a network mount, where others' changes are not reported", path))
	}
	w, err := watch.New(path, req.GetRecursive())
	if err != nil {
		return nil, watchError(err)
	}
	return w, nil
}

// onNetwork reports whether changes in a directory can be made where this
// kernel does not see them. FUSE is not among them here: in rootless
// containers the root itself may be of that kind.
func onNetwork(path string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC,
		unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.CODA_SUPER_MAGIC:
		return true
	}
	return false
}

func watchError(err error) error {
	switch {
	case errors.Is(err, watch.ErrOverflow), errors.Is(err, watch.ErrLimit):
		return connect.NewError(connect.CodeResourceExhausted, err)
	case errors.Is(err, watch.ErrGone):
		return connect.NewError(connect.CodeNotFound, err)
	}
	return connectError(err)
}

var eventTypes = map[watch.Op]pb.EventType{
	watch.Create: pb.EventType_EVENT_TYPE_CREATE,
	watch.Rename: pb.EventType_EVENT_TYPE_RENAME,
	watch.Chmod:  pb.EventType_EVENT_TYPE_CHMOD,
	watch.Write:  pb.EventType_EVENT_TYPE_WRITE,
	watch.Remove: pb.EventType_EVENT_TYPE_REMOVE,
}

// event describes a change, and if asked the entry as it is by now.
func (s *Service) event(e watch.Event, withEntry bool) *pb.FilesystemEvent {
	event := &pb.FilesystemEvent{Name: text(e.Name), Type: eventTypes[e.Op]}
	if withEntry && e.Op != watch.Remove && e.Op != watch.Rename {
		event.Entry, _ = s.entry(e.Path)
	}
	return event
}

// WatchDir streams the changes in a directory.
func (s *Service) WatchDir(ctx context.Context, req *connect.Request[pb.WatchDirRequest], stream *connect.ServerStream[pb.WatchDirResponse]) error {
	w, err := s.watch(req.Header(), req.Msg)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := stream.Send(&pb.WatchDirResponse{Event: &pb.WatchDirResponse_Start{Start: &pb.WatchDirResponse_StartEvent{}}}); err != nil {
		return err
	}
	silence := keepalive.Interval(req.Header())
	ping := time.NewTimer(silence)
	defer ping.Stop()
	for {
		events, err := w.Take()
		if err != nil {
			return watchError(err)
		}
		for _, e := range events {
			event := s.event(e, req.Msg.GetIncludeEntry())
			if err := stream.Send(&pb.WatchDirResponse{Event: &pb.WatchDirResponse_Filesystem{Filesystem: event}}); err != nil {
				return err
			}
		}
		if len(events) > 0 {
			ping.Reset(silence)
			continue
		}
		select {
		case <-w.Wait():
		case <-ping.C:
			if err := stream.Send(&pb.WatchDirResponse{Event: &pb.WatchDirResponse_Keepalive{Keepalive: &pb.WatchDirResponse_KeepAlive{}}}); err != nil {
				return err
			}
			ping.Reset(silence)
		case <-ctx.Done():
			return connectError(ctx.Err())
		}
	}
}

// CreateWatcher is WatchDir for clients that can only poll.
func (s *Service) CreateWatcher(_ context.Context, req *connect.Request[pb.CreateWatcherRequest]) (*connect.Response[pb.CreateWatcherResponse], error) {
	w, err := s.watch(req.Header(), req.Msg)
	if err != nil {
		return nil, err
	}
	id, err := s.watchers.add(w, req.Msg.GetIncludeEntry())
	if err != nil {
		w.Close()
		return nil, err
	}
	return connect.NewResponse(&pb.CreateWatcherResponse{WatcherId: id}), nil
}

// GetWatcherEvents returns what has changed since the last call.
func (s *Service) GetWatcherEvents(_ context.Context, req *connect.Request[pb.GetWatcherEventsRequest]) (*connect.Response[pb.GetWatcherEventsResponse], error) {
	p, err := s.watchers.use(req.Msg.GetWatcherId())
	if err != nil {
		return nil, err
	}
	events, err := p.Take()
	if err != nil {
		return nil, watchError(err)
	}
	res := &pb.GetWatcherEventsResponse{}
	for _, e := range events {
		res.Events = append(res.Events, s.event(e, p.withEntry))
	}
	return connect.NewResponse(res), nil
}

// RemoveWatcher ends a polled watch.
func (s *Service) RemoveWatcher(_ context.Context, req *connect.Request[pb.RemoveWatcherRequest]) (*connect.Response[pb.RemoveWatcherResponse], error) {
	if err := s.watchers.remove(req.Msg.GetWatcherId()); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.RemoveWatcherResponse{}), nil
}
