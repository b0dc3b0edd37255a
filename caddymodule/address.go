package caddymodule

import (
	"net"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// urls returns the addresses of s that a browser can open.
func (s *site) urls() []string {
	var urls []string
	for _, address := range s.addresses {
		if u := siteURL(address); u != "" {
			urls = append(urls, u)
		}
	}
	return urls
}

// siteURL turns the address of a site block into the URL of its root without the
// last slash, or "" if a browser cannot open it, as with *.example.com. An
// address without host is taken to be this computer.
func siteURL(address string) string {
	a, err := httpcaddyfile.ParseAddress(address)
	if err != nil || strings.ContainsAny(a.Host, "*{}") || strings.ContainsAny(a.Port, "{}-") {
		return ""
	}
	scheme := a.Scheme
	if scheme == "" {
		scheme = impliedScheme(a.Host, a.Port)
	}
	host := a.Host
	if host == "" {
		host = "localhost"
	}
	if a.Port != "" && a.Port != standardPort(scheme) {
		return scheme + "://" + net.JoinHostPort(strings.Trim(host, "[]"), a.Port)
	}
	return scheme + "://" + host
}

// impliedScheme follows Caddy: a name of a host gets HTTPS, a bare port does not.
func impliedScheme(host, port string) string {
	if port == "80" || host == "" && port != "443" {
		return "http"
	}
	return "https"
}

func standardPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}
