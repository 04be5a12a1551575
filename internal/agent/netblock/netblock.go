// Package netblock keeps a sandbox from reaching certain addresses. User-mode
// networking would connect a sandbox to the host's own addresses as if it were
// the host; an unreachable route inside the sandbox's network namespace is in
// the way before anything leaves it, and without CAP_NET_ADMIN, which the
// agent gives up afterwards, nobody inside can remove it.
package netblock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Block makes addresses unreachable in this process's network namespace.
func Block(addrs []netip.Addr) error {
	var targets []netip.Prefix
	for _, addr := range addrs {
		addr = addr.Unmap().WithZone("")
		targets = append(targets, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return blockAll(targets)
}

// BlockOwn makes the networks unreachable that this process's network namespace
// is part of, loopback aside: who else is there can be reached past any router,
// and so past the host's packet filter. The routers among them go on to pass on
// what is for others.
func BlockOwn() error {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("own addresses: %w", err)
	}
	var targets []netip.Prefix
	for _, a := range addrs {
		own, err := netip.ParsePrefix(a.String())
		if err == nil && !own.Addr().IsLoopback() {
			targets = append(targets, own.Masked())
		}
	}
	return blockAll(targets)
}

func blockAll(targets []netip.Prefix) error {
	if len(targets) == 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	for _, target := range targets {
		if err := block(fd, target); err != nil {
			return fmt.Errorf("make %v unreachable: %w", target, err)
		}
	}
	return nil
}

func block(fd int, target netip.Prefix) error {
	if !target.IsSingleIP() {
		// The kernel has a route of its own to a network that it is part of.
		return add(fd, 1, rule(1, target))
	}
	if err := add(fd, 1, route(1, target)); err != nil {
		return err
	}
	if !target.Addr().Is6() || !target.Addr().IsLinkLocalUnicast() {
		return nil
	}
	// Whoever connects to a link-local address names the interface, and an
	// unreachable route belongs to none: the kernel goes on to the next best,
	// the whole of fe80::/64. A rule holds before any route is looked for.
	return add(fd, 2, rule(2, target))
}

func add(fd int, seq uint32, msg []byte) error {
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	return acknowledged(fd, seq)
}

// route is an RTM_NEWROUTE message for an unreachable route.
func route(seq uint32, target netip.Prefix) []byte {
	return request(seq, target, unix.RTM_NEWROUTE, unix.NLM_F_REPLACE, [4]byte{
		unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNREACHABLE,
	})
}

// rule is an RTM_NEWRULE message that makes a network unreachable by any
// route. Rules come after the local table, so that own addresses stay.
func rule(seq uint32, target netip.Prefix) []byte {
	return request(seq, target, unix.RTM_NEWRULE, 0, [4]byte{3: unix.FR_ACT_UNREACHABLE})
}

// request is a message about one network. The headers of routes and of rules
// differ in the meaning of four bytes only, and both number the destination's
// attribute 1.
func request(seq uint32, target netip.Prefix, kind, flag uint16, meaning [4]byte) []byte {
	family := uint8(unix.AF_INET)
	if target.Addr().Is6() {
		family = unix.AF_INET6
	}
	dst := target.Addr().AsSlice()
	const fixed = unix.SizeofNlMsghdr + unix.SizeofRtMsg
	size := fixed + unix.SizeofRtAttr + len(dst)

	b := make([]byte, 0, size)
	e := binary.NativeEndian
	b = e.AppendUint32(b, uint32(size))
	b = e.AppendUint16(b, kind)
	b = e.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|flag)
	b = e.AppendUint32(b, seq)
	b = e.AppendUint32(b, 0) // port: the kernel's
	// struct rtmsg, struct fib_rule_hdr
	b = append(b, family, uint8(target.Bits()), 0, 0)
	b = append(b, meaning[:]...)
	b = e.AppendUint32(b, 0)
	// RTA_DST, FRA_DST
	b = e.AppendUint16(b, uint16(unix.SizeofRtAttr+len(dst)))
	b = e.AppendUint16(b, unix.RTA_DST)
	return append(b, dst...)
}

// acknowledged reads the kernel's answer to a request.
func acknowledged(fd int, seq uint32) error {
	buf := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		done, err := parse(buf[:n], seq)
		if done || err != nil {
			return err
		}
	}
}

// parse looks for the acknowledgement of seq in one datagram.
func parse(b []byte, seq uint32) (done bool, err error) {
	e := binary.NativeEndian
	if len(b) < unix.SizeofNlMsghdr+4 || e.Uint16(b[4:]) != unix.NLMSG_ERROR {
		return false, fmt.Errorf("netlink: unexpected answer of %d bytes", len(b))
	}
	if e.Uint32(b[8:]) != seq {
		return false, nil
	}
	if errno := -int32(e.Uint32(b[unix.SizeofNlMsghdr:])); errno != 0 {
		return true, unix.Errno(errno)
	}
	return true, nil
}
