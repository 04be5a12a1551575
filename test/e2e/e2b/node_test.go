package e2b

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// node is the process that runs the cases of one script, one at a time. Where a
// case has ended it, the next one starts another.
type node struct {
	script string
	cmd    *exec.Cmd // nil: it does not run
	input  io.WriteCloser
	output *bufio.Reader // of what main.mjs answers
}

// answer is a line of main.mjs.
type answer struct {
	Names []string `json:"names"` // at first
	Error string   `json:"error"` // of a case, or empty
}

// start starts the process and returns the names of its cases.
func (n *node) start(ctx context.Context) ([]string, error) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	n.cmd = exec.Command("node", filepath.Join(suite.scripts, "main.mjs"), n.script)
	n.cmd.Env, n.cmd.Dir = suite.env, suite.scripts
	n.cmd.Stdout, n.cmd.Stderr, n.cmd.ExtraFiles = GinkgoWriter, GinkgoWriter, []*os.File{theirs}
	if n.input, err = n.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	n.output = bufio.NewReader(ours)
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	defer n.killedWith(ctx)()
	a, err := n.read()
	return a.Names, err
}

func (n *node) read() (a answer, err error) {
	line, err := n.output.ReadBytes('\n')
	if err != nil {
		return a, fmt.Errorf("node has ended: %w", errors.Join(err, n.end()))
	}
	return a, json.Unmarshal(line, &a)
}

// run runs one case. The process does not outlive ctx.
func (n *node) run(ctx context.Context, name string) error {
	if n.cmd == nil {
		if _, err := n.start(ctx); err != nil {
			return err
		}
	}
	defer n.killedWith(ctx)()
	if _, err := fmt.Fprintln(n.input, name); err != nil {
		return errors.Join(err, n.end())
	}
	a, err := n.read()
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	return err
}

// killedWith kills the process when ctx ends before the function that it returns
// is called.
func (n *node) killedWith(ctx context.Context) func() bool {
	process := n.cmd.Process
	return context.AfterFunc(ctx, func() { _ = process.Kill() })
}

// end waits for the process, whose input has ended or which has ended itself.
func (n *node) end() error {
	cmd := n.cmd
	n.cmd = nil
	return errors.Join(n.input.Close(), cmd.Wait())
}

// stop ends the process after the last case: it removes what the cases shared.
func (n *node) stop(ctx SpecContext) {
	if n.cmd == nil {
		return
	}
	defer n.killedWith(ctx)()
	Expect(n.end()).To(Succeed())
}
