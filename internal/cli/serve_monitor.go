package cli

import (
	"context"
	"os"

	"github.com/quixand/quixand/internal/auditlog"
	"github.com/quixand/quixand/internal/server"
)

func nothingToEnd() error { return nil }

// openAudit opens the audit log for this user alone. It is only ever appended to,
// so that it may be cut short meanwhile.
func (o *serveOptions) openAudit() (log *auditlog.Log, end func() error, err error) {
	switch o.auditLog {
	case "":
		return nil, nothingToEnd, nil
	case "-":
		return auditlog.New(o.app.Stdout), nothingToEnd, nil
	}
	f, err := os.OpenFile(o.auditLog, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	return auditlog.New(f), f.Close, nil
}

// monitor begins to answer operators, where it is told to. end is for when the
// server has drained.
func (o *serveOptions) monitor(ctx context.Context, s *server.Server) (end func() error, err error) {
	if o.metrics == "" {
		return nothingToEnd, nil
	}
	l, err := server.Listen(ctx, o.metrics, nil)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.ServeMonitor(ctx, l) }()
	o.app.printf("qs serve tells metrics at %s\n", l.Addr())
	return func() error { stop(); return <-ended }, nil
}
