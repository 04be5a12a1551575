package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/quixand/quixand/pkg/adapters"
)

// Check examines the engine and this host, each finding with its cure.
func (a *Adapter) Check(ctx context.Context) []adapters.Check {
	findings := append([]adapters.Check{a.checkRuntimeDir()}, a.engine.Check(ctx)...)
	silent := slices.ContainsFunc(findings, func(c adapters.Check) bool {
		return c.Name == EngineCheck && c.Status == adapters.CheckFail
	})
	findings = append(findings, a.checkAgent(ctx))
	if a.image != "" && !silent {
		findings = append(findings, a.checkImage(ctx))
	}
	return findings
}

// EngineCheck is the name of the finding that says whether the engine answers.
const EngineCheck = "engine"

// OK is a finding that stands in nobody's way.
func OK(name, format string, args ...any) adapters.Check {
	return adapters.Check{Name: name, Status: adapters.CheckOK, Detail: fmt.Sprintf(format, args...)}
}

// Warn is a finding that limits what sandboxes can ask for.
func Warn(name, cure, format string, args ...any) adapters.Check {
	return adapters.Check{Name: name, Status: adapters.CheckWarn, Detail: fmt.Sprintf(format, args...), Cure: cure}
}

// Fail is a finding that prevents sandboxes.
func Fail(name, cure, format string, args ...any) adapters.Check {
	return adapters.Check{Name: name, Status: adapters.CheckFail, Detail: fmt.Sprintf(format, args...), Cure: cure}
}

// Failed is a failure whose error knows its cure.
func Failed(name string, err error) adapters.Check {
	return Fail(name, mapped(err).Hint, "%v", err)
}

// CheckControllers warns of limits that nobody can enforce with the cgroup
// controllers that there are.
func CheckControllers(version string, have []string, cure string) adapters.Check {
	const name = "cgroups"
	var missing []string
	for _, c := range []string{"memory", "pids", "cpu"} {
		if !slices.Contains(have, c) {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		text := fmt.Sprintf("cgroup %s, no controller for: %s; sandboxes that ask for such limits are refused",
			version, strings.Join(missing, ", "))
		if slices.Contains(missing, "pids") {
			text += ", and none has the limit of processes that it otherwise has unasked"
		}
		return Warn(name, cure, "%s", text)
	}
	return OK(name, "cgroup %s, %s; at most %d processes in a sandbox that asks for no other limit",
		version, strings.Join(have, " "), defaultPIDs)
}

func (a *Adapter) checkRuntimeDir() adapters.Check {
	const name = "runtime directory"
	dir := filepath.Dir(a.dirs.Path())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Failed(name, err)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return Failed(name, &os.PathError{Op: "access", Path: dir, Err: err})
	}
	return OK(name, "%s", dir)
}

func (a *Adapter) checkAgent(ctx context.Context) adapters.Check {
	path, err := a.agent.Find(ctx)
	if err != nil {
		return Failed("agent", err)
	}
	return OK("agent", "%s", path)
}

func (a *Adapter) checkImage(ctx context.Context) adapters.Check {
	_, err := a.engine.Image(ctx, a.image)
	switch {
	case errors.Is(err, adapters.ErrNotFound):
		return Warn("image", a.name+" pull "+a.image, "%s is not here yet; the first sandbox fetches it", a.image)
	case err != nil:
		return Failed("image", err)
	}
	return OK("image", "%s", a.image)
}
