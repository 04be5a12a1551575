package journal

import "github.com/quixand/quixand/internal/agentapi"

// Reader reads a journal from some record on. It is for one goroutine.
type Reader struct {
	journal *Journal
	after   int64
	output  bool
}

// Read returns a reader of the records after the one with this number. Without
// output, what commands have written is left out.
func (j *Journal) Read(after int64, output bool) *Reader {
	return &Reader{j, after, output}
}

// Next returns the records that have come since the last call, and a channel
// that is closed when there are more. What the reader was too slow for is
// counted in a record of its own, before the others.
func (r *Reader) Next() (records []agentapi.Record, more <-chan struct{}) {
	j := r.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if lost := r.lost(); lost > 0 && r.after > 0 {
		records = append(records, agentapi.Record{Seq: r.after, Type: agentapi.RecordLost, Lost: lost})
	}
	records = r.collect(records)
	r.after = j.seq
	if j.changed == nil {
		j.changed = make(chan struct{})
	}
	return records, j.changed
}

// lost is an upper bound of how many records the reader has missed: numbers are
// shared by both kinds.
func (r *Reader) lost() int64 {
	newest := r.journal.dropped
	if r.output {
		newest = max(newest, r.journal.missed)
	}
	return newest - r.after
}

// collect merges notes and output by their numbers.
func (r *Reader) collect(records []agentapi.Record) []agentapi.Record {
	j := r.journal
	notes, pieces := j.notes, j.pieces
	if !r.output {
		pieces = nil
	}
	for len(notes) > 0 || len(pieces) > 0 {
		switch {
		case len(pieces) == 0 || len(notes) > 0 && notes[0].Seq < pieces[0].seq:
			if notes[0].Seq > r.after {
				records = append(records, notes[0])
			}
			notes = notes[1:]
		default:
			if p := &pieces[0]; p.seq > r.after {
				records = append(records, agentapi.Record{
					Seq: p.seq, Time: p.at, Type: agentapi.RecordOutput, PID: p.pid,
					Stream: p.stream, Data: j.bytes(p), Lost: p.lost,
				})
			}
			pieces = pieces[1:]
		}
	}
	return records
}

// Tail returns the last bytes that commands have written, whichever they were,
// at most so many, from the beginning of a line on where there is one.
func (j *Journal) Tail(limit int) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := max(0, j.end-int64(min(limit, outputBytes)))
	whole := from == 0
	out := make([]byte, 0, j.end-from)
	for ; from < j.end; from++ {
		out = append(out, j.buf[int(from)%len(j.buf)])
	}
	if whole {
		return out
	}
	return fromLine(out)
}

// fromLine cuts the rest of a line whose beginning is missing.
func fromLine(text []byte) []byte {
	for i, c := range text[:max(0, len(text)-1)] {
		if c == '\n' {
			return text[i+1:]
		}
	}
	return text
}
