package buildkit

import (
	"bytes"
	"regexp"
	"strconv"

	"github.com/quixand/quixand/internal/buildkit/wire"
	"github.com/quixand/quixand/pkg/adapters"
)

const (
	// lastLines of an instruction's output are kept for the case that it fails.
	lastLines = 20
	// maxLine bounds what is kept of a line without an end.
	maxLine = 64 << 10
)

// progress makes events of what BuildKit tells of its vertexes, which are the
// instructions of the recipe, and more.
type progress struct {
	tell     func(adapters.BuildEvent)
	vertexes map[string]*vertex // by digest
}

type vertex struct {
	step          adapters.BuildEvent // or zero: it is none of the recipe's
	begun, cached bool
	rest          map[int64][]byte // a line of each stream that has no end yet
	last          []string
}

func newProgress(tell func(adapters.BuildEvent)) *progress {
	return &progress{tell: tell, vertexes: make(map[string]*vertex)}
}

func (p *progress) vertex(digest string) *vertex {
	v := p.vertexes[digest]
	if v == nil {
		v = &vertex{rest: make(map[int64][]byte)}
		p.vertexes[digest] = v
	}
	return v
}

// stepName is what a vertex is called that is an instruction: the stage, where
// there are several, its number and text.
var stepName = regexp.MustCompile(`(?s)^\[(?:\S+ )?(\d+)/(\d+)\] (.*)$`)

func (p *progress) add(status *wire.StatusResponse) {
	for _, told := range status.GetVertexes() {
		p.addVertex(told)
	}
	for _, log := range status.GetLogs() {
		p.addOutput(p.vertex(log.GetVertex()), log)
	}
	for _, told := range status.GetVertexes() {
		if told.GetCompleted() != nil {
			p.flush(p.vertex(told.GetDigest()))
		}
	}
}

func (p *progress) addVertex(told *wire.Vertex) {
	v := p.vertex(told.GetDigest())
	if m := stepName.FindStringSubmatch(told.GetName()); m != nil {
		v.step.Step, _ = strconv.Atoi(m[1])
		v.step.Steps, _ = strconv.Atoi(m[2])
		v.step.Instruction = m[3]
	}
	if v.step.Step == 0 || told.GetStarted() == nil {
		return
	}
	if !v.begun {
		v.begun = true
		p.tell(v.step)
	}
	if told.GetCached() && !v.cached {
		v.cached = true
		cached := v.step
		cached.Cached = true
		p.tell(cached)
	}
}

// addOutput tells the lines that have come to their end.
func (p *progress) addOutput(v *vertex, log *wire.Log) {
	rest := append(v.rest[log.GetStream()], log.GetMsg()...)
	for {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok && len(rest) < maxLine {
			break
		}
		p.line(v, line)
		rest = after
	}
	v.rest[log.GetStream()] = rest
}

// flush tells the lines that will have no end.
func (p *progress) flush(v *vertex) {
	for stream, rest := range v.rest {
		p.line(v, rest)
		delete(v.rest, stream)
	}
}

func (p *progress) line(v *vertex, text []byte) {
	line := string(bytes.TrimRight(text, "\r"))
	if line == "" {
		return
	}
	v.last = append(v.last, line)
	v.last = v.last[max(0, len(v.last)-lastLines):]
	p.tell(adapters.BuildEvent{Output: line})
}
