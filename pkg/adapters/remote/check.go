package remote

import (
	"context"

	"github.com/quixand/quixand/pkg/adapters"
)

// Check looks whether the server answers, and lets us in.
func (a *Adapter) Check(ctx context.Context) []adapters.Check {
	name, err := ask(a, func(d dialect) (string, error) { return d.hello(ctx) })
	check := adapters.Check{Name: "server", Status: adapters.CheckOK, Detail: name + " at " + a.server.at.String()}
	if err != nil {
		check.Status, check.Detail = adapters.CheckFail, a.server.at.String()+": "+err.Error()
		check.Cure = "set " + urlVariable + " to where the server is, and " + keyVariable + " to a key of its own"
		if e, ok := known(err); ok && e.Hint != "" {
			check.Cure = e.Hint
		}
	}
	return []adapters.Check{check}
}
