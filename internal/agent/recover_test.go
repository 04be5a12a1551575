package agent

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestPanicsEndTheirRequestAlone(t *testing.T) {
	srv := httptest.NewServer(recovering(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			_, _ = io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
		}
		panic("on purpose")
	})))
	defer srv.Close()
	for range 2 {
		res, err := http.Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusInternalServerError || err != nil || len(body) == 0 {
			t.Errorf("%v %q %v", res.Status, body, err)
		}
	}
	res, err := http.Get(srv.URL + "/late")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("a broken answer looks whole: %q", body)
	}
}
