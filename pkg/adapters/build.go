package adapters

import (
	"context"
	"io"
)

// ImageBuilder is implemented by adapters whose engine builds images.
type ImageBuilder interface {
	// BuildImage builds what the spec says and returns the image's id. It is
	// one step to its caller: after an error, or when ctx ends, no image has
	// the tag and no container of the build is left. A failing instruction is
	// a [*BuildError].
	BuildImage(ctx context.Context, spec *BuildSpec) (id string, err error)
}

// BuildSpec is everything an engine needs to build an image.
type BuildSpec struct {
	Context  io.Reader         // a tar stream: recipe, secrets, files; never nil
	Recipe   string            // the name of the recipe in it; never empty
	Hidden   []string          // patterns of names in it that COPY must not see
	Tag      string            // never empty
	Args     map[string]string // build arguments
	Labels   map[string]string
	Target   string            // stage, or empty for the last
	Platform string            // os/arch, or empty for the engine's own
	Secrets  map[string]string // id of RUN --mount=type=secret: name in Context
	NoCache  bool
	Pull     PullPolicy       // of base images; never empty
	Progress func(BuildEvent) // called by one goroutine; never nil
}

// BuildEvent is something that happens during a build.
type BuildEvent struct {
	// Step of Steps has begun, with this instruction; zero for a line of
	// output.
	Step        int    `json:"step,omitempty"`
	Steps       int    `json:"steps,omitempty"`
	Instruction string `json:"instruction,omitempty"`
	// Cached says that the step's result was there.
	Cached bool   `json:"cached,omitempty"`
	Output string `json:"output,omitempty"` // one line
}

// BuildError is an instruction that failed.
type BuildError struct {
	Instruction string   // as the recipe has it
	Line        int      // of the recipe, or zero where the engine does not tell
	Output      []string // its last lines
	Err         error    // the engine's words
}

func (e *BuildError) Error() string {
	if e.Instruction == "" {
		return e.Err.Error()
	}
	return e.Instruction + ": " + e.Err.Error()
}

func (e *BuildError) Unwrap() error { return e.Err }
