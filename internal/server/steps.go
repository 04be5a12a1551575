package server

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/quixand/quixand/pkg/quixand"
	"github.com/quixand/quixand/pkg/templates"
)

// buildRequest is a template as E2B's clients say it.
type buildRequest struct {
	FromImage         string      `json:"fromImage"`
	FromTemplate      string      `json:"fromTemplate"`
	FromImageRegistry *struct{}   `json:"fromImageRegistry"`
	StartCmd          string      `json:"startCmd"`
	ReadyCmd          string      `json:"readyCmd"`
	Force             bool        `json:"force"`
	Steps             []buildStep `json:"steps"`
}

type buildStep struct {
	Type      string   `json:"type"`
	Args      []string `json:"args"`
	FilesHash string   `json:"filesHash"`
}

// copyDir is where in the context the files of a step are.
func copyDir(step int) string { return "step-" + strconv.Itoa(step) }

// recipe says in a Containerfile's words what the steps do. An error names the
// step, which begin at one.
func (req *buildRequest) recipe(from string) (*templates.Builder, error) {
	b := templates.From(from)
	for i, step := range req.Steps {
		if err := step.add(b, i+1); err != nil {
			return nil, &quixand.Error{Kind: quixand.ErrInvalid, Err: fmt.Errorf("step %d, %s: %w", i+1, step.Type, err)}
		}
	}
	if req.StartCmd != "" {
		b.Start(req.StartCmd)
	}
	if req.ReadyCmd != "" {
		b.Ready(templates.ReadyCommand(req.ReadyCmd))
	}
	return b, nil
}

func (s *buildStep) add(b *templates.Builder, number int) error {
	arg := func(i int) string {
		if i < len(s.Args) {
			return s.Args[i]
		}
		return ""
	}
	switch s.Type {
	case "RUN":
		// A login shell, as the commands of a sandbox have.
		b.Exec("/bin/bash", "-l", "-c", arg(0))
	case "COPY":
		source := path.Clean(arg(0))
		if path.IsAbs(source) || source == ".." || strings.HasPrefix(source, "../") {
			return fmt.Errorf("%q leads out of the context", arg(0))
		}
		b.CopyAs(path.Join(copyDir(number), source), arg(1), templates.CopyOptions{Owner: arg(2), Mode: arg(3)})
	case "WORKDIR":
		b.Workdir(arg(0))
	case "USER":
		b.User(arg(0))
	case "ENV", "ARG":
		variables := make(map[string]string)
		for i := 0; i+1 < len(s.Args); i += 2 {
			variables[s.Args[i]] = s.Args[i+1]
		}
		b.Env(variables)
	default:
		return fmt.Errorf("no such instruction")
	}
	return nil
}
