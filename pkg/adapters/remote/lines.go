package remote

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
)

// maxLine bounds a line of an answer that comes line by line, in bytes.
const maxLine = 1 << 20

// readLines reads one JSON value a line, and passes them on as long as more is
// wanted. Its end otherwise is an error; empty lines say only that the server lives.
func readLines[T any](ctx context.Context, body io.Reader, receive func(v *T) (more bool, err error)) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var v *T
		if len(lines.Bytes()) > 0 {
			if err := json.Unmarshal(lines.Bytes(), &v); err != nil && lines.Scan() {
				return garbage("%w", err)
			} else if err != nil {
				break // the connection has ended within a line
			}
		}
		if more, err := receive(v); !more || err != nil {
			return err
		}
	}
	err := lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return brokenError(ctx, err)
}
