package quixand

import (
	"context"

	"github.com/quixand/quixand/internal/labels"
)

// SetLabels sets some of the sandbox's labels and removes others, or fails and
// changes none; [Sandbox.Status] tells which there are. See [Options.Labels] for what
// they can be.
func (s *Sandbox) SetLabels(ctx context.Context, set map[string]string, remove ...string) error {
	if err := checkLabels(set, remove); err != nil {
		return s.client.wrap("label", s.id, err)
	}
	_, err := s.agent.ChangeLabels(ctx, set, remove)
	return s.wrap(ctx, "label", err)
}

func checkLabels(set map[string]string, remove []string) error {
	if err := labels.Check(set); err != nil {
		return invalid("%v", err)
	}
	for _, key := range remove {
		if err := labels.CheckKey(key); err != nil {
			return invalid("%v", err)
		}
	}
	return nil
}
