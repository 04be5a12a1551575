package quixand_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

// detached starts a script that outlives its client, and leaves it.
func detached(t *testing.T, sb *quixand.Sandbox, script string) *quixand.Process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := sb.Command("sh", "-c", script)
	cmd.Detach, cmd.OpenStdin = true, true
	must(t, cmd.Start(ctx))
	return cmd.Process
}

// limitedBuffer takes so much, and cancels the attachment at that.
type limitedBuffer struct {
	mu    sync.Mutex
	data  []byte
	limit int
	full  context.CancelFunc
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	if len(b.data) >= b.limit {
		b.full()
	}
	return len(p), nil
}

// TestAttachIsExact leaves and comes back at any moment, in both of the ways
// to leave, and puts together what was written, byte by byte.
func TestAttachIsExact(t *testing.T) {
	sb := newSandbox(t)
	p := detached(t, sb, "read x; i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 7")
	must(t, p.WriteStdin(t.Context(), []byte("go\n")))
	var got []byte
	var offset int64
	ref := quixand.ProcessRef{PID: p.PID}
	for round := 0; ; round++ {
		ctx, cancel := context.WithCancel(t.Context())
		out := &limitedBuffer{limit: 1 + rand.IntN(30_000), full: cancel}
		attachCtx, waitCtx := ctx, t.Context()
		if round%2 == 0 {
			attachCtx, waitCtx = t.Context(), ctx
		}
		a, err := sb.Attach(attachCtx, ref, &quixand.AttachOptions{Offset: offset, Stdout: out})
		if err != nil {
			cancel()
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			continue
		}
		res, err := a.Wait(waitCtx)
		cancel()
		got = append(got, out.data...)
		if offset = a.Offset(); offset != int64(len(got)) {
			t.Fatalf("offset %d behind %d bytes", offset, len(got))
		}
		if err == nil {
			if res.ExitCode != 7 {
				t.Errorf("%+v", res)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	var want bytes.Buffer
	for i := range 20000 {
		want.WriteString("line ")
		want.WriteString(itoa(i))
		want.WriteByte('\n')
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes came, %d were written", len(got), want.Len())
	}
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + string(rune('0'+i%10))
}

// TestAttachSeveral gives everyone who is attached everything.
func TestAttachSeveral(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	p := detached(t, sb, "read x; echo out; echo err >&2")
	type output struct{ stdout, stderr bytes.Buffer }
	outputs := make([]output, 3)
	var attached []*quixand.Process
	for i := range outputs {
		a, err := sb.Attach(ctx, quixand.ProcessRef{PID: p.PID}, &quixand.AttachOptions{
			Offset: []int64{0, quixand.FromNow, 0}[i], Stdout: &outputs[i].stdout, Stderr: &outputs[i].stderr,
		})
		must(t, err)
		attached = append(attached, a)
	}
	must(t, attached[0].WriteStdin(ctx, []byte("go\n")))
	for i, a := range attached {
		res, err := a.Wait(ctx)
		if err != nil || !res.Success() {
			t.Errorf("%d: %+v, %v", i, res, err)
		}
		if outputs[i].stdout.String() != "out\n" || outputs[i].stderr.String() != "err\n" || a.Offset() != 8 {
			t.Errorf("%d: %q, %q, %d", i, outputs[i].stdout.String(), outputs[i].stderr.String(), a.Offset())
		}
	}
}

// TestOutputLost attaches to a process that has written more than is kept.
func TestOutputLost(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	const size = 8 << 20
	p := detached(t, sb, "read x; head -c 8388608 /dev/zero; echo end; exit 3")
	must(t, p.WriteStdin(ctx, []byte("go\n")))
	end, err := sb.Attach(ctx, quixand.ProcessRef{PID: p.PID}, nil)
	must(t, err)
	_, err = end.Wait(ctx)
	if lost, ok := errors.AsType[*quixand.OutputLostError](err); err != nil && !ok {
		t.Fatalf("%v, %v", lost, err)
	}

	var out bytes.Buffer
	a, err := sb.Attach(ctx, quixand.ProcessRef{PID: p.PID}, &quixand.AttachOptions{Offset: 10, Stdout: &out})
	must(t, err)
	res, err := a.Wait(ctx)
	lost, ok := errors.AsType[*quixand.OutputLostError](err)
	if !ok || res == nil || res.ExitCode != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	if lost.Offset != 10 || lost.Offset+lost.Lost+int64(out.Len()) != size+4 || !bytes.HasSuffix(out.Bytes(), []byte("\x00end\n")) {
		t.Errorf("%+v, and %d bytes came", lost, out.Len())
	}
	if a.Offset() != size+4 {
		t.Errorf("offset %d", a.Offset())
	}
}

func TestAttachByTag(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	cmd := sb.Command("cat")
	cmd.OpenStdin, cmd.Tag = true, "the cat"
	must(t, cmd.Start(ctx))
	a, err := sb.Attach(ctx, quixand.ProcessRef{Tag: "the cat"}, nil)
	must(t, err)
	if a.PID != cmd.Process.PID {
		t.Errorf("attached to %d", a.PID)
	}
	must(t, a.CloseStdin(ctx))
	must(t, cmd.Wait())
	_, err = a.Wait(ctx)
	must(t, err)
}

func TestAttachRefusals(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	for name, test := range map[string]struct {
		ref  quixand.ProcessRef
		opts quixand.AttachOptions
		kind error
	}{
		"nothing":         {quixand.ProcessRef{}, quixand.AttachOptions{}, quixand.ErrInvalid},
		"negative":        {quixand.ProcessRef{PID: -1}, quixand.AttachOptions{}, quixand.ErrInvalid},
		"huge":            {quixand.ProcessRef{PID: 1 << 40}, quixand.AttachOptions{}, quixand.ErrInvalid},
		"negative offset": {quixand.ProcessRef{PID: 1}, quixand.AttachOptions{Offset: -2}, quixand.ErrInvalid},
		"not there":       {quixand.ProcessRef{PID: 1<<31 - 1}, quixand.AttachOptions{}, quixand.ErrNotFound},
		"no such tag":     {quixand.ProcessRef{Tag: "x"}, quixand.AttachOptions{}, quixand.ErrNotFound},
	} {
		if _, err := sb.Attach(ctx, test.ref, &test.opts); !errors.Is(err, test.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAttachedLeavesQuietly makes sure that a process does not notice who
// leaves it, however they do.
func TestAttachedLeavesQuietly(t *testing.T) {
	sb := newSandbox(t)
	p := detached(t, sb, "while :; do echo x; sleep 0.01; done")
	broken := errors.New("the writer broke")
	r, w := io.Pipe()
	r.CloseWithError(broken)
	a, err := sb.Attach(t.Context(), quixand.ProcessRef{PID: p.PID}, &quixand.AttachOptions{Stdout: w})
	must(t, err)
	if _, err := a.Wait(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Wait: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	a, err = sb.Attach(ctx, quixand.ProcessRef{PID: p.PID}, nil)
	must(t, err)
	if _, err := a.Wait(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait: %v", err)
	}
	list, err := sb.Processes(t.Context())
	if err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	must(t, p.Kill(t.Context()))
}

func TestWriteStdin(t *testing.T) {
	sb, ctx := newSandbox(t), t.Context()
	cmd := sb.Command("cat")
	cmd.OpenStdin = true
	var out bytes.Buffer
	cmd.Stdout = &out
	must(t, cmd.Start(ctx))
	large := strings.Repeat("0123456789", 50_000)
	must(t, cmd.Process.WriteStdin(ctx, []byte("small ")))
	must(t, cmd.Process.WriteStdin(ctx, nil))
	must(t, cmd.Process.WriteStdin(ctx, []byte(large)))
	must(t, cmd.Process.CloseStdin(ctx))
	must(t, cmd.Wait())
	if out.String() != "small "+large {
		t.Errorf("%d bytes came back", out.Len())
	}
	if err := cmd.Process.WriteStdin(ctx, []byte("late")); err == nil {
		t.Error("a write to a process that has ended")
	}

	deaf := sb.Command("sleep", "60")
	deaf.OpenStdin = true
	must(t, deaf.Start(ctx))
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := deaf.Process.WriteStdin(short, make([]byte, 1<<20)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WriteStdin to the deaf: %v", err)
	}
	must(t, deaf.Process.Kill(ctx))
}
