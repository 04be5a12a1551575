// Command qs runs untrusted code in sandboxes on this machine.
package main

import (
	"os"
	"runtime/debug"

	"github.com/quixand/quixand/internal/cli"
	_ "github.com/quixand/quixand/pkg/adapters/docker"
	_ "github.com/quixand/quixand/pkg/adapters/podman"
	_ "github.com/quixand/quixand/pkg/adapters/remote"
)

func main() {
	if os.Getenv("GOTRACEBACK") == "" {
		debug.SetTraceback("none") // a user has no use for one
	}
	os.Exit(cli.New().Main(os.Args[1:]))
}
