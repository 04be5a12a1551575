package journal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/quixand/quixand/internal/agent/httperr"
)

// ServeHTTP answers GET agentapi.PathLogs.
func (j *Journal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	after := int64(0)
	if text := query.Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			httperr.WriteErr(w, httperr.BadRequest(fmt.Errorf("after is not a sequence number: %q", text)))
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	reader := j.Read(after, query.Get("output") != "0")
	control, lines := http.NewResponseController(w), json.NewEncoder(w)
	for {
		records, more := reader.Next()
		for i := range records {
			if lines.Encode(&records[i]) != nil {
				return
			}
		}
		if query.Get("follow") != "1" {
			return
		}
		// The head of the answer tells that the journal is followed from here.
		if control.Flush() != nil {
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}
