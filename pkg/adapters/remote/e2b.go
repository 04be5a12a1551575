package remote

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// e2b is the dialect of E2B's cloud, and of whatever else speaks its REST API and
// nothing beside it. What it cannot say is kept in metadata, or refused.
type e2b struct{ client }

// Metadata by which sandboxes are known again.
const (
	metaCall    = "quixand.call"    // of a creation, whose answer may get lost
	metaRoot    = "quixand.root"    // where it is not the default
	metaWorkdir = "quixand.workdir" // which E2B's sandboxes all have the same of
	metaTimeout = "quixand.timeout" // in seconds
)

// e2bDomains are those of the cloud, whose sandboxes are reached at one host.
var e2bDomains = []string{"e2b.app", "e2b.dev", "e2b.pro", "e2b-staging.dev"}

func isHosted(host string) bool {
	return slices.ContainsFunc(e2bDomains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
}

var errNotE2B = unsupported("E2B's API has no such thing", "it is for servers of qs serve")

func (e *e2b) hello(ctx context.Context) (string, error) {
	var listed []*e2bSandbox
	query := url.Values{"limit": {"1"}}
	err := e.call(ctx, &request{method: http.MethodGet, path: "/v2/sandboxes", query: query, repeat: true}, &listed)
	if err == nil {
		_, err = e.allKnown(listed)
	}
	return "E2B's API", err
}

// e2bSandbox is what create and connect answer, and what lists and details tell.
type e2bSandbox struct {
	SandboxID    string            `json:"sandboxID"`
	TemplateID   string            `json:"templateID"`
	Alias        string            `json:"alias"`
	Domain       string            `json:"domain"`
	AccessToken  string            `json:"envdAccessToken"`
	TrafficToken string            `json:"trafficAccessToken"`
	StartedAt    time.Time         `json:"startedAt"`
	EndAt        time.Time         `json:"endAt"`
	State        string            `json:"state"`
	Metadata     map[string]string `json:"metadata"`
	CPUCount     float64           `json:"cpuCount"`
	MemoryMB     int64             `json:"memoryMB"`
	Internet     *bool             `json:"allowInternetAccess"`
	Lifecycle    struct {
		OnTimeout string `json:"onTimeout"`
	} `json:"lifecycle"`
}

// known says in our words what the API tells.
func (e *e2b) known(sb *e2bSandbox) (*sandbox, error) {
	if !adapters.ValidID(sb.SandboxID) {
		return nil, garbage("sandbox id %.40q", sb.SandboxID)
	}
	info := adapters.Info{
		ID: sb.SandboxID, Adapter: Name, Image: sb.TemplateID, State: adapters.StateRunning, Created: sb.StartedAt,
		Root: e.root, Workdir: e2bHome, Network: adapters.NetworkBridge, OnTimeout: adapters.TimeoutKill,
		Lifetime: adapters.NoTimeout, IdleTimeout: timeoutOf(sb), Age: max(0, time.Since(sb.StartedAt)), Enforcers: []string{"agent"},
		Metadata: make(map[string]string), Resources: adapters.Resources{CPUs: sb.CPUCount, MemoryBytes: sb.MemoryMB << 20},
	}
	for k, v := range sb.Metadata {
		switch k {
		case metaRoot:
			info.Root = v
		case metaWorkdir:
			info.Workdir = v
		case metaCall, metaTimeout:
		default:
			info.Metadata[k] = v
		}
	}
	if sb.State == "paused" {
		info.State = adapters.StatePaused
	}
	if sb.Internet != nil && !*sb.Internet {
		info.Network = adapters.NetworkNone
	}
	if sb.Lifecycle.OnTimeout == "pause" {
		info.OnTimeout = adapters.TimeoutPause
	}
	return &sandbox{info, pass{agent: sb.AccessToken, traffic: sb.TrafficToken, domain: sb.Domain}}, nil
}

// e2bHome is where commands start that are told nothing else.
const e2bHome = "/home/user"

// timeoutOf is the timeout that a sandbox was created with.
func timeoutOf(sb *e2bSandbox) time.Duration {
	if s, err := strconv.Atoi(sb.Metadata[metaTimeout]); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	return max(time.Second, sb.EndAt.Sub(sb.StartedAt))
}

func (e *e2b) get(ctx context.Context, id string) (*sandbox, error) {
	var sb e2bSandbox
	if err := e.call(ctx, &request{method: http.MethodGet, path: sandboxPath(id, ""), repeat: true}, &sb); err != nil {
		return nil, err
	}
	found, err := e.known(&sb)
	if err == nil && found.info.Root != e.root {
		return nil, &adapters.Error{Kind: adapters.ErrNotFound, Err: errors.New("there is no such sandbox")}
	}
	return found, err
}

func (e *e2b) list(ctx context.Context, _ adapters.Filter) ([]*sandbox, error) {
	return e.choose(ctx, url.Values{"limit": {"100"}, "state": {"running,paused"}})
}

// choose lists the sandboxes that a query means.
func (e *e2b) choose(ctx context.Context, query url.Values) ([]*sandbox, error) {
	listed, err := listAll[*e2bSandbox](ctx, e, "/v2/sandboxes", query)
	if err != nil {
		return nil, err
	}
	return e.allKnown(listed)
}

func (e *e2b) allKnown(listed []*e2bSandbox) (all []*sandbox, err error) {
	all = make([]*sandbox, len(listed))
	for i, sb := range listed {
		if all[i], err = e.known(sb); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// maxPages keeps a server from leading us in a circle.
const maxPages = 1000

// listAll asks for a list, page by page.
func listAll[T any](ctx context.Context, e *e2b, path string, query url.Values) (all []T, err error) {
	for range maxPages {
		var some []T
		header, err := e.callHeader(ctx, &request{method: http.MethodGet, path: path, query: query, repeat: true}, &some)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		next := header.Get(serverapi.HeaderNext)
		if next == "" {
			return all, nil
		}
		query.Set("nextToken", next)
	}
	return nil, garbage("a list of more than %d pages", maxPages)
}

func (e *e2b) kill(ctx context.Context, id string, _ adapters.KillOptions) error {
	return e.killAgain(ctx, id, nil)
}

// seconds rounds up: a timeout is never shorter than was asked for.
func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

func (e *e2b) setDeadline(ctx context.Context, id string, idle time.Duration) error {
	if idle < 0 {
		return unsupported("E2B's sandboxes always have a timeout", "give one")
	}
	if idle == 0 {
		sb, err := e.get(ctx, id)
		if err != nil {
			return err
		}
		idle = sb.info.IdleTimeout
	}
	body := map[string]int64{"timeout": seconds(idle)}
	return e.simple(ctx, http.MethodPost, sandboxPath(id, "/timeout"), nil, body, true)
}

func (e *e2b) pause(ctx context.Context, id string) error {
	return e.simple(ctx, http.MethodPost, sandboxPath(id, "/pause"), nil, struct{}{}, false)
}

// resume is a connect, which does no harm to one that runs.
func (e *e2b) resume(ctx context.Context, id string) error {
	sb, err := e.get(ctx, id)
	if err != nil {
		return err
	}
	if sb.info.State != adapters.StatePaused {
		return &adapters.Error{Kind: adapters.ErrConflict, Err: errors.New("the sandbox is not paused")}
	}
	body := map[string]int64{"timeout": seconds(sb.info.IdleTimeout)}
	return e.simple(ctx, http.MethodPost, "/v2"+sandboxPath(id, "/connect"), nil, body, false)
}

func (e *e2b) rename(context.Context, string, string) error { return errNotE2B }

func (e *e2b) stats(ctx context.Context, id string) (*adapters.Stats, error) {
	return e.measure(ctx, id, nil)
}

func (e *e2b) events(context.Context, time.Time, func(adapters.Event) bool) error { return errNotE2B }

func (e *e2b) ended(context.Context, string, bool) (*adapters.Ended, error) { return nil, errNotE2B }

func (e *e2b) allEnded(context.Context) ([]*adapters.Ended, error) { return nil, errNotE2B }

// dataPlane is E2B's: one host for all sandboxes in the cloud, and elsewhere a name
// for each port, or where there is no domain the server itself.
func (e *e2b) dataPlane(id string, port int, p pass) place {
	to := place{e.at.base, id, port}
	domain := p.domain
	if host := e.at.base.Hostname(); domain == "" && isHosted(host) {
		domain = strings.TrimPrefix(host, "api.")
	}
	switch {
	case domain == "" || e.at.base.Scheme != "https":
	case slices.Contains(e2bDomains, domain):
		to.base = url.URL{Scheme: "https", Host: "sandbox." + domain}
	default:
		to.base = url.URL{Scheme: "https", Host: strconv.Itoa(port) + "-" + id + "." + domain}
	}
	return to
}
