package buildkit

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quixand/quixand/internal/buildkit/wire"
	"github.com/quixand/quixand/pkg/adapters"
)

func TestProgressTellsStepsAndLines(t *testing.T) {
	var told []adapters.BuildEvent
	p := newProgress(func(e adapters.BuildEvent) { told = append(told, e) })
	now := timestamppb.Now()
	log := func(stream int64, msg string) *wire.StatusResponse {
		return &wire.StatusResponse{Logs: []*wire.Log{{Vertex: "run", Stream: stream, Msg: []byte(msg)}}}
	}
	vertex := func(v *wire.Vertex) *wire.StatusResponse { return &wire.StatusResponse{Vertexes: []*wire.Vertex{v}} }
	for _, s := range []*wire.StatusResponse{
		vertex(&wire.Vertex{Digest: "load", Name: "[internal] load build definition", Started: now}),
		vertex(&wire.Vertex{Digest: "run", Name: "[first 2/3] RUN <<E (a\nb)"}),
		vertex(&wire.Vertex{Digest: "from", Name: "[1/3] FROM x", Started: now, Completed: now, Cached: true}),
		vertex(&wire.Vertex{Digest: "run", Name: "[first 2/3] RUN <<E (a\nb)", Started: now}),
		log(1, "one\ntw"),
		log(2, "other\r\n\n"),
		log(1, "o\nno end"),
		vertex(&wire.Vertex{Digest: "run", Name: "[first 2/3] RUN <<E (a\nb)", Started: now, Completed: now}),
	} {
		p.add(s)
	}
	want := []adapters.BuildEvent{
		{Step: 1, Steps: 3, Instruction: "FROM x"},
		{Step: 1, Steps: 3, Instruction: "FROM x", Cached: true},
		{Step: 2, Steps: 3, Instruction: "RUN <<E (a\nb)"},
		{Output: "one"},
		{Output: "other"},
		{Output: "two"},
		{Output: "no end"},
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

func TestProgressIsBounded(t *testing.T) {
	var lines int
	p := newProgress(func(adapters.BuildEvent) { lines++ })
	for range 100 {
		p.add(&wire.StatusResponse{Logs: []*wire.Log{{Vertex: "run", Msg: []byte(strings.Repeat("x", maxLine))}}})
	}
	v := p.vertex("run")
	if lines != 100 || len(v.last) != lastLines || len(v.rest[0]) >= maxLine {
		t.Errorf("%d lines told, %d kept, %d bytes without an end", lines, len(v.last), len(v.rest[0]))
	}
}
