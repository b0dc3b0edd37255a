package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// signs takes one line of signs, each a word and its value.
func signs(to *[]loginform.Signs) option {
	first := true
	return option{many: true, parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if first {
			*to, first = nil, false
		}
		var s loginform.Signs
		lists := map[string]*[]string{
			"status": &s.Status, "set_cookie": &s.SetCookie, "location": &s.Location, "not_location": &s.NotLocation,
			"header": &s.Header, "body": &s.Body, "not_body": &s.NotBody, "selector": &s.Selector, "json": &s.JSON,
		}
		args := d.RemainingArgs()
		for i := 0; i < len(args); i += 2 {
			if args[i] == "probe" && i+2 < len(args) {
				s.Probe = &loginform.Probe{Request: args[i+1] + " " + args[i+2]}
				lists["probe_status"], lists["contains"], lists["lacks"] = &s.Probe.Status, &s.Probe.Contains, &s.Probe.Lacks
				i++
				continue
			}
			list := lists[args[i]]
			if list == nil || i+1 >= len(args) {
				return d.Errf("%s: %q: want signs, each a word and one value: status, set_cookie, location, not_location, header, body, not_body, selector, json, or probe GET /path with probe_status, contains, lacks after it; all on a line must be there, so alternatives go on a line of their own, or for a status into one value: status 401|403", name, args[i])
			}
			if strings.HasSuffix(args[i], "status") {
				*list = append(*list, strings.Split(args[i+1], "|")...)
				continue
			}
			*list = append(*list, args[i+1])
		}
		*to = append(*to, s)
		return nil
	}}
}
