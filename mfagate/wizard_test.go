package mfagate_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// The browsers whose names tell the device.
const (
	agentDesktop = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	agentIPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	agentAndroid = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36"
)

// S6, S7, S31, S57: the wizard recommends apps, with links to the store of the
// device; on a phone, which cannot scan its own screen, a link opens the app.
func TestAppsForTheDevice(t *testing.T) {
	const ios, android = "https://apps.apple.com/", "https://play.google.com/"
	tests := map[string]struct {
		agent        string
		ios, android bool
	}{
		"computer":         {agentDesktop, true, true},
		"iPhone":           {agentIPhone, true, false},
		"Android phone":    {agentAndroid, false, true},
		"nobody knows":     {"", true, true},
		"markup in a name": {`"><a href="otpauth:x">`, true, true},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.person("alice")
			p.header.Set("User-Agent", test.agent)
			p.get("/").want(303).follow().want(200)
			p.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
			for _, app := range []string{"Microsoft Authenticator", "Google Authenticator", "Authy"} {
				if !strings.Contains(p.body, app) {
					t.Errorf("%s: the page does not name %s", name, app)
				}
			}
			if got := strings.Contains(p.body, ios); got != test.ios {
				t.Errorf("%s: links to the App Store = %v; want %v", name, got, test.ios)
			}
			if got := strings.Contains(p.body, android); got != test.android {
				t.Errorf("%s: links to Google Play = %v; want %v", name, got, test.android)
			}
			phone := test.ios != test.android
			if got := strings.Contains(p.body, `href="otpauth://totp/`); got != phone {
				t.Errorf("%s: a link opens the app = %v; want %v", name, got, phone)
			}
			if !strings.Contains(p.body, `class="qr"`) {
				t.Errorf("%s: there is no QR code", name)
			}
		})
	}
}

// S13: the file of codes is named after the app and the user, and says whose codes
// they are, when they were made and that each works once.
func TestFileOfCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person("alice")
		p.get("/").want(303).follow()
		p.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303).follow().want(200).note()
		p.post("/.mfa/recovery-codes", "action", "download", "set", p.set()).want(200)
		h := p.last.Header()
		if got, want := h.Get("Content-Disposition"), `attachment; filename="Example-alice-recovery-codes.txt"`; got != want {
			t.Errorf("Content-Disposition: got %q; want %q", got, want)
		}
		if got := h.Get("Content-Type") + h.Get("Cache-Control"); got != "text/plain; charset=utf-8no-store" {
			t.Errorf("type and storage: got %q; want plain text that is not stored", got)
		}
		lines := strings.Split(strings.TrimSpace(p.body), "\r\n")
		if got := lines[2:]; !slices.Equal(got, p.codes) {
			t.Errorf("codes: got %q; want %q", got, p.codes)
		}
		for _, want := range []string{"Example", "alice", "2000-01-01", "works once", "away from your phone"} {
			if !strings.Contains(lines[0], want) {
				t.Errorf("the file begins with %q; want %q in it", lines[0], want)
			}
		}
	})
}

// S94: the names that stand for one person share factors, sessions and history; the
// app goes on to see the name that it knows.
func TestAliasesAreOnePerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) {
			c.Site.Names.Aliases = map[string]string{`CORP\bob`: "bob", "bob@example.com": "bob"}
		})
		bob := w.person(`CORP\bob`).enrol("/")
		bob.follow().want(200)
		if !strings.Contains(bob.body, `the app, for CORP\bob`) {
			t.Errorf("the app says %q; want the name that signed in", bob.body)
		}
		for _, name := range []string{"bob", "BOB@example.com"} {
			bob.name = name
			bob.get("/").want(200)
			time.Sleep(time.Minute)
			q := bob.elsewhere()
			q.prove("/", 0).want(303, "/")
		}
		users, err := w.gate.Users(t.Context(), "default", "", 10)
		if err != nil || len(users) != 1 || users[0].Name != "bob" || len(users[0].Factors) != 1 || users[0].Sessions != 3 {
			t.Errorf("users = %+v, %v; want bob with one device and three sessions", users, err)
		}
		bob.name = "bobby"
		bob.get("/").want(303, "/.mfa/enroll")
	})
}

// S94: an account that was there before its name became an alias is not merged: it
// opens nothing any more, and the one that the alias names decides.
func TestAliasOfAnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		old := w.person("robert").enrol("/")
		bob := w.person("bob").enrol("/")
		w.handler = w.block(func(c *mfagate.BlockConfig) {
			c.Site.Names.Aliases = map[string]string{"robert": "bob"}
		}).Handler(http.HandlerFunc(w.app))
		time.Sleep(time.Minute)
		old.get("/").want(303, "/.mfa/challenge")
		q := old.elsewhere()
		q.prove("/", 0).want(401)
		q = bob.elsewhere()
		q.name = "robert"
		q.prove("/", 0).want(303, "/")
	})
}

// S80, S82: switching on and off and every change between is told by mail, with the
// advice that goes with it.
func TestNoticesOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office)
		w.handler = w.block(mailing, func(c *mfagate.BlockConfig) {
			c.Site.Mode, c.Site.RemindEvery, c.Site.Confirm = mfagate.Optional, -1, mfagate.ConfirmNone
		}).Handler(http.HandlerFunc(w.app))
		alice := w.mailed("alice").enrolByTicket()
		wantSubjects(t, "switched on", office.delivered(), mailEnrolled)

		alice.settings()
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/enroll/totp", "replace", alice.ids()[0]).want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303)
		wantSubjects(t, "replaced", office.delivered(), "A device was replaced")

		alice.get("/.mfa/enroll").want(200)
		alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
		alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303)
		wantSubjects(t, "added", office.delivered(), mailEnrolled)
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/", "action", "remove", "id", alice.ids()[0]).want(303)
		wantSubjects(t, "removed", office.delivered(), "A way to confirm your sign-in was removed")

		alice.get("/.mfa/disable").want(200)
		alice.post("/.mfa/disable").want(200)
		if !strings.Contains(alice.body, "delete the entry in your authenticator app") {
			t.Errorf("the page does not say what to do in the authenticator app: %s", alice.body)
		}
		got := office.delivered()
		wantSubjects(t, "switched off", got, "Your second factor was switched off")
		if !strings.Contains(got[0].Text, "delete the entry in your authenticator app") || got[0].to != "alice@example.com" {
			t.Errorf("got %q to %q; want the advice to delete the entry", got[0].Text, got[0].to)
		}
	})
}
