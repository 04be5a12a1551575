package agentclient

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/pkg/adapters"
)

func TestHostileJournal(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
	for _, c := range []struct {
		name, body string
		records    int
		fails      bool
	}{
		{"nothing", "", 0, false},
		{"records", `{"seq":1,"type":"ready"}` + "\n" + `{"seq":2,"type":"whatever"}` + "\n", 2, false},
		{"no record", "hello\n", 0, true},
		{"a record without an end", strings.Repeat("x", 2*maxRecord), 0, true},
		{"numbers that go back", `{"seq":5}` + "\n" + `{"seq":4}` + "\n", 1, true},
		{"negative counts", `{"seq":5,"lost":-1}` + "\n", 0, true},
		{"more than can be kept", strings.Repeat(`{"seq":7,"data":"`+strings.Repeat("A", 4000)+`"}`+"\n", maxJournal/4000+10), -1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := rawAgent(t, func(w io.Writer, _ *http.Request) { fmt.Fprint(w, head, c.body) })
			n := 0
			err := client.Journal(t.Context(), JournalOptions{}, func(agentapi.Record) bool {
				n++
				return true
			})
			if (err != nil) != c.fails || c.records >= 0 && n != c.records {
				t.Errorf("%d records, %v", n, err)
			}
			if err != nil && adapters.KindOf(err) == nil {
				t.Errorf("an error of no kind: %v", err)
			}
		})
	}
}
