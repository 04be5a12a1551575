package agent

import (
	"net/http"
	"time"

	"github.com/quixand/quixand/internal/agent/access"
	"github.com/quixand/quixand/internal/agent/httperr"
	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/envd"
)

func (a *Agent) health(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
}

func (a *Agent) metrics(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.meter.Sample()) }

func (a *Agent) usage(w http.ResponseWriter, _ *http.Request) {
	s := a.meter.Sample()
	u := agentapi.Usage{
		CPUCount: s.CPUCount, CPUPercent: s.CPUUsedPct,
		MemoryUsed: int64(s.MemUsed), MemoryTotal: int64(s.MemTotal), MemoryCache: int64(s.MemCache),
		DiskUsed: int64(s.DiskUsed), DiskTotal: int64(s.DiskTotal),
		Processes: s.Processes,
	}
	if !s.DiskKnown {
		u.DiskUsed = -1
	}
	writeJSON(w, u)
}

func (a *Agent) envs(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.env.Global()) }

// initRequest is the part of E2B's body that has a meaning here.
type initRequest struct {
	EnvVars        map[string]string `json:"envVars"`
	AccessToken    string            `json:"accessToken"`
	Timestamp      time.Time         `json:"timestamp"`
	DefaultUser    string            `json:"defaultUser"`
	DefaultWorkdir string            `json:"defaultWorkdir"`
}

// init gives the sandbox its environment and its token. Where there is a
// token, the caller must know it.
func (a *Agent) init(w http.ResponseWriter, r *http.Request) {
	var req initRequest
	if err := readJSON(w, r, &req); err != nil {
		httperr.WriteErr(w, err)
		return
	}
	if !a.token.Matches(req.AccessToken) {
		httperr.Write(w, http.StatusUnauthorized, access.ErrToken.Error())
		return
	}
	if err := a.apply(req); err != nil {
		httperr.WriteErr(w, err)
		return
	}
	w.Header().Set("X-Envd-Version", envd.Version)
	w.WriteHeader(http.StatusNoContent)
}

// apply is for one request at a time. One that is older than the last is
// ignored.
func (a *Agent) apply(req initRequest) error {
	a.initMu.Lock()
	defer a.initMu.Unlock()
	if !req.Timestamp.IsZero() && req.Timestamp.Before(a.initTime) {
		return nil
	}
	if req.DefaultUser != "" || req.DefaultWorkdir != "" {
		if err := a.users.SetDefault(req.DefaultUser, req.DefaultWorkdir); err != nil {
			return httperr.BadRequest(err)
		}
	}
	if err := a.env.SetGlobal(req.EnvVars); err != nil {
		return httperr.BadRequest(err)
	}
	a.token.Set(req.AccessToken)
	a.initTime = req.Timestamp
	return nil
}

func (a *Agent) status(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.describe()) }

// hold answers at once and then says nothing: its end is the agent's, or the
// client's.
func (a *Agent) hold(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	<-r.Context().Done()
}

// holdLease is hold for whoever the sandbox belongs to.
func (a *Agent) holdLease(w http.ResponseWriter, r *http.Request) {
	defer a.lease.Hold()()
	a.hold(w, r)
}

// setTimeout gives the sandbox a new idle timeout, which starts when this
// request has ended.
func (a *Agent) setTimeout(w http.ResponseWriter, r *http.Request) {
	var req agentapi.TimeoutRequest
	if err := readJSON(w, r, &req); err != nil {
		httperr.WriteErr(w, err)
		return
	}
	a.clock.SetIdle(time.Duration(req.IdleTimeout))
	writeJSON(w, a.describe())
}

// expire ends an idle sandbox, after it has said so: the end cuts off every
// answer that is not out as a whole.
func (a *Agent) expire(w http.ResponseWriter, _ *http.Request) {
	status := a.describe()
	end, expired := a.clock.ExpireIdle()
	status.Expired = expired
	writeJSON(w, status)
	if expired {
		_ = http.NewResponseController(w).Flush()
		end()
	}
}

func (a *Agent) setLabels(w http.ResponseWriter, r *http.Request) {
	var req agentapi.LabelsRequest
	if err := readJSON(w, r, &req); err != nil {
		httperr.WriteErr(w, err)
		return
	}
	if err := a.labels.Change(req.Set, req.Remove); err != nil {
		httperr.WriteErr(w, httperr.BadRequest(err))
		return
	}
	writeJSON(w, a.describe())
}

func (a *Agent) describe() agentapi.Status {
	user := a.users.Default()
	now := a.clock.Snapshot()
	workdir := user.Workdir
	if workdir == "" {
		workdir = user.Home
	}
	return agentapi.Status{
		Version: a.cfg.Version, ID: a.cfg.ID,
		User: user.Name, Home: user.Home, Workdir: workdir,
		Created: now.Created, LastActive: now.LastActive, InFlight: now.InFlight,
		IdleTimeout: agentapi.Duration(now.Idle), Deadline: now.Deadline, Lifetime: now.Lifetime,
		Processes: a.processes.Running(), Labels: a.labels.All(),
		Age: agentapi.Duration(now.Age), IdleFor: agentapi.Duration(now.IdleFor),
		Fixed: now.Fixed, Enforcers: a.cfg.Enforcers, OnTimeout: a.cfg.OnTimeout,
	}
}
