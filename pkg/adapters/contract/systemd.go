package contract

import (
	"os"
	"path/filepath"

	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/internal/statedir"
	"github.com/quixand/quixand/pkg/timeouts"
)

// systemdOf is the enforcer of the adapter's sandboxes of a root.
func systemdOf(adapter, root string) *timeouts.Systemd {
	s, err := timeouts.NewSystemd(timeouts.SystemdConfig{
		Root: root, RootKey: filepath.Base(statedir.Open(root).Path()), Adapter: adapter, Getenv: os.Getenv,
	})
	Expect(err).NotTo(HaveOccurred())
	return s
}

// hasSystemd reports whether a systemd of this user's runs.
func hasSystemd() bool {
	_, err := timeouts.NewSystemd(timeouts.SystemdConfig{Getenv: os.Getenv})
	return err == nil
}
