package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/pkg/adapters"
)

// A daemon that cannot mount the agent gets a copy of it in a volume, once. No
// sandbox can write there: each bridge runs the program anew, with powers that
// the sandbox's code must not have.

const (
	volumePrefix = "quixand-agent-"
	// volumeDir is where the volume is in the container that fills it.
	volumeDir  = "/quixand-agent"
	volumeFile = "qs-agent"
)

// deliver sees that the daemon has the agent, and returns the mount of it. The
// image is one that the daemon has.
func (e *engine) deliver(ctx context.Context, conn *connection, image, agent, target string) (mount.Mount, error) {
	name, size, err := identify(agent)
	if err != nil {
		return mount.Mount{}, mapError(err)
	}
	if _, known := e.volumes.Load(name); !known {
		if err := conn.fill(ctx, name, image, agent, size); err != nil {
			return mount.Mount{}, mapError(err)
		}
		e.volumes.Store(name, true)
	}
	return mount.Mount{
		Type: mount.TypeVolume, Source: name, Target: target, ReadOnly: true,
		VolumeOptions: &mount.VolumeOptions{NoCopy: true, Subpath: volumeFile},
	}, nil
}

// identify names the volume of an agent by its content.
func identify(agent string) (name string, size int64, err error) {
	file, err := os.Open(agent)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	sum := sha256.New()
	size, err = io.Copy(sum, file)
	return volumePrefix + hex.EncodeToString(sum.Sum(nil)[:8]), size, err
}

// fill copies the agent into its volume, by way of a container that is never
// started, unless it is there as a whole.
func (c *connection) fill(ctx context.Context, volume, image, agent string, size int64) (err error) {
	made, err := c.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &container.Config{Image: image, Entrypoint: []string{volumeDir + "/" + volumeFile}, Cmd: []string{}},
		HostConfig: &container.HostConfig{
			NetworkMode: "none",
			Mounts:      []mount.Mount{{Type: mount.TypeVolume, Source: volume, Target: volumeDir, VolumeOptions: &mount.VolumeOptions{NoCopy: true}}},
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		_, left := c.ContainerRemove(context.WithoutCancel(ctx), made.ID, client.ContainerRemoveOptions{Force: true})
		if err == nil {
			err = left
		}
	}()
	there, err := c.ContainerStatPath(ctx, made.ID, client.ContainerStatPathOptions{Path: path.Join(volumeDir, volumeFile)})
	if err == nil && there.Stat.Size == size || err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	return c.copyAgent(ctx, made.ID, agent, size)
}

func (c *connection) copyAgent(ctx context.Context, container, agent string, size int64) error {
	file, err := os.Open(agent)
	if err != nil {
		return err
	}
	defer file.Close()
	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(pack(w, file, size)) }()
	_, err = c.CopyToContainer(ctx, container, client.CopyToContainerOptions{DestinationPath: volumeDir, Content: r})
	return err
}

// pack writes the agent as an archive.
func pack(w io.Writer, agent io.Reader, size int64) error {
	archive := tar.NewWriter(w)
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: volumeFile, Mode: 0o555, Size: size}); err != nil {
		return err
	}
	if _, err := io.Copy(archive, agent); err != nil {
		return err
	}
	return archive.Close()
}

// subpaths is the first version of the API that mounts part of a volume.
const subpaths = "1.45"

// checkDelivery refuses a daemon that is too old for it.
func (c *connection) checkDelivery() error {
	if !older(c.ClientVersion(), subpaths) {
		return nil
	}
	return &adapters.Error{
		Adapter: Name, Kind: adapters.ErrUnsupported,
		Err:  fmt.Errorf("the daemon's API %s can share neither a directory nor part of a volume", c.ClientVersion()),
		Hint: "use Docker 26 or newer",
	}
}

// older compares versions of the API.
func older(a, b string) bool {
	var aMajor, aMinor, bMajor, bMinor int
	_, _ = fmt.Sscanf(a, "%d.%d", &aMajor, &aMinor)
	_, _ = fmt.Sscanf(b, "%d.%d", &bMajor, &bMinor)
	return aMajor < bMajor || aMajor == bMajor && aMinor < bMinor
}
