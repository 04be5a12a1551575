// Package filesystem is E2B's filesystem service: it describes, makes, moves,
// removes and watches files. Their contents travel over package files.
//
// The agent works as the sandbox's root, as E2B's does: permissions are not
// checked, and the user decides only what a relative path means and who owns
// what is created.
package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/ownfs"
	"github.com/quixand/quixand/internal/agentapi"
	pb "github.com/quixand/quixand/internal/envd/filesystem"
	"github.com/quixand/quixand/internal/envd/filesystem/filesystemconnect"
)

// maxEntries bounds the answer of ListDir, which is one message.
const maxEntries = 200_000

// Service implements [filesystemconnect.FilesystemHandler].
type Service struct {
	users    *identity.Directory
	watchers *watchers
}

var _ filesystemconnect.FilesystemHandler = (*Service)(nil)

// New returns a Service.
func New(users *identity.Directory) *Service {
	return &Service{users: users, watchers: newWatchers()}
}

// Close ends the polled watches. Streamed ones end with their callers.
func (s *Service) Close() { s.watchers.close() }

// resolve returns who calls and what path is meant.
func (s *Service) resolve(h http.Header, path string) (identity.User, string, error) {
	u, err := s.users.FromHeader(h)
	if err != nil {
		return u, "", connect.NewError(connect.CodeUnauthenticated, err)
	}
	path, err = u.Path(path)
	if err != nil {
		return u, "", invalid(err)
	}
	return u, path, nil
}

func (s *Service) entry(path string) (*pb.EntryInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, connectError(err)
	}
	return Describe(path, info, s.users), nil
}

// Stat describes one entry.
func (s *Service) Stat(_ context.Context, req *connect.Request[pb.StatRequest]) (*connect.Response[pb.StatResponse], error) {
	_, path, err := s.resolve(req.Header(), req.Msg.GetPath())
	if err != nil {
		return nil, err
	}
	e, err := s.entry(path)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.StatResponse{Entry: e}), nil
}

// MakeDir creates a directory and, unless told otherwise, its missing parents.
func (s *Service) MakeDir(_ context.Context, req *connect.Request[pb.MakeDirRequest]) (*connect.Response[pb.MakeDirResponse], error) {
	u, path, err := s.resolve(req.Header(), req.Msg.GetPath())
	if err != nil {
		return nil, err
	}
	if req.Header().Get(agentapi.HeaderParents) == agentapi.No {
		err = ownfs.Mkdir(path, u)
	} else {
		err = makeDirs(path, u)
	}
	if err != nil {
		return nil, connectError(err)
	}
	e, err := s.entry(path)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.MakeDirResponse{Entry: e}), nil
}

// makeDirs refuses what exists, as E2B does.
func makeDirs(path string, u identity.User) error {
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return connect.NewError(connect.CodeAlreadyExists, fmt.Errorf("directory %q exists", path))
	case err == nil:
		return invalid(fmt.Errorf("%q is not a directory", path))
	}
	return ownfs.MkdirAll(path, u)
}

// Move renames an entry, creating the destination's missing parents.
func (s *Service) Move(_ context.Context, req *connect.Request[pb.MoveRequest]) (*connect.Response[pb.MoveResponse], error) {
	u, source, err := s.resolve(req.Header(), req.Msg.GetSource())
	if err != nil {
		return nil, err
	}
	destination, err := u.Path(req.Msg.GetDestination())
	if err != nil {
		return nil, invalid(err)
	}
	if _, err := os.Lstat(source); err != nil {
		return nil, connectError(err)
	}
	if err := ownfs.MkdirAll(filepath.Dir(destination), u); err != nil {
		return nil, connectError(err)
	}
	if err := os.Rename(source, destination); err != nil {
		return nil, connectError(err)
	}
	e, err := s.entry(destination)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.MoveResponse{Entry: e}), nil
}

// Remove removes an entry and, unless told otherwise, what is below it; then a
// missing one is gone already.
func (s *Service) Remove(_ context.Context, req *connect.Request[pb.RemoveRequest]) (*connect.Response[pb.RemoveResponse], error) {
	_, path, err := s.resolve(req.Header(), req.Msg.GetPath())
	if err != nil {
		return nil, err
	}
	if path == "/" {
		return nil, invalid(errors.New("the root directory cannot be removed"))
	}
	if req.Header().Get(agentapi.HeaderRecursive) == agentapi.No {
		err = os.Remove(path)
	} else if err = os.RemoveAll(path); errors.Is(err, unix.ENOTDIR) {
		err = nil // a path through a file names nothing
	}
	if err != nil {
		return nil, connectError(err)
	}
	return connect.NewResponse(&pb.RemoveResponse{}), nil
}

// ListDir lists a directory to a depth, each directory before its entries and
// entries by name.
func (s *Service) ListDir(ctx context.Context, req *connect.Request[pb.ListDirRequest]) (*connect.Response[pb.ListDirResponse], error) {
	_, path, err := s.resolve(req.Header(), req.Msg.GetPath())
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
	l := lister{ctx: ctx, users: s.users}
	if err := l.list(path, max(req.Msg.GetDepth(), 1)); err != nil {
		return nil, connectError(err)
	}
	return connect.NewResponse(&pb.ListDirResponse{Entries: l.entries}), nil
}

type lister struct {
	ctx     context.Context
	users   *identity.Directory
	entries []*pb.EntryInfo
}

// list appends the entries of a directory. What vanishes meanwhile is left
// out.
func (l *lister) list(dir string, depth uint32) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range entries {
		info, err := d.Info()
		if err != nil {
			continue
		}
		if len(l.entries) == maxEntries {
			return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("more than %d entries: list less at once", maxEntries))
		}
		path := filepath.Join(dir, d.Name())
		l.entries = append(l.entries, Describe(path, info, l.users))
		if d.IsDir() && depth > 1 {
			if err := l.list(path, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}
