package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
)

// TestASandboxIsCreatedOnce loses the beginning of a connection's answers, as much
// of it as may be.
func TestASandboxIsCreatedOnce(t *testing.T) {
	w := newWorld(t, false)
	net, at := w.network()
	for _, cut := range []int64{1, 20, 100, 200, 400} {
		net.set(0, cut, cut)
		a := w.adapterAt(at, w.key)
		s := spec()
		s.ID = fmt.Sprintf("cut%d", cut)
		info, err := a.Create(t.Context(), s)
		if err != nil {
			t.Fatalf("after %d bytes: %v", cut, err)
		}
		if n := w.count(a); info.ID != s.ID || n != 1 {
			t.Fatalf("after %d bytes: %s, and there are %d sandboxes", cut, info.ID, n)
		}
		if err := a.Kill(t.Context(), s.ID, adapters.KillOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingIsLeftOfACreation cuts all connections: what the client does not get,
// it does not leave.
func TestNothingIsLeftOfACreation(t *testing.T) {
	w := newWorld(t, false)
	net, at := w.network()
	net.set(0, 1, 1, 1)
	_, err := w.adapterAt(at, w.key).Create(t.Context(), spec())
	if !errors.Is(err, adapters.ErrUnavailable) {
		t.Fatal(err)
	}
	if n := w.count(w.adapterAt(w.http.URL, w.key)); n != 0 {
		t.Fatalf("%d sandboxes are left", n)
	}
}

// TestAnotherCallHasNotCreatedIt tells the retry of a call from another call.
func TestAnotherCallHasNotCreatedIt(t *testing.T) {
	w := newWorld(t, false)
	a := w.adapterAt(w.http.URL, w.key)
	if _, err := a.Create(t.Context(), spec()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Create(t.Context(), spec()); !errors.Is(err, adapters.ErrExists) {
		t.Fatal(err)
	}
}

// TestAKillWhoseAnswerIsLost is none that failed.
func TestAKillWhoseAnswerIsLost(t *testing.T) {
	w := newWorld(t, false)
	if _, err := w.adapterAt(w.http.URL, w.key).Create(t.Context(), spec()); err != nil {
		t.Fatal(err)
	}
	net, at := w.network()
	net.set(0, 5)
	a := w.adapterAt(at, w.key)
	if err := a.Kill(t.Context(), spec().ID, adapters.KillOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Kill(t.Context(), spec().ID, adapters.KillOptions{}); !errors.Is(err, adapters.ErrNotFound) {
		t.Fatal(err)
	}
}

// TestOutputSurvivesItsConnections has commands write more than any of their
// connections carries.
func TestOutputSurvivesItsConnections(t *testing.T) {
	w := newWorld(t, false)
	net, at := w.network()
	a := w.adapterAt(at, w.key)
	sb, err := w.client(a).Create(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i := range 100_000 {
		fmt.Fprintln(&want, i)
	}
	for _, cut := range []int64{70_001, 200_000, 300_000} {
		net.set(cut)
		a.server.close() // the connections of before
		before := net.connections()
		var out bytes.Buffer
		cmd := sb.Command("seq", "0", "99999")
		cmd.Stdout = &out
		if err := cmd.Run(t.Context()); err != nil {
			t.Fatalf("cut after %d bytes: %v", cut, err)
		}
		if out.String() != want.String() {
			t.Fatalf("cut after %d bytes: %d bytes of output, not %d", cut, out.Len(), want.Len())
		}
		if n := net.connections() - before; n < 2 {
			t.Fatalf("%d connections: nothing was cut", n)
		}
	}
}

// TestACommandEndsWithItsClient although its stream may be taken up again.
func TestACommandEndsWithItsClient(t *testing.T) {
	w := newWorld(t, false)
	_, at := w.network()
	a := w.adapterAt(at, w.key)
	sb, err := w.client(a).Create(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := sb.Command("sleep", "1000")
	if err := cmd.Start(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := cmd.Wait(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if all, err := sb.Processes(t.Context()); err != nil || len(all) != 0 {
		t.Fatal(all, err)
	}
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

// TestWhatIsMadeAgain counts how often a server is asked.
func TestWhatIsMadeAgain(t *testing.T) {
	get := func(ctx context.Context, a *Adapter) error { _, err := a.Get(ctx, "a"); return err }
	pause := func(ctx context.Context, a *Adapter) error { return a.Pause(ctx, "a") }
	for name, c := range map[string]struct {
		first http.HandlerFunc
		call  func(context.Context, *Adapter) error
		asked int
		kind  error
	}{
		"too many calls":                {status(429, "Retry-After", "0"), pause, 2, nil},
		"a server that is about to end": {status(503, "Retry-After", "0"), pause, 2, nil},
		"a limit":                       {status(429), pause, 1, adapters.ErrExhausted},
		"too long a pause":              {status(429, "Retry-After", "3600"), pause, 1, adapters.ErrExhausted},
		"a fault":                       {status(500), get, 1, adapters.ErrInternal},
		"a question to a gateway":       {status(502), get, 2, nil},
		"an order to a gateway":         {status(502), pause, 1, adapters.ErrUnavailable},
		"a redirection":                 {status(302, "Location", "http://elsewhere/"), get, 1, adapters.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, asked := answers(t, c.first, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", jsonType)
				fmt.Fprint(w, `{"id":"a"}`)
			})
			err := c.call(t.Context(), a)
			if !errors.Is(err, c.kind) || (err == nil) != (c.kind == nil) || asked() != c.asked {
				t.Errorf("asked %d times: %v", asked(), err)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{"3": 3 * time.Second, "Mon, 02 Jan 2006 15:04:05 GMT": 0} {
		if got, ok := retryAfter(http.Header{"Retry-After": {text}}); got != want || !ok {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-1", "soon", "99999999999"} {
		if got, ok := retryAfter(http.Header{"Retry-After": {text}}); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}
