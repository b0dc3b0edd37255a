package caddymodule

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// parseRanges reads networks in CIDR notation and single addresses.
func parseRanges(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		p, err := parseRange(text)
		if err != nil {
			return nil, fmt.Errorf("%q: want a network such as 10.0.0.0/8, an address, or private_ranges", text)
		}
		all = append(all, p)
	}
	return all, nil
}

func parseRange(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		return p.Masked(), err
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return addr.Prefix(addr.BitLen())
}

// contains tells whether one of ranges holds addr. An address that is not valid
// is in none.
func contains(ranges []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// peer returns the address of the other end of the connection, not valid if it
// has none or could be forged: in QUIC's early data the handshake has not yet
// shown that the sender is at the address.
func peer(r *http.Request) netip.Addr {
	if r.TLS != nil && !r.TLS.HandshakeComplete {
		return netip.Addr{}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}
