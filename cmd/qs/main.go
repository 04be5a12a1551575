// Command qs runs untrusted code in sandboxes on this machine.
package main

import (
	"os"

	"github.com/quixand/quixand/internal/cli"
	_ "github.com/quixand/quixand/pkg/adapters/podman"
)

func main() {
	os.Exit(cli.New().Main(os.Args[1:]))
}
