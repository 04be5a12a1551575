package local

import (
	"context"
	"time"
)

// Outlive returns a context that ends some time after ctx does.
func Outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var timer *time.Timer
	armed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer = time.AfterFunc(grace, func() { cancel(context.Cause(ctx)) })
		close(armed)
	})
	return longer, func() {
		if !stop() {
			<-armed
			timer.Stop()
		}
		cancel(nil)
	}
}
