package remote

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// ownPaths is what E2B's agents know nothing of.
const ownPaths = "/quixand/"

// standIn answers what E2B's agents cannot, from what the API tells of the sandbox.
func (e *e2b) standIn(req *http.Request, id string) (*http.Response, error) {
	if !strings.HasPrefix(req.URL.Path, ownPaths) {
		return nil, nil
	}
	if req.Body != nil {
		req.Body.Close()
	}
	if req.URL.Path != agentapi.PathStatus {
		return answer(req, http.StatusNotImplemented, serverapi.Error{
			Code: http.StatusNotImplemented, Message: "E2B's agents cannot do that",
		})
	}
	var sb e2bSandbox
	if err := e.call(req.Context(), &request{method: http.MethodGet, path: sandboxPath(id, ""), repeat: true}, &sb); err != nil {
		return nil, err
	}
	known, err := e.known(&sb)
	if err != nil {
		return nil, err
	}
	return answer(req, http.StatusOK, statusOf(&known.info, sb.EndAt))
}

func statusOf(info *adapters.Info, end time.Time) *agentapi.Status {
	return &agentapi.Status{
		Version: "envd", ID: info.ID, User: agentapi.DefaultUser, Home: e2bHome, Workdir: info.Workdir,
		Created: info.Created, LastActive: info.Created, Age: agentapi.Duration(info.Age),
		IdleTimeout: agentapi.Duration(info.IdleTimeout), Fixed: true, Deadline: end,
		Enforcers: info.Enforcers, OnTimeout: string(info.OnTimeout),
	}
}

// answer is a response that no agent has given.
func answer(req *http.Request, status int, v any) (*http.Response, error) {
	body, err := json.Marshal(v)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {jsonType}}, Request: req,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, err
}
