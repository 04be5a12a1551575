package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/quixand/quixand/internal/serverapi"
	"github.com/quixand/quixand/pkg/adapters"
)

// target is a port of a sandbox.
type target struct {
	id   string
	port int
}

func (t target) String() string { return net.JoinHostPort(t.id, strconv.Itoa(t.port)) }

var errHalfTarget = errors.New(serverapi.HeaderSandbox + " and " + serverapi.HeaderPort + " come together")

// targetOf tells which sandbox a request is for: by the name PORT-ID.DOMAIN of
// its host, or else by its headers. It is nil for the control plane.
func targetOf(r *http.Request) (*target, error) {
	if id, port, ok := cutHost(r.Host); ok {
		return newTarget(id, port)
	}
	id, port := r.Header.Get(serverapi.HeaderSandbox), r.Header.Get(serverapi.HeaderPort)
	switch {
	case id == "" && port == "":
		return nil, nil
	case id == "" || port == "":
		return nil, errHalfTarget
	}
	return newTarget(id, port)
}

// cutHost reads a host's name of the form PORT-ID.DOMAIN. Further parts between
// hyphens mean nothing. ok is false for all other names.
func cutHost(host string) (id, port string, ok bool) {
	label, _, dotted := strings.Cut(host, ".")
	parts := strings.Split(label, "-")
	if !dotted || len(parts) < 2 || parts[0] == "" || strings.Trim(parts[0], "0123456789") != "" {
		return "", "", false
	}
	return parts[1], parts[0], true
}

func newTarget(id, port string) (*target, error) {
	if !adapters.ValidID(id) {
		return nil, fmt.Errorf("%.40q cannot be the id of a sandbox", id)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("%.40q is no port", port)
	}
	return &target{id, int(n)}, nil
}
