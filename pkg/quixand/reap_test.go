package quixand

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/bootclock"
	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/timeouts"
)

// stage is a host with one sandbox, of which a test says how it is.
type stage struct {
	adapters.Adapter // of which the look needs a few methods only

	info   *Info
	engine error                                       // that Get fails with
	agent  func(path string) (*agentapi.Status, error) // what the agent answers

	did   []string
	after time.Duration
	note  timeouts.Note
}

func (s *stage) Get(context.Context, string) (*Info, error) { return s.info, s.engine }

func (s *stage) Kill(_ context.Context, _ string, o adapters.KillOptions) error {
	s.did = append(s.did, "kill: "+string(o.Reason))
	return nil
}

func (s *stage) Pause(context.Context, string) error {
	s.did = append(s.did, "pause")
	return nil
}

func (s *stage) Resume(context.Context, string) error { return nil }

func (s *stage) Transport(context.Context, string, int) (http.RoundTripper, error) { return s, nil }

func (s *stage) RoundTrip(r *http.Request) (*http.Response, error) {
	status, err := s.agent(r.URL.Path)
	if err != nil {
		return nil, err
	}
	status.ID, status.Home, status.Workdir = "abc", "/", "/"
	body, err := json.Marshal(status)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: io.NopCloser(bytes.NewReader(body))}, err
}

func (s *stage) Name() string { return timeouts.ProcessName }

func (s *stage) Arm(_ context.Context, _ string, after time.Duration, note timeouts.Note) error {
	s.did, s.after, s.note = append(s.did, "arm"), after, note
	return nil
}

func (s *stage) Disarm(context.Context, string) error {
	s.did = append(s.did, "disarm")
	return nil
}

func (s *stage) Armed(context.Context) ([]string, error) { return nil, nil }
func (s *stage) Close()                                  {}

// host is the same stage as an enforcer, whose Close differs from an adapter's.
type host struct{ *stage }

var _ timeouts.Enforcer = host{}

// play sets a stage: a sandbox that is idle for its minute, and as old as that.
func play() (*stage, *Client) {
	s := &stage{info: &Info{
		ID: "abc", State: adapters.StateRunning, Age: time.Hour,
		IdleTimeout: time.Minute, Lifetime: NoTimeout, OnTimeout: TimeoutKill, Enforcers: []string{timeouts.ProcessName},
	}}
	s.agent = func(path string) (*agentapi.Status, error) {
		idle := agentapi.Duration(time.Minute)
		return &agentapi.Status{IdleTimeout: idle, IdleFor: idle, Expired: path == agentapi.PathExpire}, nil
	}
	c := &Client{cfg: Config{Logger: hclog.NewNullLogger()}, adapter: stageAdapter{s}}
	c.enforcement = func() (*enforcement, error) {
		return &enforcement{names: []string{timeouts.ProcessName}, hosts: []timeouts.Enforcer{host{s}}}, nil
	}
	return s, c
}

// stageAdapter is the stage as an adapter.
type stageAdapter struct{ *stage }

func (stageAdapter) Close() error { return nil }

func TestLook(t *testing.T) {
	silent := func(string) (*agentapi.Status, error) { return nil, io.ErrUnexpectedEOF }
	for _, c := range []struct {
		name  string
		set   func(*stage)
		note  timeouts.Note
		did   []string
		after time.Duration
	}{
		{"idle", func(*stage) {}, timeouts.Note{}, []string{"kill: idle", "disarm"}, 0},
		{"in use again since it was asked", func(s *stage) {
			first := s.agent
			s.agent = func(path string) (*agentapi.Status, error) {
				if path == agentapi.PathExpire {
					return &agentapi.Status{IdleTimeout: agentapi.Duration(time.Minute)}, nil
				}
				return first(path)
			}
		}, timeouts.Note{}, []string{"arm"}, time.Minute},
		{"ends while it is asked to", func(s *stage) {
			first := s.agent
			s.agent = func(path string) (*agentapi.Status, error) {
				if path == agentapi.PathExpire {
					return nil, io.ErrUnexpectedEOF
				}
				return first(path)
			}
		}, timeouts.Note{}, []string{"arm"}, agentPatience},
		{"to be paused", func(s *stage) { s.info.OnTimeout, s.info.Lifetime = TimeoutPause, 2*time.Hour }, timeouts.Note{}, []string{"pause", "arm"}, time.Minute},
		{"paused", func(s *stage) { s.info.State = adapters.StatePaused }, timeouts.Note{}, []string{"arm"}, time.Minute},
		{"at the end of its lifetime", func(s *stage) {
			s.info.Lifetime = time.Hour
			s.agent = func(string) (*agentapi.Status, error) { panic("nobody needs to ask") }
		}, timeouts.Note{}, []string{"kill: lifetime", "disarm"}, 0},
		{"silent", func(s *stage) { s.agent = silent }, timeouts.Note{}, []string{"arm"}, time.Minute},
		{"silent, with a timeout of later", func(s *stage) { s.agent = silent }, timeouts.Note{Idle: time.Hour}, []string{"arm"}, time.Hour},
		{"silent for too long", func(s *stage) { s.agent = silent }, timeouts.Note{SilentSince: bootclock.Now().At - time.Hour}, []string{"kill: idle", "disarm"}, 0},
		{"gone", func(s *stage) { s.engine = &Error{Kind: ErrNotFound} }, timeouts.Note{}, []string{"disarm"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, client := play()
			c.set(s)
			if _, err := client.look(t.Context(), "abc", c.note, "test"); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.did, c.did) || s.after != c.after {
				t.Errorf("did %q after %v, want %q after %v", s.did, s.after, c.did, c.after)
			}
		})
	}
}

func TestLookNotesSilence(t *testing.T) {
	s, c := play()
	s.agent = func(string) (*agentapi.Status, error) { return nil, io.ErrUnexpectedEOF }
	for range 2 {
		before := s.note.SilentSince
		if _, err := c.look(t.Context(), "abc", s.note, "test"); err != nil {
			t.Fatal(err)
		}
		if s.note.SilentSince == 0 || before != 0 && before != s.note.SilentSince {
			t.Errorf("silent since %v, noted as %v", before, s.note.SilentSince)
		}
	}
	s.agent = func(string) (*agentapi.Status, error) { return &agentapi.Status{IdleTimeout: 5e9}, nil }
	if _, err := c.look(t.Context(), "abc", s.note, "test"); err != nil {
		t.Fatal(err)
	}
	if s.note != (timeouts.Note{Idle: 5 * time.Second}) {
		t.Errorf("noted of an agent that answers: %+v", s.note)
	}
}

func TestLookComesAgainWhenTheEngineDoesNotAnswer(t *testing.T) {
	s, c := play()
	s.engine = &Error{Kind: ErrUnavailable}
	if _, err := c.look(t.Context(), "abc", timeouts.Note{}, "test"); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	if !slices.Equal(s.did, []string{"arm"}) || s.after != retryAfter {
		t.Errorf("did %q after %v", s.did, s.after)
	}
}

func TestFindQS(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, err := findQS(""); !errors.Is(err, ErrUnsupported) {
		t.Errorf("found %q, %v", path, err)
	}
	if path, err := findQS("/bin/sh"); path != "/bin/sh" || err != nil {
		t.Errorf("found %q, %v", path, err)
	}
	if _, err := findQS("/no/such/qs"); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
}
