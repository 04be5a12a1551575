// Package access decides who may call the agent. A sandbox has at most one
// token; until it has, everybody who can reach the agent may call it, and
// reaching it takes the sandbox's socket.
package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Header carries the token.
const Header = "X-Access-Token"

// Errors of Check; their texts are E2B's where clients compare them.
var (
	ErrToken     = errors.New("access token is missing or wrong")
	ErrSignature = errors.New("signature is missing or wrong")
	ErrExpired   = errors.New("signature is already expired")
)

// Token is a sandbox's access token. The zero value is no token.
type Token struct {
	value atomic.Pointer[string]
}

// Set replaces the token; empty is none.
func (t *Token) Set(token string) { t.value.Store(&token) }

func (t *Token) get() string {
	if p := t.value.Load(); p != nil {
		return *p
	}
	return ""
}

// Matches reports whether given is the token, or there is none.
func (t *Token) Matches(given string) bool {
	want := t.get()
	return want == "" || equal(given, want)
}

// Check decides about a request.
func (t *Token) Check(r *http.Request) error {
	if exempt(r) || t.Matches(r.Header.Get(Header)) {
		return nil
	}
	if r.URL.Path == "/files" && r.Header.Get(Header) == "" {
		return t.checkSignature(r)
	}
	return ErrToken
}

// exempt requests need no token: /init brings one of its own.
func exempt(r *http.Request) bool {
	switch r.URL.Path {
	case "/health":
		return r.Method == http.MethodGet
	case "/init":
		return r.Method == http.MethodPost
	}
	return r.Method == http.MethodOptions
}

// checkSignature lets a link to one file stand in for the token.
func (t *Token) checkSignature(r *http.Request) error {
	operation := map[string]string{
		http.MethodGet:  "read",
		http.MethodHead: "read",
		http.MethodPost: "write",
	}[r.Method]
	q := r.URL.Query()
	expiration := q.Get("signature_expiration")
	want := Sign(q.Get("path"), operation, q.Get("username"), t.get(), expiration)
	if operation == "" || !equal(q.Get("signature"), want) {
		return ErrSignature
	}
	if expiration == "" {
		return nil
	}
	seconds, err := strconv.ParseInt(expiration, 10, 64)
	if err != nil {
		return ErrSignature
	}
	if seconds < time.Now().Unix() {
		return ErrExpired
	}
	return nil
}

// Sign returns the signature of a link: to the path as given, for "read" or
// "write", as a user or the default one, until a time in Unix seconds or for
// ever.
func Sign(path, operation, user, token, expiration string) string {
	text := path + ":" + operation + ":" + user + ":" + token
	if expiration != "" {
		text += ":" + expiration
	}
	sum := sha256.Sum256([]byte(text))
	return "v1_" + base64.RawStdEncoding.EncodeToString(sum[:])
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
