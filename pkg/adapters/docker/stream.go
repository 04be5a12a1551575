package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"sync"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/agentsock"
	"github.com/quixand/quixand/internal/bridge"
	"github.com/quixand/quixand/internal/local"
	"github.com/quixand/quixand/pkg/adapters"
)

// labelStreamed marks the container of a sandbox that shares no directory.
const labelStreamed = "quixand.docker.streamed"

// Streams reports whether an agent is reached through an exec, which it is unless
// its socket is here. Whether the daemon can share directories matters only for
// those that are to be made. The daemon is asked once.
func (e *engine) Streams(ctx context.Context, id string) (bool, error) {
	if _, err := os.Lstat(filepath.Join(e.dirs.Sandbox(id), agentapi.SocketName)); err == nil {
		return false, nil
	}
	if _, known := e.streamed.Load(id); known {
		return true, nil
	}
	found, err := e.sandbox(ctx, id)
	if err != nil || found == nil || found.Labels[labelStreamed] == "" {
		return false, err
	}
	e.streamed.Store(id, true)
	return true, nil
}

// Stream leads to an agent through an exec.
func (e *engine) Stream(ctx context.Context, id string) (net.Conn, error) {
	stream, err := e.links.Dial(ctx, id)
	if err != nil {
		e.streamed.Delete(id)
		return nil, reachError(err)
	}
	return stream, nil
}

// End reads what the agent has left, in a container that stays for that.
func (e *engine) End(ctx context.Context, id string) (*agentapi.End, error) {
	conn, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	file := path.Join(agentapi.SocketDir, agentapi.EndName)
	packed, err := conn.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: file})
	if err != nil {
		return nil, mapError(err)
	}
	defer packed.Content.Close()
	const enough = agentapi.MaxEnd + 16<<10 // the archive around it
	archive := tar.NewReader(io.LimitReader(packed.Content, enough))
	if _, err := archive.Next(); err != nil {
		return nil, err
	}
	return agentsock.ParseEnd(archive)
}

// sandbox finds the container of a sandbox of this root, or nil.
func (e *engine) sandbox(ctx context.Context, id string) (*local.Container, error) {
	found, err := e.List(ctx, local.LabelID+"="+id, local.LabelRoot+"="+e.root)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// reachError is of a bridge that does not lead to an agent.
func reachError(err error) error {
	e := *mapped(err)
	e.Op = "reach agent"
	if errors.Is(e.Kind, adapters.ErrInternal) || errors.Is(e.Kind, adapters.ErrConflict) {
		e.Kind = adapters.ErrUnavailable
	}
	return &e
}

// openBridge runs the other end of a bridge in a sandbox of this root.
func (e *engine) openBridge(ctx context.Context, id string) (io.ReadWriteCloser, error) {
	found, err := e.sandbox(ctx, id)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, notFound("no sandbox %s", id)
	}
	conn, err := e.use(ctx)
	if err != nil {
		return nil, err
	}
	made, err := conn.ExecCreate(ctx, found.ID, client.ExecCreateOptions{
		User: "0:0", WorkingDir: "/", AttachStdin: true, AttachStdout: true, AttachStderr: true,
		Cmd: []string{agentapi.BinaryPath, bridge.Verb},
	})
	if err != nil {
		return nil, mapError(err)
	}
	attached, err := conn.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return nil, mapError(err)
	}
	return newExecStream(attached.HijackedResponse), nil
}

// execStream is an exec's input and output as one byte stream. The daemon frames
// what comes out.
type execStream struct {
	client.HijackedResponse
	out  *io.PipeReader
	done chan struct{}
	once sync.Once
}

func newExecStream(h client.HijackedResponse) *execStream {
	out, in := io.Pipe()
	s := &execStream{HijackedResponse: h, out: out, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		var complaint words
		_, err := stdcopy.StdCopy(in, &complaint, h.Reader)
		in.CloseWithError(complaint.explain(err))
	}()
	return s
}

// Read reads what the exec writes.
func (s *execStream) Read(p []byte) (int, error) { return s.out.Read(p) }

// Write writes what the exec reads.
func (s *execStream) Write(p []byte) (int, error) { return s.Conn.Write(p) }

// Close ends the exec's input, and so the exec.
func (s *execStream) Close() error {
	s.once.Do(func() {
		s.out.Close()
		s.HijackedResponse.Close()
		<-s.done
	})
	return nil
}

// words are the beginning of what an exec complains of.
type words struct{ bytes.Buffer }

func (w *words) Write(p []byte) (int, error) {
	const enough = 1 << 10
	w.Buffer.Write(p[:min(len(p), max(0, enough-w.Len()))])
	return len(p), nil
}

func (w *words) explain(err error) error {
	if err == nil && w.Len() > 0 {
		return errors.New(string(bytes.TrimSpace(w.Bytes())))
	}
	return err
}
