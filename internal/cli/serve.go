package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/internal/server"
	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/internal/traces"
)

const serveHelp = `Answer E2B's API for this machine, so that programs written for E2B's SDKs run
here:

  QS_SERVE_API_KEY=e2b_0123456789abcdef0123456789abcdef01234567 qs serve

  export E2B_API_URL=http://127.0.0.1:3000 E2B_SANDBOX_URL=http://127.0.0.1:3000
  export E2B_API_KEY=e2b_0123456789abcdef0123456789abcdef01234567

Both planes are at one address, which is on this machine alone unless there is a
certificate. Keys for others are made by qs serve keys create. Each key has
sandboxes of its own. They live on when the server ends, and are there again
when it is back.

The templates base and code-interpreter-v1, which the SDKs begin with, are built
when the server starts and they are missing. Until then, and where it cannot be
done, these names mean the image of $QS_IMAGE. /readyz tells how far they are.

OpenTelemetry's variables (OTEL_EXPORTER_OTLP_ENDPOINT) say where traces go.`

type serveOptions struct {
	app       *App
	addresses []string
	domain    string
	cert, key string
	drain     time.Duration
	auditLog  string
	metrics   string
	proxies   []string

	readTimeout time.Duration
	noStock     bool
	stockBase   string
}

func newServeCmd(a *App) *cobra.Command {
	o := &serveOptions{app: a}
	cmd := &cobra.Command{
		Use:               "serve [flags]",
		Short:             "Answer E2B's API, for its official SDKs",
		Long:              serveHelp,
		Args:              nargs(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.addresses, "listen", []string{"127.0.0.1:3000"}, "where to listen: HOST:PORT, or unix:PATH; repeatable, and systemd's sockets come first")
	f.StringVar(&o.domain, "domain", "", "domain below which sandboxes have names, PORT-ID.DOMAIN (default localhost and the port)")
	f.StringVar(&o.cert, "tls-cert", "", "file with the certificate, and those it depends on")
	f.StringVar(&o.key, "tls-key", "", "file with the certificate's key")
	f.Var(durationValue{d: &o.drain}, "drain", "how long requests may go on when the server is told to end (default 10s)")
	f.StringVar(&o.auditLog, "audit-log", "", "append a line of JSON for each call to this file, or - for standard output")
	f.StringVar(&o.metrics, "metrics-listen", "", "where Prometheus may ask for /metrics: a loopback HOST:PORT, or unix:PATH (default nowhere)")
	f.StringSliceVar(&o.proxies, "trusted-proxy", nil, "whose X-Forwarded-For the audit log believes: an address, a network, or unix; repeatable")
	o.readTimeout = 30 * time.Second
	f.Var(durationValue{d: &o.readTimeout}, "read-timeout", "longest that a client may take over the headers of a request, or over its body, unless that is for a sandbox")
	f.StringVar(&o.stockBase, "stock-base", "", "image of Debian to build the templates base and code-interpreter-v1 from (default the recipes' own)")
	f.BoolVar(&o.noStock, "no-stock", false, "do not build the templates base and code-interpreter-v1 where they are missing")
	cmd.AddCommand(newServeKeysCmd(a))
	return cmd
}

func (o *serveOptions) run(ctx context.Context) error {
	o.app.stays = true
	config, err := o.config()
	if err != nil {
		return err
	}
	var endAudit func() error
	if config.Audit, endAudit, err = o.openAudit(); err != nil {
		return err
	}
	var endTraces func() error
	if config.Traces, endTraces, err = traces.Start(ctx, "qs-serve", o.app.Getenv, config.Log); err != nil {
		return err
	}
	listeners, err := o.listen(ctx)
	if err != nil {
		return err
	}
	config.Domain = o.domainAt(listeners[0])
	s := server.New(config)
	endMonitor, err := o.monitor(ctx, s)
	if err != nil {
		return err
	}
	for _, l := range listeners {
		o.app.printf("qs serve listens at %s\n", l.Addr())
	}
	// Unset, for no child of ours is to speak for us. Without systemd it is nothing.
	_, _ = daemon.SdNotify(true, daemon.SdNotifyReady)
	err = s.Serve(ctx, listeners...)
	return errors.Join(err, endMonitor(), endTraces(), endAudit())
}

// config is all but what has to be closed again.
func (o *serveOptions) config() (config server.Config, err error) {
	if config.Proxies, err = server.ParseProxies(o.proxies); err != nil {
		return config, err
	}
	if config.Client, err = o.app.client(); err != nil {
		return config, err
	}
	config.Drain = o.drain
	root := config.Client.Root()
	if config.Keys, err = o.keys(root); err != nil {
		return config, err
	}
	if config.Secret, err = server.Secret(root); err != nil {
		return config, err
	}
	config.Stock = server.Stock{
		Build: !o.noStock, Base: o.stockBase,
		Tell: func(text string) { o.app.printf("qs serve: %s\n", termsafe.Line(text)) },
	}
	log, err := o.app.logger()
	if err == nil {
		config.Log = log.Named("serve")
	}
	config.ReadTimeout = o.readTimeout
	return config, err
}

// keys lets nobody in where there is no key.
func (o *serveOptions) keys(root string) (*apikeys.Store, error) {
	if own := o.app.Getenv("QS_SERVE_API_KEY"); own != "" {
		return apikeys.Open(root, own), nil
	}
	store := apikeys.Open(root)
	all, err := store.All()
	if err == nil && len(all) == 0 {
		return nil, &usageError{msg: "there is no API key", hint: "set QS_SERVE_API_KEY, or make one with: qs serve keys create"}
	}
	return store, err
}

// listen takes the sockets that systemd has opened, or else opens its own.
func (o *serveOptions) listen(ctx context.Context) (listeners []net.Listener, err error) {
	config, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeAll(listeners)
		}
	}()
	inherited, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	for _, l := range inherited {
		if l, err = server.Inherit(l, config); err != nil {
			return inherited, err
		}
		listeners = append(listeners, l)
	}
	if len(listeners) > 0 {
		return listeners, nil
	}
	for _, address := range o.addresses {
		l, err := server.Listen(ctx, address, config)
		if err != nil {
			return listeners, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		if l != nil { // a descriptor that is no socket
			l.Close()
		}
	}
}

// tlsConfig is nil without a certificate.
func (o *serveOptions) tlsConfig() (*tls.Config, error) {
	if o.cert == "" && o.key == "" {
		return nil, nil
	}
	if o.cert == "" || o.key == "" {
		return nil, usagef("--tls-cert and --tls-key come together")
	}
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// domainAt is a domain that leads to a listener on this machine.
func (o *serveOptions) domainAt(l net.Listener) string {
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && o.domain == "" {
		return fmt.Sprintf("localhost:%d", tcp.Port)
	}
	return o.domain
}
