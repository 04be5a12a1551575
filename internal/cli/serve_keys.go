package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/internal/apikeys"
	"github.com/quixand/quixand/pkg/quixand"
)

func newServeKeysCmd(a *App) *cobra.Command {
	return newGroupCmd(
		"keys", "Make and revoke the keys that let clients in",
		newKeysCreateCmd(a), newKeysListCmd(a), newKeysRevokeCmd(a),
	)
}

// keyJSON is a key in the output of --json. It is a promise: fields may be added
// and none changed.
type keyJSON struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Key     string    `json:"key,omitempty"` // when it is created, and never again
	Created time.Time `json:"created"`

	Sandboxes int      `json:"sandboxes"` // 0: no limit, as all that follow
	Rate      float64  `json:"rate"`
	Timeout   float64  `json:"timeoutSeconds"`
	Lifetime  float64  `json:"lifetimeSeconds"`
	Templates []string `json:"templates"`
}

func newKeyJSON(k apikeys.Key, key string) keyJSON {
	l := k.Limits
	return keyJSON{
		ID: k.ID, Name: k.Name, Key: key, Created: k.Created, Sandboxes: l.Sandboxes, Rate: l.Rate,
		Timeout: l.Timeout.Seconds(), Lifetime: l.Lifetime.Seconds(), Templates: append([]string{}, l.Templates...),
	}
}

// keys are those of the Quixand root that is meant. No engine is touched.
func (a *App) keys() (*apikeys.Store, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	return apikeys.Open(c.Root()), nil
}

func newKeysCreateCmd(a *App) *cobra.Command {
	var limits apikeys.Limits
	cmd := &cobra.Command{
		Use:   "create [flags] [NAME]",
		Short: "Make a key and print it, this once",
		Long: `Make a key and print it, this once: only its hash is kept. A server that runs
knows it at once. What is not limited is limited by the host alone.`,
		Args:              nargs(0, 1, "NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limits.Sandboxes < 0 || !(limits.Rate >= 0) {
				return usagef("a limit must be more than zero")
			}
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return a.createKey(cmd.Context(), name, limits)
		},
	}
	f := cmd.Flags()
	f.IntVar(&limits.Sandboxes, "sandboxes", 0, "most sandboxes at once")
	f.Float64Var(&limits.Rate, "rate", 0, "most calls of the control plane in a second")
	f.Var(durationValue{d: &limits.Timeout}, "timeout", "longest timeout that a sandbox may be given")
	f.Var(durationValue{d: &limits.Lifetime}, "lifetime", "end sandboxes after this time, however often their timeout is moved")
	f.StringSliceVar(&limits.Templates, "template", nil, "template that may be used; repeatable")
	return cmd
}

func (a *App) createKey(ctx context.Context, name string, limits apikeys.Limits) error {
	if name != "" && !validKeyName(name) {
		return usagef("NAME %q has other characters than letters, digits, '-', '_' and '.', or more than 63", name)
	}
	store, err := a.keys()
	if err != nil {
		return err
	}
	key, k, err := store.Create(ctx, name, limits)
	if err != nil {
		return keyError(err)
	}
	if a.global.json {
		return a.printJSON(newKeyJSON(k, key))
	}
	_, err = fmt.Fprintln(a.Stdout, key)
	return err
}

func validKeyName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return len(name) <= 63
}

func newKeysListCmd(a *App) *cobra.Command {
	return &cobra.Command{
		Use:               "list",
		Aliases:           []string{"ls"},
		Short:             "List the keys, by their ids and names",
		Args:              nargs(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			store, err := a.keys()
			if err != nil {
				return err
			}
			all, err := store.All()
			if err != nil {
				return err
			}
			return a.printKeys(all)
		},
	}
}

func (a *App) printKeys(all []apikeys.Key) error {
	if a.global.json {
		out := make([]keyJSON, len(all))
		for i, k := range all {
			out[i] = newKeyJSON(k, "")
		}
		return a.printJSON(out)
	}
	t := a.newTable("ID", "NAME", "CREATED")
	for _, k := range all {
		t.row(k.ID, k.Name, k.Created.Format(time.RFC3339))
	}
	return t.flush()
}

func newKeysRevokeCmd(a *App) *cobra.Command {
	return &cobra.Command{
		Use:               "revoke ID|NAME",
		Short:             "Let a key in no more; its sandboxes live until their timeouts",
		Args:              nargs(1, 1, "ID or NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.keys()
			if err != nil {
				return err
			}
			return keyError(store.Revoke(cmd.Context(), args[0]))
		},
	}
}

// keyError gives the errors of apikeys the kinds that exit codes go by.
func keyError(err error) error {
	kind := map[bool]error{errors.Is(err, apikeys.ErrUnknown): quixand.ErrNotFound, errors.Is(err, apikeys.ErrTaken): quixand.ErrExists}[true]
	if kind == nil {
		return err
	}
	return &quixand.Error{Kind: kind, Err: err, Hint: "see them with: qs serve keys list"}
}
