package remote

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
)

const (
	urlVariable = "QS_REMOTE_URL"
	keyVariable = "QS_API_KEY"

	// unixPrefix stands before the path of a socket, as in qs serve --listen.
	unixPrefix = "unix:"
)

var errNoKey = errors.New("there is no API key for the server")

// address is where a server is.
type address struct {
	base   url.URL // http or https, without a slash at its end
	socket string  // path of a unix socket in the place of the base's host, or empty
}

func parseAddress(text string) (*address, error) {
	hint := "set " + urlVariable + " to https://HOST[:PORT], or unix:PATH, or for a server on this machine http://127.0.0.1:PORT"
	refuse := func(format string, args ...any) (*address, error) {
		return nil, &adapters.Error{Kind: adapters.ErrInvalid, Err: fmt.Errorf(format, args...), Hint: hint}
	}
	if path, ok := strings.CutPrefix(text, unixPrefix); ok {
		path = "/" + strings.TrimLeft(path, "/")
		return &address{base: url.URL{Scheme: "http", Host: "quixand"}, socket: path}, nil
	}
	if text == "" {
		return refuse("there is no address of a server")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "":
		return refuse("%.200q is not the address of a server", text)
	case u.Scheme == "http" && !onThisMachine(u.Hostname()):
		return refuse("the API key would travel to %s in the clear", u.Host)
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse("%.200q is neither http nor https", text)
	}
	return &address{base: url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}}, nil
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// String is the address as it is given.
func (a *address) String() string {
	if a.socket != "" {
		return unixPrefix + a.socket
	}
	return a.base.String()
}
