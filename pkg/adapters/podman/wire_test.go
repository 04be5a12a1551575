//go:build containers_image_openpgp

package podman

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/blang/semver/v4"
	"github.com/containers/podman/v5/pkg/bindings/containers"
	"github.com/containers/podman/v5/pkg/specgen"

	"github.com/quixand/quixand/pkg/adapters"
)

// Every field that is sent exists in podman's own type and means something
// there. An engine ignores what it does not know, so a misspelt field would
// be a wish that nobody hears. The build tag is what podman's package needs.
func TestWireIsPodmans(t *testing.T) {
	spec := example()
	spec.Ports = []adapters.PortMapping{{Port: 80, HostPort: 8080}}
	spec.Resources = adapters.Resources{MemoryBytes: 1 << 30, CPUs: 1.5, PIDs: 100}
	text, err := json.Marshal(specFor(spec, semver.MustParse("5.8.6")))
	if err != nil {
		t.Fatal(err)
	}
	var read specgen.SpecGenerator
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		t.Fatalf("podman does not know: %v", err)
	}
	again, err := json.Marshal(&read)
	if err != nil {
		t.Fatal(err)
	}
	var want, got map[string]any
	if json.Unmarshal(text, &want) != nil || json.Unmarshal(again, &got) != nil {
		t.Fatal("no objects")
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("podman forgets %s", name)
		}
	}
	for _, mode := range []string{read.NetNS.String(), read.PidNS.String(), read.UserNS.String()} {
		if mode == "" {
			t.Error("a namespace has no mode")
		}
	}
}

// What a commit is asked for is what podman's own client would say.
func TestCommitIsPodmans(t *testing.T) {
	query := commitQuery{repo: "localhost/x", tag: "y", pause: true}
	options := new(containers.CommitOptions).WithRepo(query.repo).WithTag(query.tag).WithPause(query.pause)
	want, err := options.ToParams()
	if err != nil {
		t.Fatal(err)
	}
	want.Set("container", "abc") // which podman's client adds by hand, too
	if got := query.values("abc"); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, podman's is %v", got, want)
	}
}
