package server

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/quixand"
)

const (
	// pageSize is the most that a page has, and what it has unless told.
	pageSize = 100
	// statusAtOnce is how many sandboxes a list asks at once when they end.
	statusAtOnce = 16
)

// listQuery selects sandboxes.
type listQuery struct {
	states   []quixand.State
	metadata map[string]string
	template string
	since    time.Time
	oldest   bool // first
	limit    int
	after    string // cursor of the last one of the page before
}

func parseList(q url.Values) (l listQuery, err error) {
	l = listQuery{limit: pageSize, template: q.Get("template"), after: q.Get("nextToken")}
	for state := range strings.SplitSeq(strings.Join(q["state"], ","), ",") {
		switch state {
		case "running", "paused":
			l.states = append(l.states, quixand.State(state))
		case "":
		default:
			return l, badRequest(fmt.Sprintf("%q is no state", state))
		}
	}
	if len(l.states) == 0 {
		l.states = []quixand.State{quixand.StateRunning, quixand.StatePaused}
	}
	if l.metadata, err = parseMetadata(q.Get("metadata")); err != nil {
		return l, err
	}
	if text := q.Get("startedAfter"); text != "" {
		if l.since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return l, badRequest(fmt.Sprintf("startedAfter: %q is no time", text))
		}
	}
	switch order := q.Get("order"); order {
	case "", "desc":
	case "asc":
		l.oldest = true
	default:
		return l, badRequest(fmt.Sprintf("%q is no order", order))
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return l, badRequest(fmt.Sprintf("limit: %q is not a number from 1 on", text))
		}
		l.limit = min(n, pageSize)
	}
	return l, nil
}

// parseMetadata reads pairs that E2B's clients encode twice within the query.
func parseMetadata(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	form, err := url.QueryUnescape(text)
	if err != nil {
		return nil, badRequest("metadata: " + err.Error())
	}
	pairs := make(map[string]string)
	for pair := range strings.SplitSeq(form, "&") {
		k, v, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(k)
		if err != nil {
			return nil, badRequest("metadata: " + err.Error())
		}
		if pairs[key], err = url.QueryUnescape(v); err != nil {
			return nil, badRequest("metadata: " + err.Error())
		}
	}
	return pairs, nil
}

func (s *Server) list(c *call) error {
	q, err := parseList(c.request.URL.Query())
	if err != nil {
		return err
	}
	after, err := parseCursor(q.after)
	if err != nil {
		return err
	}
	asked := time.Now()
	infos, err := s.cfg.Client.List(c, &quixand.ListOptions{Metadata: q.metadata, States: q.states})
	if err != nil {
		return err
	}
	infos = slices.DeleteFunc(infos, func(info *quixand.Info) bool { return !q.selects(c, info) })
	order := func(a, b cursor) int { return b.compare(a) }
	if q.oldest {
		order = cursor.compare
	}
	slices.SortFunc(infos, func(a, b *quixand.Info) int { return order(cursorOf(a), cursorOf(b)) })
	if after != nil {
		infos = slices.DeleteFunc(infos, func(info *quixand.Info) bool { return order(cursorOf(info), *after) <= 0 })
	}
	if len(infos) > q.limit {
		infos = infos[:q.limit]
		c.w.Header().Set(serverapi.HeaderNext, cursorOf(infos[len(infos)-1]).String())
	}
	return c.answer(http.StatusOK, s.details(c, infos, asked))
}

// selects reports whether a sandbox is the caller's and one of those asked for.
func (q *listQuery) selects(c *call, info *quixand.Info) bool {
	r, ok := recordOf(info)
	return ok && r.Key == c.key.ID && c.sees(r) && (q.template == "" || q.template == r.Template) && !info.Created.Before(q.since)
}

// details asks many sandboxes at once.
func (s *Server) details(c *call, infos []*quixand.Info, asked time.Time) []sandboxDetail {
	all := make([]sandboxDetail, len(infos))
	slots := make(chan struct{}, statusAtOnce)
	var asking sync.WaitGroup
	for i, info := range infos {
		x := s.boxes.learn(info, asked)
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			all[i] = s.detail(c, x, info)
		})
	}
	asking.Wait()
	return all
}

// cursor is a place in a list: of sandboxes that were created at one moment, the
// id decides.
type cursor struct {
	created time.Time
	id      string
}

func cursorOf(info *quixand.Info) cursor { return cursor{info.Created, info.ID} }

func (c cursor) compare(d cursor) int {
	return cmp.Or(c.created.Compare(d.created), strings.Compare(c.id, d.id))
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.created.UTC().Format(time.RFC3339Nano) + " " + c.id))
}

func parseCursor(text string) (*cursor, error) {
	if text == "" {
		return nil, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	created, id, _ := strings.Cut(string(plain), " ")
	at, errTime := time.Parse(time.RFC3339Nano, created)
	if err != nil || errTime != nil {
		return nil, badRequest("nextToken is not one of ours")
	}
	return &cursor{at, id}, nil
}
