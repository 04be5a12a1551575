package docker

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/internal/agentbin"
	"github.com/quixand/quixand/internal/bridge"
	"github.com/quixand/quixand/internal/lazy"
	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/adapters"
)

// connectTimeout is for a daemon that takes a connection and says nothing. One
// that systemd starts for it takes seconds.
const connectTimeout = 30 * time.Second

// engine is the connection to a daemon, made when it is first needed.
type engine struct {
	log     hclog.Logger
	root    string
	runtime string // that the user wants, or empty
	dirs    *statedir.Runtime
	agent   *agentbin.Finder
	locate  func() (endpoint, error)
	links   *bridge.Links
	way     string // to the agent, that the user wants, or empty

	streamed sync.Map // ids of sandboxes that share no directory
	volumes  sync.Map // that hold the agent

	conn *lazy.Value[connection]

	mu     sync.Mutex
	births map[string]*birth // by container
}

// connection is a daemon that has answered. It survives one that goes away and
// comes back.
type connection struct {
	*client.Client
	endpoint endpoint
	info     *system.Info
}

func newEngine(cfg adapters.Config) *engine {
	e := &engine{
		log:     cfg.Logger,
		root:    cfg.Root,
		runtime: cfg.Runtime,
		dirs:    statedir.Open(cfg.Root),
		agent:   agentbin.New(cfg.Root),
		locate:  locate,
		way:     os.Getenv(dataPlaneVariable),
		births:  make(map[string]*birth),
	}
	e.conn = lazy.New(e.connect)
	e.links = bridge.NewLinks(e.openBridge)
	return e
}

// use returns the connection.
func (e *engine) use(ctx context.Context) (*connection, error) {
	conn, err := e.conn.Get(ctx)
	return conn, mapError(err)
}

// connect finds the daemon, agrees with it on a version and learns what it is:
// that takes it 20 ms, once.
func (e *engine) connect(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	began := time.Now()
	at, err := e.locate()
	if err != nil {
		return nil, err
	}
	api, err := client.New(at.clientOptions()...)
	if err != nil {
		return nil, &adapters.Error{Adapter: Name, Kind: adapters.ErrInvalid, Err: fmt.Errorf("%s: %w", at.source, err)}
	}
	told, err := api.Info(ctx, client.InfoOptions{})
	if err != nil {
		api.Close()
		return nil, at.explain(err)
	}
	e.log.Debug("connected", "host", api.DaemonHost(), "api", api.ClientVersion(), "elapsed", time.Since(began))
	return &connection{Client: api, endpoint: at, info: &told.Info}, nil
}

// Close gives back the idle connections, and the bridges when they are idle.
func (e *engine) Close() {
	e.links.Close()
	e.forgetBirths()
	if conn := e.conn.Drop(); conn != nil {
		conn.Close()
	}
}
