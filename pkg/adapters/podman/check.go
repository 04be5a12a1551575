package podman

import (
	"context"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/bindings/system"

	"github.com/quixand/quixand/pkg/adapters"
)

// engineControllers asks the engine for the cgroup controllers that it sees.
func engineControllers(ctx context.Context) ([]string, error) {
	info, err := system.Info(ctx, nil)
	if err != nil {
		return nil, err
	}
	return info.Host.CgroupControllers, nil
}

func (a *Adapter) Check(ctx context.Context) []adapters.Check { _ = define.Info{}; return nil }
