package caddymodule

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// around looks at the ways to a site's app that do not pass the gate.
func (d *diagnosis) around(ctx context.Context, all []way, s *site, about string) {
	clean := true
	for _, b := range bypasses(all) {
		if b.site == s.name {
			d.say(resultDangerous, about, "%s", b.text)
			clean = false
		}
	}
	var seen []string
	for _, w := range all {
		if w.guard == guarded && w.site == s.name && !slices.Contains(seen, w.upstream) {
			seen = append(seen, w.upstream)
			d.address(ctx, w.upstream, about)
		}
	}
	if clean && len(seen) > 0 {
		d.say(resultOK, about, "no other route of this configuration goes to %s", strings.Join(seen, ", "))
	}
}

// dialLimit is how long a connection to the app's own address is tried.
const dialLimit = time.Second

// ownAddresses are those by which other machines reach this one; a test has others.
var ownAddresses = func() (own []net.IP) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			own = append(own, n.IP)
		}
	}
	return own
}

// address looks whether others reach the app where the gate does.
func (d *diagnosis) address(ctx context.Context, upstream, about string) {
	a, err := caddy.ParseNetworkAddress(upstream)
	switch {
	case err != nil || strings.Contains(upstream, "{"):
		d.say(resultWarning, about, "the app's address %s is known at each request only; see that nobody else reaches it", upstream)
	case a.IsUnixNetwork():
		d.say(resultOK, about, "the app listens on a socket of this machine")
	case !loopbackHost(a.Host):
		d.say(resultWarning, about, "the app is on another machine, or at an address of the network: whoever reaches %s goes around the gateway; let its firewall admit this machine only, or the app listen on 127.0.0.1", upstream)
	default:
		d.local(ctx, a.StartPort, about)
	}
}

// local looks whether an app that the gate reaches by loopback listens on this machine's other
// addresses as well.
func (d *diagnosis) local(ctx context.Context, port uint, about string) {
	dialer := net.Dialer{Timeout: dialLimit}
	for _, ip := range ownAddresses() {
		at := net.JoinHostPort(ip.String(), strconv.Itoa(int(port)))
		conn, err := dialer.DialContext(ctx, "tcp", at)
		if err != nil {
			continue
		}
		conn.Close()
		d.say(resultDangerous, about, "the app listens on %s, too: anybody in the network can go around the gateway; let it listen on 127.0.0.1 only, or shut port %d in the firewall", at, port)
		return
	}
	d.say(resultOK, about, "the app's port %d is open on this machine only", port)
}

// Sizes of headers, in bytes.
const (
	usualLimit = 8 << 10 // of the headers of a request, in Apache, nginx, Tomcat, gunicorn and PHP's servers
	ownCookies = 300     // of the gate's own cookies with their names, at most
	tightRoom  = 2 << 10 // less is soon used up
)

// room looks how much of what a request's headers may take is left for the app's cookies.
func (d *diagnosis) room(ctx context.Context, s *caddyhttp.Server, base *url.URL, f *loginform.Form, about string) {
	rec, w, err := visitAs(ctx, s, base, http.MethodGet, f.LoginURI())
	if err != nil || !w.seen {
		return
	}
	sealed, cookies := 0, 0
	for _, c := range loginform.ReadSetCookies(rec.header, time.Now()) {
		sealed += len(c.Name) + len(c.Value) + 3
		if !strings.HasPrefix(strings.TrimPrefix(c.Name, "__Host-"), "mfagate") {
			cookies++
		}
	}
	limit := usualLimit
	if s.MaxHeaderBytes > 0 {
		limit = min(limit, s.MaxHeaderBytes)
	}
	left := limit - sealed - ownCookies
	text := fmt.Sprintf("the login page sets %d cookies, which with the gate's own take %d bytes sealed; %d of %d bytes are left for those of the sign-in, each 4/3 of its length and about %d more", cookies, sealed+ownCookies, left, limit, sealedMore())
	switch {
	case s.MaxHeaderBytes > 0 && s.MaxHeaderBytes < usualLimit:
		d.say(resultWarning, about, "max_header_bytes of the server is %d: %s; leave it at its default", s.MaxHeaderBytes, text)
	case left < tightRoom:
		d.say(resultWarning, about, "little room for headers: %s. Proxies in front of this server may answer 400 or 431; raise their limit, or name what proves nothing in pass_cookies", text)
	default:
		d.say(resultOK, about, "room for headers: %s", text)
	}
}

// sealedMore is by how much a sealed cookie is longer than 4/3 of what is in it, in bytes.
func sealedMore() int {
	const content = 300
	return loginform.SealedLength(content) - content*4/3
}

// backup tells how old the last one is.
func (d *diagnosis) backup(ctx context.Context, a administration) {
	records, err := a.app.resource.open(ctx)
	if err != nil {
		d.say(resultWarning, "backup", "the records cannot be read: %v", err)
		return
	}
	at, err := records.LastBackup(ctx)
	switch age := time.Since(at); {
	case err != nil:
		d.say(resultWarning, "backup", "it cannot be told when the last one was made: %v", err)
	case at.IsZero():
		d.say(resultWarning, "backup", "none was ever made: caddy mfa backup FILE, and a copy of the keyset elsewhere")
	case age > oldBackup:
		d.say(resultWarning, "backup", "the last one was made on %s, %d days ago: caddy mfa backup FILE", at.Local().Format(time.DateOnly), int(age/(24*time.Hour)))
	default:
		d.say(resultOK, "backup", "the last one was made on %s", at.Local().Format("2006-01-02 15:04"))
	}
}

// oldBackup is when people begin to lose what they would miss.
const oldBackup = 7 * 24 * time.Hour

// leastDevices is of how many phones the drift says something of this machine.
const leastDevices = 3

// drift compares this machine's clock with those of people's phones, which the network sets.
func (d *diagnosis) drift(ctx context.Context, g *mfagate.Gate) {
	n, err := g.Drift(ctx)
	total := n.Behind + n.Right + n.Ahead
	switch {
	case err != nil:
		d.say(resultWarning, "clock", "the phones' clocks cannot be compared: %v", err)
	case total < leastDevices:
		d.say(resultOK, "clock", "too few phones are enrolled to compare it with")
	case n.Ahead*2 > total:
		d.say(resultWarning, "clock", "%d of %d phones are ahead of this machine's clock, which is slow then: set it by NTP", n.Ahead, total)
	case n.Behind*2 > total:
		d.say(resultWarning, "clock", "%d of %d phones are behind this machine's clock, which is fast then: set it by NTP", n.Behind, total)
	default:
		d.say(resultOK, "clock", "it agrees with most of the %d phones", total)
	}
}
