package remote

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

const (
	// attempts bounds how often a call is made, and a connection tried: pauses of
	// one and a half seconds together, on average of half that.
	attempts   = 5
	firstPause = 100 * time.Millisecond
	// longestWait is how long a server may ask us to wait before we return its
	// answer instead.
	longestWait = 30 * time.Second
)

// whether tells whether a call is to be made again after it came to nothing, and
// when. One that may have had its effect is made again only if it can do no harm.
func whether(r *request, res *http.Response, err error, attempt int) (wait time.Duration, again bool) {
	if attempt+1 >= attempts {
		return 0, false
	}
	pause := rand.N(firstPause << attempt)
	if err != nil {
		return pause, r.repeat && !notWorth(err)
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		// Who says when to come again has done nothing yet.
		if asked, ok := retryAfter(res.Header); ok {
			return asked + pause, asked <= longestWait
		}
		return pause, r.repeat && res.StatusCode == http.StatusServiceUnavailable
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return pause, r.repeat && res.Header.Get("Content-Type") != jsonType // a proxy before the server says so
	}
	return 0, false
}

// notWorth reports errors that stay: dialAgain has tried already, or nobody vouches
// for the server.
func notWorth(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" || certificate(err)
}

// retryAfter reads the header in both of its forms.
func retryAfter(h http.Header) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 16); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(text)
	return max(0, time.Until(at)), err == nil
}

// dialAgain connects to a server that may be about to come back. Nothing has been
// sent yet, so that this is safe for every call.
func dialAgain(ctx context.Context, dial func() (net.Conn, error)) (net.Conn, error) {
	for attempt := 0; ; attempt++ {
		conn, err := dial()
		if err == nil || attempt+1 >= attempts || !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) {
			return conn, err
		}
		if !sleep(ctx, rand.N(firstPause<<attempt)) {
			return nil, err
		}
	}
}

// sleep waits, unless ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
