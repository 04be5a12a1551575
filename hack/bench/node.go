//go:build containers_image_openpgp

package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed sdk.mjs
var sdkScript []byte

// sdk is a node process that does with E2B's SDK what it is told to, and says how
// long that took. The way to the process is not in its times.
type sdk struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (b *bench) startSDK(ctx context.Context, s *server) (*sdk, error) {
	// What a script imports is looked for beside it.
	script := filepath.Join(b.tmp, "sdk.mjs")
	if err := os.WriteFile(script, sdkScript, 0o600); err != nil {
		return nil, err
	}
	err := os.Symlink(os.Getenv("QS_NODE_MODULES"), filepath.Join(b.tmp, "node_modules"))
	if err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Env = append(os.Environ(), "E2B_API_URL="+s.url, "E2B_SANDBOX_URL="+s.url, "E2B_API_KEY="+serverKey)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &sdk{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

// does returns a call that has one of the script's acts done.
func (s *sdk) does(act string, args ...any) func() (time.Duration, error) {
	request, _ := json.Marshal(append([]any{act}, args...))
	return func() (time.Duration, error) {
		if _, err := fmt.Fprintf(s.in, "%s\n", request); err != nil {
			return 0, err
		}
		line, err := s.out.ReadBytes('\n')
		if err != nil {
			return 0, fmt.Errorf("SDK, %s: node has ended: %w", act, err)
		}
		var ms float64
		err = json.Unmarshal(line, &ms)
		return time.Duration(ms * float64(time.Millisecond)), err
	}
}

func (s *sdk) end() {
	s.in.Close()
	_ = s.cmd.Wait()
}
