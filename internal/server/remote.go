package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/quixand/quixand/pkg/quixand"
)

// Proxies are the peers whose word is taken on where a request comes from. The
// zero value takes nobody's.
type Proxies struct {
	nets []netip.Prefix
	unix bool // whoever can open the server's unix socket
}

// ParseProxies reads addresses, networks (10.0.0.0/8), and the word unix.
func ParseProxies(texts []string) (p Proxies, err error) {
	for _, text := range texts {
		if text == "unix" {
			p.unix = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if address, errAddress := netip.ParseAddr(text); errAddress == nil {
			network, err = netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
		}
		if err != nil {
			return Proxies{}, &quixand.Error{
				Kind: quixand.ErrInvalid, Err: fmt.Errorf("%q is no proxy", text), Hint: "name an address, a network such as 10.0.0.0/8, or unix",
			}
		}
		p.nets = append(p.nets, network.Masked())
	}
	return p, nil
}

// clientOf is the address that a request comes from: the peer's or, where that
// is trusted, the last one in X-Forwarded-For that is not.
func (p Proxies) clientOf(r *http.Request) string {
	client, trusted := "unix", p.unix
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		client, trusted = peer.String(), p.trusts(peer.Addr())
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		address, err := netip.ParseAddr(strings.TrimSpace(hop))
		if !trusted || err != nil {
			break
		}
		client, trusted = address.WithZone("").String(), p.trusts(address)
	}
	return client
}

func (p Proxies) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(p.nets, func(network netip.Prefix) bool { return network.Contains(address.Unmap()) })
}
