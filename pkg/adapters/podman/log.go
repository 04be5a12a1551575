package podman

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
)

// LastWords returns the end of a container's log as one line.
func (e *engine) LastWords(_ context.Context, _, path string) string {
	log, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer log.Close()
	text, err := tail(log)
	if err != nil {
		return ""
	}
	return logLines(text)
}

// tail reads the last words in a file.
func tail(f *os.File) (string, error) {
	const enough = 2 << 10
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	text := make([]byte, min(end, enough))
	n, err := f.ReadAt(text, end-int64(len(text)))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return string(text[:n]), err
}

// logLines takes the words out of a log in the format of Kubernetes: time,
// stream, a flag, text.
func logLines(log string) string {
	var lines []string
	for line := range strings.Lines(log) {
		if fields := strings.SplitN(strings.TrimSpace(line), " ", 4); len(fields) == 4 {
			lines = append(lines, fields[3])
		}
	}
	return strings.Join(lines, "; ")
}
