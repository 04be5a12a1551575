// Package keepalive says how long a stream may be silent.
package keepalive

import (
	"net/http"
	"strconv"
	"time"
)

// fallback is E2B's interval for those who do not ask.
const fallback = 90 * time.Second

// Interval reads a request's header: a whole number of seconds.
func Interval(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Keepalive-Ping-Interval"))
	if err != nil || seconds < 1 || seconds > 24*60*60 {
		return fallback
	}
	return time.Duration(seconds) * time.Second
}
