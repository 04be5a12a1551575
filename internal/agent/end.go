package agent

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/agent/activity"
	"github.com/quixand/quixand/internal/agent/lease"
	"github.com/quixand/quixand/internal/agentapi"
)

// ends is the one table from errors of Serve to what is remembered of them.
// Another one is a failure of the agent's own.
var ends = []struct {
	err    error
	reason string
}{
	{nil, agentapi.EndStopped},
	{activity.ErrIdle, agentapi.EndIdle},
	{activity.ErrLifetime, agentapi.EndLifetime},
	{lease.ErrAbandoned, agentapi.EndAbandoned},
}

// End says why the sandbox ends, for those who come too late to ask: err is
// what Serve returned, and code the exit code to come. The agent may still run.
func (a *Agent) End(err error, code int) agentapi.End {
	output := a.journal.Tail(agentapi.MaxEndOutput)
	e := agentapi.End{
		Reason: agentapi.EndFailed, Time: time.Now(), ExitCode: code,
		Output: strings.ToValidUTF8(string(output), "\ufffd"),
	}
	for _, row := range ends {
		if errors.Is(err, row.err) {
			e.Reason = row.reason
		}
	}
	if err != nil {
		e.Detail = err.Error()
	}
	return e
}

func (a *Agent) tail(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write(a.journal.Tail(agentapi.MaxEndOutput))
}

// WriteEnd leaves the record where the host looks for it. It appears as a
// whole.
func WriteEnd(dir string, e agentapi.End) error {
	const enough = 512
	e.Detail = e.Detail[:min(len(e.Detail), enough)]
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(text) > agentapi.MaxEnd {
		e.Output = ""
		return WriteEnd(dir, e)
	}
	name := filepath.Join(dir, agentapi.EndName)
	if err := os.WriteFile(name+".tmp", text, 0o600); err != nil {
		return err
	}
	return errors.Join(lend(dir, name+".tmp"), os.Rename(name+".tmp", name))
}
