package templates

import (
	"errors"
	"strconv"
)

// Labels that tell the agent what to start with a sandbox, and when it is ready.
// A Dockerfile may set them itself.
const (
	LabelStart        = "quixand.start"         // a shell command
	LabelReadyCommand = "quixand.ready.command" // ready when it exits with 0
	LabelReadyPort    = "quixand.ready.port"    // ready when something listens
	LabelReadyURL     = "quixand.ready.url"     // ready when it answers with a status below 400
	LabelReadyFile    = "quixand.ready.file"    // ready when it exists
)

// LabelSudo, set to true, says that sandboxes of the template are to have sudo.
// It is a wish: `qs serve` grants it, and other callers ask for sudo themselves.
const LabelSudo = "quixand.template.sudo"

// Ready says when a sandbox is ready for use.
type Ready struct{ label, value string }

// ReadyCommand is ready when a shell command inside exits with 0.
func ReadyCommand(command string) Ready { return Ready{LabelReadyCommand, command} }

// ReadyPort is ready when a process inside listens on a TCP port.
func ReadyPort(port int) Ready { return Ready{LabelReadyPort, strconv.Itoa(port)} }

// ReadyURL is ready when an HTTP server inside answers a GET with a status
// below 400.
func ReadyURL(url string) Ready { return Ready{LabelReadyURL, url} }

// ReadyFile is ready when a file exists.
func ReadyFile(path string) Ready { return Ready{LabelReadyFile, path} }

// Start runs a shell command in every sandbox, in the background, from its
// creation on. The creation takes until all of ready are true. Forks, and what
// starts from snapshots, run it again: processes are not copied.
func (b *Builder) Start(command string, ready ...Ready) *Builder {
	if command == "" {
		return b.fail(errors.New("an empty start command"))
	}
	b.Label(map[string]string{LabelStart: command})
	return b.Ready(ready...)
}

// Ready makes the creation of a sandbox wait.
func (b *Builder) Ready(ready ...Ready) *Builder {
	for _, r := range ready {
		if r.value == "" || r.label == "" {
			return b.fail(errors.New("an empty condition to be ready"))
		}
		b.Label(map[string]string{r.label: r.value})
	}
	return b
}
