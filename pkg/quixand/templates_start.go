package quixand

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/templates"
)

const (
	// startTag names the process of a template's start command.
	startTag = "start"
	// readyEvery is how often a condition is asked for that nobody reports.
	readyEvery = 50 * time.Millisecond
	// lastOutput bounds what is told of a start command that failed.
	lastOutput = 2 << 10
)

// startupOf is what a template wants done in each of its sandboxes, and in copies
// of them, also when the template is gone: some of its labels.
func startupOf(t *Template) map[string]string {
	startup := make(map[string]string)
	for _, label := range []string{
		templates.LabelStart, templates.LabelReadyCommand, templates.LabelReadyPort, templates.LabelReadyURL, templates.LabelReadyFile,
	} {
		if value := t.Labels[label]; value != "" {
			startup[label] = value
		}
	}
	return startup
}

// startup is the doing of it in one sandbox.
type startup struct {
	sb     *Sandbox
	labels map[string]string
	failed chan error // the start command has ended badly
	watch  sync.WaitGroup
}

// start runs the template's start command, if it has one, and returns when the
// sandbox is ready. The budget is that of the phase.
func (s *Sandbox) start(ctx context.Context, labels map[string]string, budget time.Duration) error {
	st := &startup{sb: s, labels: labels, failed: make(chan error, 1)}
	exceeded := &Error{Kind: ErrTimeout, Phase: adapters.PhaseReady, Err: fmt.Errorf("the template is not ready after %v", budget)}
	bounded, cancel := context.WithTimeoutCause(ctx, budget, exceeded)
	err := st.run(bounded)
	cancel()
	st.watch.Wait()
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(bounded), exceeded) {
		return exceeded
	}
	return err
}

func (st *startup) run(ctx context.Context) error {
	if command := st.labels[templates.LabelStart]; command != "" {
		if err := st.launch(ctx, command); err != nil {
			return err
		}
	}
	for label, check := range map[string]func(context.Context, string) (bool, error){
		templates.LabelReadyCommand: st.commandSucceeds,
		templates.LabelReadyPort:    st.portListens,
		templates.LabelReadyURL:     st.urlAnswers,
		templates.LabelReadyFile:    st.sb.Files.Exists,
	} {
		if value := st.labels[label]; value != "" {
			if err := st.await(ctx, value, check); err != nil {
				return err
			}
		}
	}
	return nil
}

// launch starts the command. It lives on without this process; what is watched
// is only whether it fails before the sandbox is ready.
func (st *startup) launch(ctx context.Context, command string) error {
	cmd := st.sb.Command("/bin/sh", "-c", command)
	cmd.Detach, cmd.Tag = true, startTag
	if err := cmd.Start(ctx); err != nil {
		return err
	}
	st.watch.Go(func() {
		var last tailWriter
		p, err := st.sb.Attach(ctx, ProcessRef{PID: cmd.Process.PID}, &AttachOptions{Stdout: &last, Stderr: &last})
		if err != nil {
			return
		}
		if res, err := p.Wait(ctx); err == nil && res.ExitCode != 0 {
			st.failed <- &Error{Kind: ErrInvalid, Phase: adapters.PhaseReady, Err: fmt.Errorf("the start command has ended with %d: %s", res.ExitCode, &last)}
		}
	})
	return nil
}

// tailWriter keeps the end of what is written.
type tailWriter struct{ text []byte }

func (w *tailWriter) Write(p []byte) (int, error) {
	w.text = append(w.text, p...)
	w.text = w.text[max(0, len(w.text)-lastOutput):]
	return len(p), nil
}

func (w *tailWriter) String() string {
	return strings.Join(strings.FieldsFunc(string(w.text), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// await asks until the condition is true. Nothing inside reports when that is.
func (st *startup) await(ctx context.Context, value string, check func(context.Context, string) (bool, error)) error {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if ready, err := check(ctx, value); ready || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case err := <-st.failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (st *startup) commandSucceeds(ctx context.Context, command string) (bool, error) {
	res, err := st.sb.Shell(ctx, command)
	return err == nil && res.ExitCode == 0, err
}

func (st *startup) portListens(ctx context.Context, port string) (bool, error) {
	number, err := strconv.Atoi(port)
	if err != nil {
		return false, invalid("label %s: %q is no port", templates.LabelReadyPort, port)
	}
	conn, err := st.sb.DialContext(ctx, "tcp", fmt.Sprintf("localhost:%d", number))
	if err != nil {
		return false, unlessRefused(err)
	}
	return true, conn.Close()
}

// unlessRefused is nil for a port that nobody listens on yet.
func unlessRefused(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return nil
	}
	return err
}

func (st *startup) urlAnswers(ctx context.Context, address string) (bool, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return false, invalid("label %s: %q is no URL of HTTP", templates.LabelReadyURL, address)
	}
	port := 80
	if text := u.Port(); text != "" {
		if port, err = strconv.Atoi(text); err != nil {
			return false, invalid("label %s: %q has no port", templates.LabelReadyURL, address)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false, invalid("label %s: %v", templates.LabelReadyURL, err)
	}
	req.Close = true // nobody asks this way again
	res, err := st.sb.Transport(port).RoundTrip(req)
	if err != nil {
		return false, nil // it does not answer yet, however that shows
	}
	defer res.Body.Close()
	return res.StatusCode < http.StatusBadRequest, nil
}
