package docker

import (
	"context"
	"iter"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"github.com/quixand/quixand/pkg/adapters"
)

// Pull fetches an image, its name read as Docker reads it.
func (e *engine) Pull(ctx context.Context, image string, _ adapters.PullPolicy, say func(string)) error {
	auth, err := authFor(image)
	if err != nil {
		return mapError(err)
	}
	conn, err := e.use(ctx)
	if err != nil {
		return err
	}
	answer, err := conn.ImagePull(ctx, image, client.ImagePullOptions{RegistryAuth: auth})
	if err != nil {
		return mapError(err)
	}
	defer answer.Close()
	return mapError(follow(answer.JSONMessages(ctx), say))
}

// follow passes on what the daemon says, but for how far each layer is.
func follow(messages iter.Seq2[jsonstream.Message, error], say func(string)) error {
	for m, err := range messages {
		switch {
		case err != nil:
			return err
		case m.Error != nil:
			return m.Error
		case m.Status == "" || m.Progress != nil && m.Progress.Current != 0:
		case m.ID != "":
			say(m.ID + ": " + m.Status)
		default:
			say(m.Status)
		}
	}
	return nil
}
