package agentclient

import (
	"io"
	"sync"
)

// upload is the body of a request. net/http may still be reading it when the
// call is over; upload then lets nothing more be read from the source.
type upload struct {
	src  io.Reader
	dog  *watchdog
	left int64 // of a known size, else negative

	mu   sync.Mutex
	over bool
	err  error // the source's own
}

// Read implements io.Reader. While the source makes it wait, the agent is not
// to blame.
func (u *upload) Read(p []byte) (int, error) {
	if u.isOver() {
		return 0, io.ErrClosedPipe
	}
	u.dog.pause()
	n, err := u.src.Read(p)
	u.dog.resume()
	if u.left >= 0 {
		u.left -= int64(n)
		if err == io.EOF && u.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil && err != io.EOF {
		u.fail(err)
	}
	return n, err
}

// Close is for net/http. The source belongs to the caller.
func (u *upload) Close() error { return nil }

func (u *upload) isOver() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.over
}

func (u *upload) fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
	}
}

// stop ends the reading and returns the source's error. A Read of the source
// that is going on is not waited for: nobody can interrupt it.
func (u *upload) stop() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	return u.err
}
