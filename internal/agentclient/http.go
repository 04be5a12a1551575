package agentclient

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"

	"connectrpc.com/connect"
)

// maxJSON bounds what the plain HTTP calls read of an answer or an error.
const maxJSON = 1 << 20

// newRequest builds a request. Query and headers come in pairs of name and
// value; a pair without value is left out.
func newRequest(ctx context.Context, method, path string, query, headers []string) *http.Request {
	q := make(url.Values, len(query)/2)
	for i := 0; i < len(query); i += 2 {
		if query[i+1] != "" {
			q.Set(query[i], query[i+1])
		}
	}
	req := &http.Request{
		Method: method,
		URL:    &url.URL{Scheme: "http", Host: "agent", Path: path, RawQuery: q.Encode()},
		Host:   "agent",
		Header: make(http.Header, len(headers)/2),
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	setHeaders(req.Header, headers)
	return req.WithContext(ctx)
}

// do makes the request and turns every status but those wanted into an error.
// An error of the RoundTripper's comes as connect gives it, to be mapped.
func (c *Client) do(req *http.Request, wanted ...int) (*http.Response, error) {
	res, err := c.rt.RoundTrip(req)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	if slices.Contains(wanted, res.StatusCode) {
		return res, nil
	}
	defer res.Body.Close()
	return nil, refusal(res)
}

// refusal reads the error that an answer carries: E2B's {"message", "code"}.
// One without readable text is an error all the same.
func refusal(res *http.Response) error {
	if res.StatusCode < 400 {
		return garbage("HTTP status %s", res.Status)
	}
	code, ok := statusCodes[res.StatusCode]
	if !ok {
		code = connect.CodeInternal
	}
	var body struct {
		Message string `json:"message"`
	}
	if isJSON(res) {
		_ = json.NewDecoder(io.LimitReader(res.Body, maxJSON)).Decode(&body)
	}
	if body.Message == "" {
		body.Message = "HTTP status " + res.Status
	}
	return refused(code, body.Message)
}

// doJSON makes a call that is answered by JSON, into out, or by nothing when
// that is nil.
func (c *Client) doJSON(ctx context.Context, method, path string, in, out any) error {
	bounded, cancel := withPatience(ctx)
	defer cancel()
	var headers []string
	if in != nil {
		headers = []string{"Content-Type", "application/json"}
	}
	req := newRequest(bounded, method, path, nil, headers)
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	res, err := c.do(req, http.StatusOK, http.StatusNoContent)
	if err != nil {
		return mapError(ctx, err)
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	return readJSON(ctx, res, out)
}

// readJSON reads an answer to its end, so that the connection can be used
// again.
func readJSON(ctx context.Context, res *http.Response, out any) error {
	if !isJSON(res) {
		return garbage("content type %.80q", res.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxJSON+1))
	if err != nil {
		return mapError(ctx, err)
	}
	if len(body) > maxJSON {
		return tooLarge(maxJSON)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return garbage("%w", err)
	}
	return nil
}

func isJSON(res *http.Response) bool {
	t, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return err == nil && t == "application/json"
}
