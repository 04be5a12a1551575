package cli

import (
	"context"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

const filesHelp = `Work on the files of a sandbox.

Relative paths begin at the sandbox's workdir (/workspace), ~ is the user's
home.`

func newFilesCmd(a *App) *cobra.Command {
	cmd := newGroupCmd(
		"files", "List, copy and change files of a sandbox",
		newFilesListCmd(a),
		newFilesStatCmd(a),
		newFilesCatCmd(a),
		newFilesWriteCmd(a),
		newFilesPutCmd(a),
		newFilesGetCmd(a),
		newFilesMkdirCmd(a),
		newFilesMoveCmd(a),
		newFilesRemoveCmd(a),
	)
	cmd.Long = filesHelp
	return cmd
}

// files gives a verb the files of a sandbox.
func (a *App) files(ctx context.Context, id string) (*quixand.Files, error) {
	sb, err := a.connect(ctx, id)
	if err != nil {
		return nil, err
	}
	return sb.Files, nil
}

// entryJSON is a file in the output of --json.
type entryJSON struct {
	Name     string    `json:"name"`
	Path     string    `json:"path"`
	Type     string    `json:"type"` // file, directory, symlink or other
	Size     int64     `json:"size"`
	Mode     string    `json:"mode"` // as ls -l shows it
	Owner    string    `json:"owner"`
	Group    string    `json:"group"`
	Modified time.Time `json:"modified"`
	Target   string    `json:"target,omitempty"`
}

func newEntryJSON(e *quixand.Entry) entryJSON {
	return entryJSON{
		Name: e.Name, Path: e.Path, Type: typeOf(e.Mode), Size: e.Size, Mode: modeOf(e.Mode),
		Owner: e.Owner, Group: e.Group, Modified: e.Modified.UTC(), Target: e.Target,
	}
}

func typeOf(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "file"
	case m.IsDir():
		return "directory"
	case m&fs.ModeSymlink != 0:
		return "symlink"
	}
	return "other"
}
