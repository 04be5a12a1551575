package server

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/quixand/quixand/pkg/quixand"
)

// metrics tells what a sandbox uses now: there is no past to look into.
func (s *Server) metrics(c *call, x *box) error {
	q := c.request.URL.Query()
	from, err := number(q.Get("start"), 0)
	if err != nil {
		return err
	}
	to, err := number(q.Get("end"), maxTimeout+time.Now().Unix())
	if err != nil {
		return err
	}
	now := time.Now()
	if x.gate.isClosed() || now.Unix() < from || now.Unix() > to+1 {
		return c.answer(http.StatusOK, []sandboxMetric{})
	}
	sb, err := x.sandbox.Get(c)
	if err != nil {
		return err
	}
	m, err := sb.Metrics(c)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, []sandboxMetric{{
		Timestamp: m.Time, TimestampUnix: m.Time.Unix(), CPUCount: m.CPUCount, CPUUsedPct: m.CPUPercent,
		MemUsed: m.MemoryUsed, MemTotal: m.MemoryTotal, MemCache: m.MemoryCache,
		DiskUsed: max(0, m.DiskUsed), DiskTotal: m.DiskTotal,
	}})
}

func number(text string, otherwise int64) (int64, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, badRequest(strconv.Quote(text) + " is no number")
	}
	return n, nil
}

// logs tells what ran in a sandbox.
func (s *Server) logs(c *call, x *box) error {
	q := c.request.URL.Query()
	from, err := number(q.Get("start"), 0)
	if err != nil {
		return err
	}
	limit, err := number(q.Get("limit"), 1000)
	if err != nil {
		return err
	}
	answer := struct {
		Logs    []logLine  `json:"logs"`
		Entries []logEntry `json:"logEntries"`
	}{[]logLine{}, []logEntry{}}
	if x.gate.isClosed() {
		return c.answer(http.StatusOK, answer)
	}
	sb, err := x.sandbox.Get(c)
	if err != nil {
		return err
	}
	for record, err := range sb.Logs(c, nil) {
		if err != nil {
			return err
		}
		if record.Time.UnixMilli() < from || int64(len(answer.Logs)) >= limit {
			continue
		}
		entry := entryOf(record)
		line, _ := json.Marshal(map[string]string{"level": entry.Level, "logger": record.Type, "message": entry.Message})
		answer.Logs = append(answer.Logs, logLine{record.Time, string(line)})
		answer.Entries = append(answer.Entries, entry)
	}
	return c.answer(http.StatusOK, answer)
}

func entryOf(r quixand.LogEntry) logEntry {
	e := logEntry{Timestamp: r.Time, Level: "info", Fields: map[string]string{"type": r.Type}}
	if r.PID != 0 {
		e.Fields["pid"] = strconv.Itoa(r.PID)
	}
	switch r.Type {
	case "start":
		e.Message = "started: " + r.Command
	case "exit":
		e.Message = "ended: " + r.Status
		e.Fields["exitCode"] = strconv.Itoa(r.ExitCode)
	case "output":
		e.Message = strings.ToValidUTF8(string(r.Data), "\ufffd")
		e.Fields["stream"] = r.Stream
	case "oom":
		e.Level, e.Message = "error", "killed for want of memory"
	case "lost":
		e.Level, e.Message = "warn", "entries are missing here"
	default:
		e.Message = r.Type
	}
	return e
}
