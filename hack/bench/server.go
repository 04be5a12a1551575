//go:build containers_image_openpgp

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// serverKey is the key that lets the benchmark in.
const serverKey = "e2b_00000000000000000000000000000000000000be"

// server is a qs serve of the benchmark's own, on the sandboxes of the root that
// all else uses, too.
type server struct {
	url    *url.URL
	cmd    *exec.Cmd
	client *quixand.Client // reaches sandboxes through the server
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
	s.url = &url.URL{Scheme: "http", Host: address}
	through := new(adapters.Registry)
	through.Register("through", func(cfg adapters.Config) (adapters.Adapter, error) {
		straight, err := adapters.Default.Open("podman", cfg)
		return &throughServer{straight, s}, err
	})
	s.client, err = quixand.New(&quixand.Config{Adapter: "through", Registry: through})
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

// sandbox has the server create one that needs no token, and reaches it by a
// client.
func (s *server) sandbox(ctx context.Context, c *quixand.Client) (*quixand.Sandbox, error) {
	body := strings.NewReader(`{"templateID": "base", "timeout": 600}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.JoinPath("sandboxes").String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Api-Key", serverKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var made struct{ SandboxID string }
	text, err := io.ReadAll(res.Body)
	if err != nil || json.Unmarshal(text, &made) != nil || made.SandboxID == "" {
		return nil, fmt.Errorf("the server created no sandbox: %s %s", res.Status, bytes.TrimSpace(text))
	}
	return c.Connect(ctx, made.SandboxID)
}

// throughServer is the engine's adapter, but for the way to agents.
type throughServer struct {
	adapters.Adapter
	server *server
}

// Transport is one for each sandbox, as the engine's adapter has it.
func (t *throughServer) Transport(_ context.Context, id string, port int) (http.RoundTripper, error) {
	return &passage{&http.Transport{DisableCompression: true}, t.server.url.Host, id, strconv.Itoa(port)}, nil
}

// passage sends requests as E2B's clients do: the sandbox is in the headers.
type passage struct {
	*http.Transport
	host, id, port string
}

func (p *passage) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host = p.host
	req.Header.Set("E2b-Sandbox-Id", p.id)
	req.Header.Set("E2b-Sandbox-Port", p.port)
	return p.Transport.RoundTrip(req)
}
