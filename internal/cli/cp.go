package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/adapters"
)

func newCpCmd(a *App) *cobra.Command {
	o := &copyOptions{app: a}
	cmd := &cobra.Command{
		Use:   "cp [flags] SRC DST",
		Short: "Copy files between this host and a sandbox",
		Long: `Copy a file or a whole directory between this host and a sandbox, as cp -r does.
One of SRC and DST is ID:PATH. A path of this host that looks like one is written
with a directory: ./ab:c.`,
		Example: `  qs cp data.csv $id:              # to the workdir
  qs cp $id:/etc/os-release .`,
		Args:              nargs(2, 2, "SRC and DST"),
		ValidArgsFunction: a.completeCopy,
		RunE: func(cmd *cobra.Command, args []string) error {
			fromID, from, isFrom := cutID(args[0])
			toID, to, isTo := cutID(args[1])
			switch {
			case isFrom && !isTo:
				o.id, o.remote, o.local = fromID, from, args[1]
				return o.get(cmd.Context())
			case isTo && !isFrom:
				o.id, o.remote, o.local = toID, to, args[0]
				return o.put(cmd.Context())
			}
			return usagef("one of SRC and DST must be ID:PATH, the other a path of this host")
		},
	}
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "do not show the progress")
	return cmd
}

// cutID splits ID:PATH. An empty path is the workdir.
func cutID(s string) (id, path string, ok bool) {
	id, path, ok = strings.Cut(s, ":")
	if !ok || !adapters.ValidID(id) && !adapters.ValidName(id) {
		return "", "", false
	}
	if path == "" {
		path = "."
	}
	return id, path, true
}
