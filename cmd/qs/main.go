// Command qs runs untrusted code in sandboxes on this machine.
package main

import (
	"os"

	"github.com/quixand/quixand/internal/cli"
)

func main() {
	os.Exit(cli.New().Main(os.Args[1:]))
}
