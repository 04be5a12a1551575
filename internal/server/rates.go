package server

import (
	"math"
	"strconv"
	"sync"

	"golang.org/x/time/rate"

	"github.com/quixand/quixand/internal/apikeys"
)

// burst is how many seconds' worth of calls a key can make at once.
const burst = 5

// rates bounds how often each key may call. There are as many entries as keys.
type rates struct{ limiters sync.Map }

// allow counts a call. When it is one too many, wait is how many seconds its
// client has to wait.
func (r *rates) allow(k apikeys.Key) (wait string, ok bool) {
	if k.Limits.Rate <= 0 {
		return "", true
	}
	most := rate.Limit(k.Limits.Rate)
	l, _ := r.limiters.LoadOrStore(k.ID, rate.NewLimiter(most, max(1, int(burst*k.Limits.Rate))))
	booking := l.(*rate.Limiter).Reserve()
	delay := booking.Delay()
	if delay == 0 {
		return "", true
	}
	booking.Cancel()
	return strconv.Itoa(int(math.Ceil(delay.Seconds()))), false
}
