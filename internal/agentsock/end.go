package agentsock

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/internal/agentapi"
)

// ReadEnd returns what the agent, whose socket was in dir, has left there before
// it ended. Whatever else is in its place is refused without being touched, and
// what it says is the sandbox's word.
func ReadEnd(dir string) (*agentapi.End, error) {
	d, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	// Without NONBLOCK a FIFO would hold us for as long as nobody writes.
	const how = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat(int(d.Fd()), agentapi.EndName, how, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: agentapi.EndName, Err: err}
	}
	f := os.NewFile(uintptr(fd), agentapi.EndName)
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s in %s is not a file", agentapi.EndName, dir)
	}
	e, err := ParseEnd(f)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", agentapi.EndName, dir, err)
	}
	return e, nil
}

// ParseEnd reads what an agent has left, however that was come by.
func ParseEnd(r io.Reader) (*agentapi.End, error) {
	text, err := io.ReadAll(io.LimitReader(r, agentapi.MaxEnd+1))
	if err != nil {
		return nil, err
	}
	if len(text) > agentapi.MaxEnd {
		return nil, fmt.Errorf("more than %d bytes", agentapi.MaxEnd)
	}
	e := new(agentapi.End)
	return e, json.Unmarshal(text, e)
}
