package agentclient

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/quixand/quixand/internal/agentapi"
)

// maxRecord bounds one record of the journal, and maxJournal those that an
// agent can have kept.
const (
	maxRecord  = 64 << 10
	maxJournal = 4 << 20
)

// JournalOptions says what [Client.Journal] reads.
type JournalOptions struct {
	After  int64 // leave out what came up to this record
	Follow bool  // go on until the agent or the context ends
	Brief  bool  // leave out what commands have written
}

// Journal passes on the records of what ran in the sandbox, until there are no
// more or the receiver wants none. The end of the agent is none of an error.
// What the records say is hostile.
func (c *Client) Journal(ctx context.Context, o JournalOptions, receive func(agentapi.Record) bool) error {
	dog := newWatchdog(ctx)
	defer dog.end()
	query := []string{"after", strconv.FormatInt(o.After, 10), "follow", digit(o.Follow), "output", digit(!o.Brief)}
	res, err := c.do(newRequest(dog.ctx, http.MethodGet, agentapi.PathLogs, query, nil), http.StatusOK)
	if err != nil {
		return dog.explain(err)
	}
	defer res.Body.Close()
	body := io.Reader(res.Body)
	if o.Follow {
		dog.pause() // it may be silent for as long as it likes
	} else {
		body = io.LimitReader(body, maxJournal)
	}
	return dog.explain(readRecords(body, o.After, receive))
}

func digit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// readRecords reads one record per line, whose numbers ascend.
func readRecords(body io.Reader, after int64, receive func(agentapi.Record) bool) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxRecord)
	for lines.Scan() {
		var r agentapi.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return garbage("%w", err)
		}
		if r.Seq < after || r.Lost < 0 {
			return garbage("record %d after %d", r.Seq, after)
		}
		after = r.Seq
		if !receive(r) {
			return nil
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return tooLarge(maxRecord)
	}
	if isBroken(err) {
		return nil // the agent is gone
	}
	return err
}

// Tail asks for the end of what commands have written.
func (c *Client) Tail(ctx context.Context) (string, error) {
	bounded, cancel := withPatience(ctx)
	defer cancel()
	res, err := c.do(newRequest(bounded, http.MethodGet, agentapi.PathTail, nil, nil), http.StatusOK)
	if err != nil {
		return "", mapError(ctx, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, agentapi.MaxEndOutput))
	if err != nil {
		return "", mapError(ctx, err)
	}
	return strings.ToValidUTF8(string(text), "\ufffd"), nil
}
