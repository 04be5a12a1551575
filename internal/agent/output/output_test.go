package output

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
)

// piece is what one Peek gave.
type piece struct {
	stream Stream
	text   string
}

// drain reads everything that is there now.
func drain(s *Subscription) (pieces []piece, eof bool) {
	for {
		stream, p, eof := s.Peek(Limit)
		if len(p) == 0 {
			return pieces, eof
		}
		pieces = append(pieces, piece{stream, string(p)})
		s.Advance(len(p))
	}
}

func join(pieces []piece) string {
	var b bytes.Buffer
	for _, p := range pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

func TestStreamsKeepTheirOrder(t *testing.T) {
	r := NewRing(NewBudget(Limit))
	s := r.Subscribe(0)
	r.Write(Stdout, []byte("a"))
	r.Write(Stdout, []byte("b"))
	r.Write(Stderr, []byte("c"))
	r.Write(Stdout, []byte("d"))
	r.Close()
	got, eof := drain(s)
	want := []piece{{Stdout, "ab"}, {Stderr, "c"}, {Stdout, "d"}}
	if fmt.Sprint(got) != fmt.Sprint(want) || !eof {
		t.Errorf("got %v, eof %v", got, eof)
	}
}

func TestReplayFromOffset(t *testing.T) {
	r := NewRing(NewBudget(Limit))
	r.Write(Stdout, []byte("hello "))
	r.Write(Stderr, []byte("world"))
	for offset, want := range map[int64]string{0: "hello world", 3: "lo world", 8: "rld", 11: "", 99: "", -1: ""} {
		s := r.Subscribe(offset)
		if got, _ := drain(s); join(got) != want {
			t.Errorf("from %d: %q, want %q", offset, join(got), want)
		}
		s.Close()
	}
}

func TestUnattendedOutputNeverBlocksAndIsBounded(t *testing.T) {
	b := NewBudget(64 << 20)
	r := NewRing(b)
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	for range 1024 {
		r.Write(Stdout, chunk)
	}
	if b.Used() != Limit {
		t.Errorf("%d bytes used", b.Used())
	}
	s := r.Subscribe(0)
	if want := int64(1024*len(chunk) - Limit); s.Offset() != want {
		t.Errorf("replay begins at %d, want %d", s.Offset(), want)
	}
	if got, _ := drain(s); len(join(got)) != Limit {
		t.Errorf("replayed %d bytes", len(join(got)))
	}
}

func TestChangingStreamsIsBounded(t *testing.T) {
	r := NewRing(NewBudget(Limit))
	for range 4 * maxSegments {
		r.Write(Stdout, []byte{'o'})
		r.Write(Stderr, []byte{'e'})
	}
	if len(r.segs) > maxSegments || cap(r.segs) > 4*maxSegments {
		t.Errorf("%d segments, room for %d", len(r.segs), cap(r.segs))
	}
	got, _ := drain(r.Subscribe(0))
	if len(got) != maxSegments || got[0].stream == got[1].stream {
		t.Errorf("replayed %d pieces", len(got))
	}
}

func TestWriterWaitsForTheSlowestReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRing(NewBudget(64 << 20))
		fast, slow := r.Subscribe(0), r.Subscribe(0)
		written := 0
		go func() {
			for range 3 {
				r.Write(Stdout, make([]byte, Limit))
				written++
			}
			r.Close()
		}()
		synctest.Wait()
		drain(fast)
		synctest.Wait()
		if written != 1 {
			t.Fatalf("%d writes returned while a reader was behind", written)
		}
		slow.Close()
		total := Limit
		for eof := false; !eof; {
			synctest.Wait()
			var got []piece
			got, eof = drain(fast)
			total += len(join(got))
		}
		if total != 3*Limit {
			t.Errorf("read %d bytes", total)
		}
	})
}

func TestCloseReleasesAWaitingWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRing(NewBudget(64 << 20))
		defer r.Subscribe(0).Close()
		go r.Write(Stdout, make([]byte, 2*Limit))
		synctest.Wait()
		r.Close()
		synctest.Wait()
	})
}

func TestTryWriteNeverWaits(t *testing.T) {
	r := NewRing(NewBudget(64 << 20))
	s := r.Subscribe(0)
	if !r.TryWrite(Stdout, make([]byte, Limit-1)) || r.TryWrite(Stdout, make([]byte, 2)) {
		t.Error("wrong about room")
	}
	if got, _ := drain(s); len(join(got)) != Limit-1 {
		t.Errorf("%d bytes", len(join(got)))
	}
	if !r.TryWrite(Stdout, make([]byte, Limit)) {
		t.Error("no room although all is delivered")
	}
	r.Close()
	if !r.TryWrite(Stdout, []byte("dropped")) {
		t.Error("a closed ring has no room")
	}
}

func TestFinishedRingsGiveWayOldestFirst(t *testing.T) {
	b := NewBudget(4 * Limit)
	var rings []*Ring
	for range 4 {
		r := NewRing(b)
		r.Write(Stdout, make([]byte, Limit))
		r.Close()
		rings = append(rings, r)
	}
	reader := rings[0].Subscribe(0) // read: must stay
	live := NewRing(b)
	live.Write(Stdout, make([]byte, Limit))
	for i, want := range []int{Limit, 0, Limit, Limit} {
		if got := len(rings[i].buf); got != want {
			t.Errorf("ring %d holds %d bytes, want %d", i, got, want)
		}
	}
	if b.Used() != 4*Limit {
		t.Errorf("%d bytes used", b.Used())
	}
	rings[0].Drop()
	if len(rings[0].buf) == 0 {
		t.Error("a ring that is read was emptied")
	}
	reader.Close()
	if b.Used() != 3*Limit || len(rings[0].buf) != 0 {
		t.Errorf("%d bytes used after the last reader left", b.Used())
	}
}

func TestLiveRingsBeyondTheBudgetStayAtTheFloor(t *testing.T) {
	b := NewBudget(Limit)
	for range 10 {
		NewRing(b).Write(Stdout, make([]byte, Limit))
	}
	if b.Used() > Limit+9*Floor {
		t.Errorf("%d bytes used", b.Used())
	}
}

func TestSmallOutputCostsLittle(t *testing.T) {
	b := NewBudget(Limit)
	r := NewRing(b)
	r.Write(Stdout, []byte("4\n"))
	r.Close()
	if b.Used() > 64 {
		t.Errorf("%d bytes used", b.Used())
	}
	if got, eof := drain(r.Subscribe(0)); join(got) != "4\n" || !eof {
		t.Errorf("got %v", got)
	}
}

// TestRandom compares what readers get with what writers wrote.
func TestRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	r := NewRing(NewBudget(Limit / 2))
	s := r.Subscribe(0)
	var wg sync.WaitGroup
	var want bytes.Buffer
	var sizes []int
	for range 3000 {
		n := 1 + rng.IntN(1<<rng.IntN(14))
		sizes = append(sizes, n)
		for range n {
			want.WriteByte(byte(rng.Uint32()))
		}
	}
	wg.Go(func() {
		all := want.Bytes()
		for i, n := range sizes {
			r.Write(Stream(i%2), all[:n])
			all = all[n:]
		}
		r.Close()
	})
	var got bytes.Buffer
	for {
		_, p, eof := s.Peek(1 + got.Len()%5000)
		if eof {
			break
		}
		if len(p) == 0 {
			<-s.Wait()
			continue
		}
		got.Write(p)
		s.Advance(len(p))
	}
	wg.Wait()
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("read %d bytes, wrote %d, or they differ", got.Len(), want.Len())
	}
}

func BenchmarkRing(b *testing.B) {
	r := NewRing(NewBudget(64 << 20))
	s := r.Subscribe(0)
	chunk := make([]byte, 64<<10)
	b.SetBytes(int64(len(chunk)))
	go func() {
		for range b.N {
			r.Write(Stdout, chunk)
		}
		r.Close()
	}()
	for {
		_, p, eof := s.Peek(32 << 10)
		if eof {
			return
		}
		if len(p) == 0 {
			<-s.Wait()
		}
		s.Advance(len(p))
	}
}
