package access

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// The vector of E2B's clients.
const (
	vectorToken     = "0tQG31xiMp0IOQfaz9dcwi72L1CPo8e0"
	vectorSignature = "v1_gUtH/s9YCJWgCizjfUxuWfhFE4QSydOWEIIvfLwDr6E"
)

func TestSignVector(t *testing.T) {
	if got := Sign("hello.txt", "read", "user", vectorToken, ""); got != vectorSignature {
		t.Error(got)
	}
}

func request(method, target, token string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	if token != "" {
		r.Header.Set(Header, token)
	}
	return r
}

func TestWithoutTokenEverybodyMayCall(t *testing.T) {
	var token Token
	for _, given := range []string{"", "anything"} {
		if err := token.Check(request("POST", "/process.Process/List", given)); err != nil {
			t.Error(err)
		}
	}
}

func TestToken(t *testing.T) {
	var token Token
	token.Set("secret")
	for _, c := range []struct {
		method, path, given string
		ok                  bool
	}{
		{"POST", "/process.Process/List", "secret", true},
		{"POST", "/process.Process/List", "", false},
		{"POST", "/process.Process/List", "wrong", false},
		{"GET", "/health", "", true},
		{"POST", "/health", "", false},
		{"POST", "/init", "", true},
		{"GET", "/envs", "", false},
		{"GET", "/metrics", "", false},
		{"GET", "/quixand/v1/status", "", false},
		{"POST", "/files/compose?path=x", "", false},
		{"OPTIONS", "/files", "", true},
		{"GET", "/files?path=x", "secret", true},
		{"GET", "/files?path=x", "wrong", false},
	} {
		if err := token.Check(request(c.method, c.path, c.given)); (err == nil) != c.ok {
			t.Errorf("%s %s with %q: %v", c.method, c.path, c.given, err)
		}
	}
	token.Set("")
	if err := token.Check(request("GET", "/envs", "")); err != nil {
		t.Error("after the token was taken away:", err)
	}
}

func TestSignedLinks(t *testing.T) {
	var token Token
	token.Set(vectorToken)
	signed := func(path, operation, user string, expires time.Duration) string {
		q := url.Values{"path": {path}}
		if user != "" {
			q.Set("username", user)
		}
		expiration := ""
		if expires != 0 {
			expiration = strconv.FormatInt(time.Now().Add(expires).Unix(), 10)
			q.Set("signature_expiration", expiration)
		}
		q.Set("signature", Sign(path, operation, user, vectorToken, expiration))
		return "/files?" + q.Encode()
	}
	for _, c := range []struct {
		method, target, given string
		want                  error
	}{
		{"GET", "/files?username=user&path=hello.txt&signature=" + url.QueryEscape(vectorSignature), "", nil},
		{"GET", signed("a b:c", "read", "", time.Hour), "", nil},
		{"HEAD", signed("x", "read", "", 0), "", nil},
		{"POST", signed("x", "write", "root", time.Hour), "", nil},
		{"POST", signed("x", "read", "", 0), "", ErrSignature},
		{"GET", signed("x", "write", "", 0), "", ErrSignature},
		{"GET", signed("x", "read", "", -time.Hour), "", ErrExpired},
		{"GET", signed("x", "read", "", time.Hour) + "0", "", ErrSignature},
		{"GET", signed("x", "read", "", 0) + "&username=root", "", ErrSignature},
		{"PUT", signed("x", "", "", 0), "", ErrSignature},
		{"GET", "/files?path=x", "", ErrSignature},
		{"GET", "/files?path=x&signature=v1_", "", ErrSignature},
		// A token that is given must be right, whatever the signature.
		{"GET", signed("x", "read", "", 0), "wrong", ErrToken},
		{"GET", "/envs?" + signed("x", "read", "", 0)[7:], "", ErrToken},
	} {
		if err := token.Check(request(c.method, c.target, c.given)); !errors.Is(err, c.want) {
			t.Errorf("%s %s: %v, want %v", c.method, c.target, err, c.want)
		}
	}
}

// FuzzSignature looks for a request that passes without the token's knowledge.
func FuzzSignature(f *testing.F) {
	f.Add("hello.txt", "user", vectorSignature, "", "GET")
	f.Add("x", "", "v1_", "9999999999", "POST")
	var token Token
	token.Set("a token that no fuzzer knows")
	f.Fuzz(func(t *testing.T, path, user, signature, expiration, method string) {
		q := url.Values{"path": {path}, "username": {user}, "signature": {signature}, "signature_expiration": {expiration}}
		r := &http.Request{Method: method, URL: &url.URL{Path: "/files", RawQuery: q.Encode()}, Header: http.Header{}}
		if method != http.MethodOptions && token.Check(r) == nil {
			t.Errorf("passed: %v", fmt.Sprint(q))
		}
	})
}
