//go:build containers_image_openpgp

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/quixand/quixand/pkg/adapters/remote"
	"github.com/quixand/quixand/pkg/quixand"
)

// serverKey is the key that lets the benchmark in.
const serverKey = "e2b_00000000000000000000000000000000000000be"

// server is a qs serve of the benchmark's own, on the sandboxes of the root that
// all else uses, too.
type server struct {
	url    string
	cmd    *exec.Cmd
	client *quixand.Client // the remote adapter's
}

func (b *bench) serve(ctx context.Context) (*server, error) {
	cmd := exec.CommandContext(ctx, b.qs, "serve", "--listen=127.0.0.1:0")
	cmd.Env = append(os.Environ(), "QS_SERVE_API_KEY="+serverKey)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd}
	log := bufio.NewReader(pipe)
	if err := s.await(log); err != nil {
		_ = cmd.Process.Kill()
		return nil, err
	}
	go func() { _, _ = io.Copy(os.Stderr, log) }()
	return s, nil
}

// await reads where the server listens.
func (s *server) await(log *bufio.Reader) error {
	line, err := log.ReadString('\n')
	_, address, ok := strings.Cut(strings.TrimSpace(line), "listens at ")
	if err != nil || !ok {
		return fmt.Errorf("qs serve did not start: %w: %s", err, line)
	}
	s.url = "http://" + address
	os.Setenv("QS_REMOTE_URL", s.url)
	os.Setenv("QS_API_KEY", serverKey)
	s.client, err = quixand.New(&quixand.Config{Adapter: remote.Name})
	return err
}

func (s *server) stop() error {
	s.client.Close()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// residentKiB is the memory that the server has.
func (s *server) residentKiB() int {
	kiB, _ := field(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "status"), "VmRSS:")
	return kiB
}
