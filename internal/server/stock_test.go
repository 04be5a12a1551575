package server

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/fake"
	"github.com/quixand/quixand/pkg/quixand"
	"github.com/quixand/quixand/pkg/templates"
)

func TestStockTemplatesThatCannotBeBuiltAreNotWaitedFor(t *testing.T) {
	engine := fake.NewEngine() // which keeps no images
	defer engine.Close()
	client, err := quixand.New(&quixand.Config{Adapter: fake.Name, Registry: engine.Registry(), Root: t.TempDir(), Enforcer: "agent"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var told []string
	s := newStockTemplates(client.Templates(), Stock{Build: true, Tell: func(text string) { told = append(told, text) }})
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := s.await(gone, "base"); !errors.Is(err, quixand.ErrUnavailable) {
		t.Errorf("before: %v", err)
	}
	if err := s.await(gone, "other"); err != nil {
		t.Errorf("another: %v", err)
	}
	s.build(t.Context())
	if err := s.await(gone, "base"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	for _, name := range ownTemplates {
		if state := s.stateOf(name); state != buildFailed {
			t.Errorf("%s: %q", name, state)
		}
	}
	if len(told) != len(ownTemplates) || !strings.Contains(told[0], "template base cannot be built") {
		t.Errorf("told %q", told)
	}
	none := newStockTemplates(client.Templates(), Stock{})
	none.build(t.Context())
	if all := none.all(); len(all) > 0 {
		t.Errorf("nobody asked for %v", all)
	}
}

func TestSandboxesAreAsTheirTemplateSays(t *testing.T) {
	for _, c := range []struct{ workdir, user, wantDir, wantUser string }{
		{"", "", "/home/user", ""},
		{"/", "user", "/home/user", "user"},
		{"/app/../srv/", "node:node", "/srv", "node"},
		{"app", "1000:1000", "/home/user", "1000"},
	} {
		var opts quixand.Options
		startAs(&quixand.Template{Image: "i", Workdir: c.workdir, User: c.user, Labels: map[string]string{templates.LabelSudo: "true"}}, &opts)
		if opts.Template != "i" || opts.Workdir != c.wantDir || opts.User != c.wantUser || !opts.Sudo {
			t.Errorf("%+v: %+v", c, opts)
		}
	}
}
