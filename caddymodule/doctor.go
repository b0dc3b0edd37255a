package caddymodule

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// A diagnosis is what the doctor found.
type diagnosis struct {
	Checks []finding  `json:"checks"`
	Sites  []siteWalk `json:"sites"` // those with a login form
}

// A finding is one thing that was looked at.
type finding struct {
	Result string `json:"result"` // ok, warning or dangerous
	About  string `json:"about"`
	Text   string `json:"text"`
}

// A siteWalk tells what became of requests without a session.
type siteWalk struct {
	Site  string      `json:"site"`
	Doors []triedDoor `json:"doors"`
}

func (d *diagnosis) say(result, about, format string, args ...any) {
	d.Checks = append(d.Checks, finding{result, about, fmt.Sprintf(format, args...)})
}

const (
	resultOK        = "ok"
	resultWarning   = "warning"
	resultDangerous = "dangerous"
)

// walkLimit is for all doors of a site.
const walkLimit = time.Minute

// mostSkew is how far a clock may be off: a step of the usual codes.
const mostSkew = 30 * time.Second

// diagnose answers GET /mfa/doctor?site=
func diagnose(a administration, r *http.Request) (any, error) {
	d := &diagnosis{Checks: []finding{}, Sites: []siteWalk{}}
	only := r.URL.Query().Get("site")
	if only != "" {
		if _, err := a.app.sites.find(only, func(*site) bool { return true }, "mfa"); err != nil {
			return nil, failed(http.StatusNotFound, err)
		}
	}
	d.files(a, r)
	d.configuration(a.app)
	d.backup(r.Context(), a)
	if gate, err := a.app.Gate(); err == nil {
		d.drift(r.Context(), gate)
	}
	all := waysOf(caddy.ActiveContext())
	for _, s := range a.app.sites.copies() {
		if only == "" || s.answersTo(only) {
			d.around(r.Context(), all, s, "site "+s.name)
			d.site(r.Context(), a, s)
		}
	}
	return d, nil
}

// files looks at who may read the keys, the records and the admin API.
func (d *diagnosis) files(a administration, r *http.Request) {
	keyset := a.vault().path
	if d.private("keyset", keyset) {
		d.say(resultOK, "keyset", "%s is readable by its owner only", keyset)
	}
	if b, ok := a.app.resource.opener.(*BadgerStore); ok && d.private("database", b.dir) {
		d.say(resultOK, "database", "%s is open to its owner only", b.dir)
		d.space(b.dir)
	}
	if p := a.vault().keys(); p.Error != "" {
		d.say(resultWarning, "keyset", "sealing the records anew broke off (%s): caddy mfa keys reseal", p.Error)
	}
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	switch {
	case !ok:
	case addr.Network() != "unix":
		d.say(resultWarning, "admin API", "it listens on %s, where every program of this machine can take second factors away; use a unix socket", addr)
	case d.private("admin API", addr.String()):
		d.say(resultOK, "admin API", "the socket %s is open to its owner only", addr)
	}
}

// private tells whether nobody but the owner has rights on a file, and says so if not.
func (d *diagnosis) private(about, file string) bool {
	info, err := os.Stat(file)
	if err != nil {
		d.say(resultWarning, about, "cannot be looked at: %v", err)
		return false
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		want := fs.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		d.say(resultDangerous, about, "%s has mode %04o; others must have no rights on it: chmod %04o", file, mode, want)
		return false
	}
	if foreign(info) {
		d.say(resultDangerous, about, "%s belongs to another user than who runs this server: that user can read it; chown it", file)
		return false
	}
	return true
}

// littleSpace is when the disk should be looked after: below 64 MiB nothing is written any more.
const littleSpace = 512 << 20

// space looks whether the disk has room for the records to come.
func (d *diagnosis) space(dir string) {
	switch free, known := freeSpace(dir); {
	case !known:
	case free < littleSpace:
		d.say(resultWarning, "disk", "%d MiB are free beside %s; below 64 nobody can sign in any more", free>>20, dir)
	default:
		d.say(resultOK, "disk", "%d MiB are free beside %s", free>>20, dir)
	}
}

// configuration looks at what holds for all sites.
func (d *diagnosis) configuration(app *App) {
	if app.Notify == nil {
		d.say(resultWarning, "notify", "people are not told when their second factor changes; write notify in the global mfa block")
	} else {
		d.say(resultOK, "notify", "people are told what happens to their second factor")
	}
	if app.Support == nil {
		d.say(resultWarning, "support", "the pages name nobody to ask; write support in the global mfa block")
	}
}

// site looks at one site, and tries its side doors.
func (d *diagnosis) site(ctx context.Context, a administration, s *site) {
	about := "site " + s.name
	d.exposure(a, s, about)
	if s.login == nil {
		return
	}
	form := s.login.Form
	if s.options.Mode == "observe" {
		d.say(resultDangerous, about, "mode observe: everything passes; no doors were tried")
		return
	}
	if form.Config().Identify == nil {
		d.say(resultWarning, about, "no identify: the typed name counts, and an account switch inside the app cannot be seen")
	}
	if form.LeavesSockets() {
		d.say(resultWarning, about, unjudgedSockets)
	}
	ctx, cancel := context.WithTimeout(ctx, walkLimit)
	defer cancel()
	for _, text := range s.urls() {
		base, err := url.Parse(text)
		if err != nil {
			continue
		}
		if server := serverOf(base); server != nil {
			w := siteWalk{s.name, []triedDoor{}}
			var skew string
			for _, door := range doorsOf(form) {
				t, date, ok := door.try(ctx, server, base, form)
				if !ok {
					continue
				}
				w.Doors = append(w.Doors, t)
				if skew == "" {
					skew = date
				}
			}
			d.Sites = append(d.Sites, w)
			d.clock(about, skew)
			if !form.Config().Basic {
				d.room(ctx, server, base, form, about)
			}
			return
		}
	}
	d.say(resultWarning, about, "no address of it is one that this server listens on, so no doors were tried")
}

// exposure looks at how a site is reached, and at who may enrol.
func (d *diagnosis) exposure(a administration, s *site, about string) {
	for _, text := range s.urls() {
		u, err := url.Parse(text)
		if err != nil || u.Scheme == "https" || loopbackHost(u.Hostname()) {
			continue
		}
		if server := serverOf(u); server == nil || server.TrustedProxiesRaw == nil {
			d.say(resultDangerous, about, "%s is served without HTTPS, and no trusted_proxies say that something in front does it: the gate refuses everybody there", text)
		}
	}
	if from := a.app.sites.enrollFrom(s.realm); s.pages.telling != nil && !s.pages.typed() && (len(from) == 0 || from[0] == "open") {
		d.say(resultWarning, about, "first enrolment is open to whoever has a password (enroll_from)")
	}
	if s.options.ResetDelay == 0 {
		d.say(resultOK, about, "people who lost every factor cannot ask for a reset by themselves (reset_delay)")
	}
}

// clock compares this machine's with the Date of an answer of the app.
func (d *diagnosis) clock(about, date string) {
	at, err := http.ParseTime(strings.TrimSpace(date))
	if err != nil {
		return
	}
	if skew := time.Since(at).Round(time.Second); skew > mostSkew || skew < -mostSkew {
		d.say(resultWarning, about, "the app's clock and this machine's are %s apart: one of them is wrong, and codes depend on this one", skew.Abs())
		return
	}
	d.say(resultOK, about, "the app's clock and this machine's agree")
}
