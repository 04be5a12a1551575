package local

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/internal/version"
	"github.com/quixand/quixand/pkg/adapters"
)

// The labels by which an engine is asked for containers.
const (
	LabelID   = "quixand.id"
	LabelRoot = "quixand.root"
)

// The labels of a container, with the two above, are all that is known about its
// sandbox.
const (
	labelImage     = "quixand.image" // as it was asked for
	labelCreated   = "quixand.created"
	labelWorkdir   = "quixand.workdir"
	labelNetwork   = "quixand.network"
	labelMetadata  = "quixand.metadata"  // JSON
	labelStartup   = "quixand.startup"   // JSON
	labelResources = "quixand.resources" // JSON
	labelBoot      = "quixand.boot"      // when it was made, on the boot's clock
	labelIdle      = "quixand.idle"      // ms; negative: none
	labelLifetime  = "quixand.lifetime"  // ms; negative: none
	labelOnTimeout = "quixand.ontimeout"
	labelEnforcers = "quixand.enforcers" // with commas
	labelEphemeral = "quixand.ephemeral" // true or false
	labelUser      = "quixand.user"      // empty: the usual one
	labelSudo      = "quixand.sudo"      // true or false
	labelSnapshot  = "quixand.snapshot"  // name; empty: none
	labelFork      = "quixand.fork"      // id of the sandbox that it is a fork of; empty: none
	labelVersion   = "quixand.version"   // of the library
)

// ContainerName is what the engine calls the container of a sandbox without a
// name of its own.
func ContainerName(id string) string { return "qs-" + id }

// nameSep is in no id and in no name, but may be in a container's.
const nameSep = "."

// nameContainer is what the engine calls the container of a sandbox that people
// call by a name: the engine knows no other property that can be changed.
func nameContainer(id, name string) string {
	if name == "" {
		return ContainerName(id)
	}
	return ContainerName(id) + nameSep + name
}

// nameFrom reads a sandbox's name back. ours is false for a container that is
// not called like one of this sandbox.
func nameFrom(container, id string) (name string, ours bool) {
	rest, ours := strings.CutPrefix(container, ContainerName(id))
	if !ours || rest == "" {
		return "", ours
	}
	name, named := strings.CutPrefix(rest, nameSep)
	if !named || !adapters.ValidName(name) {
		return "", false
	}
	return name, true
}

// labelsFor sets every label, also where there is nothing to say: one that is
// not set would be taken from the image, and an image is anybody's. limits are
// those in force, asked for or not.
func labelsFor(spec *adapters.Spec, limits adapters.Resources, created time.Time, boot bootclock.Mark) (map[string]string, error) {
	metadata, err := json.Marshal(spec.Metadata)
	if err != nil {
		return nil, err
	}
	startup, err := json.Marshal(spec.Startup)
	if err != nil {
		return nil, err
	}
	resources, err := json.Marshal(limits)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		LabelID:        spec.ID,
		LabelRoot:      spec.Root,
		labelImage:     spec.Image,
		labelCreated:   created.UTC().Format(time.RFC3339Nano),
		labelWorkdir:   spec.Workdir,
		labelNetwork:   string(spec.Network),
		labelMetadata:  string(metadata),
		labelStartup:   string(startup),
		labelResources: string(resources),
		labelBoot:      boot.String(),
		labelIdle:      milliseconds(spec.IdleTimeout),
		labelLifetime:  milliseconds(spec.Lifetime),
		labelOnTimeout: string(spec.OnTimeout),
		labelEnforcers: strings.Join(spec.Enforcers, ","),
		labelEphemeral: strconv.FormatBool(spec.Ephemeral),
		labelUser:      spec.User,
		labelSudo:      strconv.FormatBool(spec.Sudo),
		labelSnapshot:  spec.Snapshot,
		labelFork:      spec.Fork,
		labelVersion:   version.String(),
	}, nil
}

func milliseconds(d time.Duration) string {
	if d < 0 {
		return "-1"
	}
	return strconv.FormatInt((d + time.Millisecond - 1).Milliseconds(), 10)
}

// infoFrom reads labels back. It fails on what no adapter can have written.
func infoFrom(labels map[string]string) (*adapters.Info, error) {
	info := &adapters.Info{
		ID:       labels[LabelID],
		Image:    labels[labelImage],
		Workdir:  labels[labelWorkdir],
		Network:  adapters.Network(labels[labelNetwork]),
		Root:     labels[LabelRoot],
		Snapshot: labels[labelSnapshot],
		Fork:     labels[labelFork],
		// What versions before the label made has none, and is nobody's.
		Ephemeral: labels[labelEphemeral] == "true",
		User:      labels[labelUser],
		Sudo:      labels[labelSudo] == "true",
	}
	if !adapters.ValidID(info.ID) {
		return nil, fmt.Errorf("label %s: %q is no id", LabelID, info.ID)
	}
	var err error
	if info.Created, err = time.Parse(time.RFC3339Nano, labels[labelCreated]); err != nil {
		return nil, fmt.Errorf("label %s: %w", labelCreated, err)
	}
	if err := json.Unmarshal([]byte(labels[labelMetadata]), &info.Metadata); err != nil {
		return nil, fmt.Errorf("label %s: %w", labelMetadata, err)
	}
	// Versions before this label started nothing.
	if startup := labels[labelStartup]; startup != "" {
		if err := json.Unmarshal([]byte(startup), &info.Startup); err != nil {
			return nil, fmt.Errorf("label %s: %w", labelStartup, err)
		}
	}
	if err := json.Unmarshal([]byte(labels[labelResources]), &info.Resources); err != nil {
		return nil, fmt.Errorf("label %s: %w", labelResources, err)
	}
	return info, readTime(info, labels)
}

// readTime reads what bounds the sandbox's life. Versions before these labels
// left that to the agent.
func readTime(info *adapters.Info, labels map[string]string) (err error) {
	for label, d := range map[string]*time.Duration{labelIdle: &info.IdleTimeout, labelLifetime: &info.Lifetime} {
		if *d, err = durationOf(labels[label]); err != nil {
			return fmt.Errorf("label %s: %w", label, err)
		}
	}
	info.Enforcers, info.OnTimeout = []string{agentapi.EnforcerAgent}, adapters.TimeoutKill
	made, known := labels[labelBoot]
	if !known {
		info.Age = time.Since(info.Created)
		return nil
	}
	mark, err := bootclock.Parse(made)
	if err != nil {
		return fmt.Errorf("label %s: %w", labelBoot, err)
	}
	info.Age = bootclock.Since(mark)
	info.Enforcers = strings.Split(labels[labelEnforcers], ",")
	info.OnTimeout = adapters.TimeoutAction(labels[labelOnTimeout])
	return nil
}

func durationOf(ms string) (time.Duration, error) {
	n, err := strconv.ParseInt(ms, 10, 64)
	switch {
	case err != nil:
		return 0, err
	case n < 0:
		return adapters.NoTimeout, nil
	case n > math.MaxInt64/int64(time.Millisecond):
		return 0, strconv.ErrRange
	}
	return time.Duration(n) * time.Millisecond, nil
}
