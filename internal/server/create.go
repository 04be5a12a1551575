package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/envd"
	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/quixand"
	"github.com/quixand/quixand/pkg/templates"
)

const (
	// What E2B's servers take for a timeout that is not named, in each generation
	// of their API.
	timeoutV1 = 15 * time.Second
	timeoutV2 = 5 * time.Minute

	// home is where commands start in templates that do not say where.
	home = "/home/user"
)

// createOpen is of the first generation, where a token is an option.
func (s *Server) createOpen(c *call) error {
	req := newSandbox{}
	if err := c.read(&req); err != nil {
		return err
	}
	return s.create(c, &req, timeoutV1)
}

// createSecure is of the second, where it is the rule.
func (s *Server) createSecure(c *call) error {
	req := newSandbox{}
	if err := c.read(&req); err != nil {
		return err
	}
	req.Secure = true
	return s.create(c, &req, timeoutV2)
}

func (s *Server) create(c *call, req *newSandbox, timeout time.Duration) error {
	opts, r, err := s.optionsFor(c, req, timeout)
	if err != nil {
		return err
	}
	release, err := s.boxes.reserve(c.key, 1)
	if err != nil {
		return err
	}
	defer release()
	sb, err := s.launch(c, c, opts, func(ctx context.Context) (*quixand.Sandbox, error) { return s.cfg.Client.Create(ctx, opts) })
	if err != nil {
		return err
	}
	x := s.boxes.add(sb.ID(), r)
	return c.answer(http.StatusCreated, s.sandboxAnswer(x))
}

// optionsFor says in the library's words what a request asks for. What cannot be
// had is refused.
func (s *Server) optionsFor(c *call, req *newSandbox, timeout time.Duration) (*quixand.Options, record, error) {
	r := record{Key: c.key.ID, Template: req.TemplateID, Open: !req.Secure}
	opts := &quixand.Options{
		FixedTimeout: true, Lifetime: c.key.Limits.Lifetime,
		Env: envFor(req), Network: networkFor(req),
	}
	if req.AutoPause {
		opts.OnTimeout = quixand.TimeoutPause
	}
	if req.AutoResume != nil {
		r.AutoResume = req.AutoResume.Enabled
	}
	if n := req.Network; n != nil {
		r.Host = n.MaskRequestHost
		r.Private = n.AllowPublicTraffic != nil && !*n.AllowPublicTraffic
	}
	var err error
	if opts.Timeout, err = c.timeout(req.Timeout, timeout); err != nil {
		return nil, r, err
	}
	if err := checkOffered(req, r); err != nil {
		return nil, r, err
	}
	if err := s.startFrom(c, req.TemplateID, opts); err != nil {
		return nil, r, err
	}
	opts.Metadata = r.with(req.Metadata)
	return opts, r, nil
}

func envFor(req *newSandbox) map[string]string {
	env := maps.Clone(req.EnvVars)
	if env == nil {
		env = make(map[string]string, 1)
	}
	env["E2B_TEMPLATE_ID"] = req.TemplateID
	return env
}

func networkFor(req *newSandbox) quixand.Network {
	if req.AllowInternet != nil && !*req.AllowInternet || req.Network != nil && slices.Contains(req.Network.DenyOut, everything) {
		return quixand.NetworkNone
	}
	return quixand.NetworkBridge
}

// everything is all addresses, in E2B's lists of them.
const everything = "0.0.0.0/0"

// maxTimeout is more than anybody waits, in seconds.
const maxTimeout = 10 * 365 * 24 * 60 * 60

// timeout reads one that a client asks for, or takes another where it does not.
func (c *call) timeout(seconds *int64, otherwise time.Duration) (time.Duration, error) {
	if seconds == nil {
		return otherwise, nil
	}
	if *seconds <= 0 || *seconds > maxTimeout {
		return 0, badRequest(fmt.Sprintf("a timeout of %d seconds is neither more than none nor less than %d", *seconds, maxTimeout))
	}
	asked := time.Duration(*seconds) * time.Second
	if most := c.key.Limits.Timeout; most > 0 && asked > most {
		return 0, badRequest(fmt.Sprintf("a timeout of %d seconds is longer than this key may give, %v", *seconds, most))
	}
	return asked, nil
}

// checkOffered refuses what the server would have to promise and cannot keep.
func checkOffered(req *newSandbox, r record) error {
	given := func(raw []byte) bool { return len(raw) > 0 && string(raw) != "null" }
	var lacking string
	switch n := req.Network; {
	case req.Metadata[recordKey] != "":
		return badRequest("metadata " + recordKey + " is the server's own")
	case r.Private && r.Open:
		return badRequest("allowPublicTraffic: false needs a secure sandbox")
	case len(req.VolumeMounts) > 0:
		lacking = "volumes"
	case given(req.MCP):
		lacking = "mcp"
	case given(req.IAM):
		lacking = "iam"
	case req.AutoPause && req.AutoPauseMemory != nil && !*req.AutoPauseMemory:
		lacking = "a pause that does not keep the memory"
	case n == nil:
	case len(n.AllowOut) > 0, slices.ContainsFunc(n.DenyOut, func(s string) bool { return s != everything }):
		lacking = "a network that is open or closed to certain addresses"
	case given(n.Rules), given(n.EgressProxy), len(n.HTTPSPorts) > 0:
		lacking = "rules, egressProxy and httpsPorts"
	}
	if lacking == "" {
		return nil
	}
	return &quixand.Error{Kind: quixand.ErrUnsupported, Err: fmt.Errorf("%s: not to be had here", lacking)}
}

// startFrom finds what a template's name means: a snapshot, a template or, for
// E2B's own while there is none, the server's image. A directory to build, or
// any image of any registry, is nothing that a client may name.
func (s *Server) startFrom(c *call, name string, opts *quixand.Options) error {
	if !c.key.Limits.Allows(name) {
		return &quixand.Error{Kind: quixand.ErrPermission, Err: fmt.Errorf("this key may not use the template %q", name)}
	}
	if snapshot, ok := strings.CutPrefix(name, serverapi.SnapshotPrefix); ok {
		opts.Snapshot = c.engineName(snapshot)
		return s.ownSnapshot(c, snapshot)
	}
	t, err := s.template(c, name)
	switch {
	case err == nil:
		startAs(t, opts)
	case errors.Is(err, quixand.ErrNotFound) && slices.Contains(ownTemplates, name):
		opts.Workdir = cmp.Or(opts.Workdir, home)
		s.cfg.Log.Info("a sandbox starts from the server's own image", "template", name, "state", s.stock.stateOf(name))
	default:
		return err
	}
	return nil
}

// startAs has a sandbox be what its template says: where its commands start, as
// whom, and whether they may become root.
func startAs(t *quixand.Template, opts *quixand.Options) {
	opts.Template = t.Image
	if opts.Workdir != "" {
		return // a client of ours says all that itself
	}
	opts.Workdir = home
	if path.IsAbs(t.Workdir) && t.Workdir != "/" {
		opts.Workdir = path.Clean(t.Workdir)
	}
	opts.User, _, _ = strings.Cut(t.User, ":") // a group may follow
	opts.Sudo = t.Labels[templates.LabelSudo] == "true"
}

func (s *Server) sandboxAnswer(x *box) sandboxAnswer {
	return sandboxAnswer{
		SandboxID: x.id, TemplateID: x.Template, ClientID: clientID,
		EnvdVersion: envd.Version, Domain: s.cfg.Domain,
		AccessToken: x.agentToken(s.cfg.Secret, x.id), TrafficToken: x.trafficToken(s.cfg.Secret, x.id),
	}
}

// clientID means something in E2B's cloud alone.
const clientID = "quixand"
