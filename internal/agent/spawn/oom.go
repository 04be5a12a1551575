package spawn

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// oomDistance is how much sooner than the agent its children are killed when
// memory runs out: the agent's end would be the sandbox's. E2B's agent uses
// the same distance.
const oomDistance = 100

// oomScore is the text to write for children, from this process's own score.
func oomScore() []byte {
	own, _ := os.ReadFile("/proc/self/oom_score_adj")
	n, _ := strconv.Atoi(strings.TrimSpace(string(own)))
	return strconv.AppendInt(nil, int64(min(n+oomDistance, 1000)), 10)
}

// sacrifice raises a process's score. That it fails is no reason to fail the
// process.
func sacrifice(pid int, score []byte) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, _ = unix.Write(fd, score)
	unix.Close(fd)
}
