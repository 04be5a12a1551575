package remote

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/internal/termsafe"
	"github.com/quixand/quixand/pkg/adapters"
)

const (
	maxError = 64 << 10 // bytes of an error's body that are read
	jsonType = "application/json; charset=utf-8"
)

// errForeign says that the server is no Quixand: it does not know a path of ours.
var errForeign = errors.New("the server is no Quixand")

// foreign is an error by which such a server shows.
type foreign struct{ error }

func (f foreign) Is(target error) bool { return target == errForeign }
func (f foreign) Unwrap() error        { return f.error }

// refusal is the error that an answer means.
func refusal(res *http.Response) error {
	var body serverapi.Error
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxError))
	_ = json.Unmarshal(text, &body)
	e := newRefusal(res.StatusCode, &body)
	switch {
	case res.StatusCode < http.StatusBadRequest:
		e.Err, e.Hint = fmt.Errorf("the server sends us elsewhere: %s", termsafe.Brief(res.Header.Get("Location"))), "set "+urlVariable+" to where the server is"
	case body.Kind == "" && (res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed):
		e.Err = foreign{e.Err}
	case res.StatusCode == http.StatusUnauthorized:
		e.Hint = "set " + keyVariable + " to a key of this server's"
	}
	return e
}

// newRefusal is the error that a body and its number mean.
func newRefusal(status int, body *serverapi.Error) *adapters.Error {
	text := body.Message
	if body.Cause != "" {
		text = body.Cause
	}
	if text = termsafe.Brief(text); text == "" {
		text = "the server answers " + http.StatusText(status)
	}
	return &adapters.Error{Kind: kindOf(status, body.Kind), Phase: body.Phase, Hint: termsafe.Brief(body.Hint), Err: errors.New(text)}
}

// kindOf looks a kind up by its name, or else by a status.
func kindOf(status int, name string) error {
	for _, row := range serverapi.Kinds {
		if row.Kind.Error() == name {
			return row.Kind
		}
	}
	for _, row := range serverapi.Kinds {
		if row.Status == status {
			return row.Kind
		}
	}
	if status >= http.StatusInternalServerError {
		return adapters.ErrInternal
	}
	return adapters.ErrInvalid
}

func known(err error) (*adapters.Error, bool) { return errors.AsType[*adapters.Error](err) }

func unavailable(err error) error {
	e := &adapters.Error{Kind: adapters.ErrUnavailable, Err: err, Hint: "is the server at " + urlVariable + " running, and can it be reached?"}
	if certificate(err) {
		e.Hint = "let SSL_CERT_FILE name the certificate of whoever has signed the server's"
	}
	return e
}

// certificate reports whether nobody vouches for the server.
func certificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

func unsupported(why, hint string) error {
	return &adapters.Error{Kind: adapters.ErrUnsupported, Err: errors.New(why), Hint: hint}
}

// garbage is the error for an answer that is none.
func garbage(format string, args ...any) error {
	return &adapters.Error{Kind: adapters.ErrInternal, Err: fmt.Errorf("unexpected answer of the server: "+format, args...)}
}
