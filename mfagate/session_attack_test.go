package mfagate_test

import (
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// Somebody's eleventh session ends the first: one that the account knows no more could be
// ended neither by its owner nor by an administrator.
func TestEleventhSessionEndsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		first := w.person("alice").enrol("/")
		var others []*person
		for range 9 {
			time.Sleep(time.Minute)
			others = append(others, first.elsewhere().prove("/", 0).want(303, "/"))
		}
		first.get("/").want(200)
		time.Sleep(time.Minute)
		others = append(others, first.elsewhere().prove("/", 0).want(303, "/"))
		first.get("/").want(303, "/.mfa/challenge")
		for i, p := range others {
			if p.get("/"); p.last.Code != 200 {
				t.Errorf("session %d of 11: status = %d; want the app", i+2, p.last.Code)
			}
		}
	})
}

// A session counts where it was made: neither at a block of the same site that has another
// first factor, nor in another realm.
func TestSessionOfAnotherBlockOfTheSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newFormWorld(t)
		site := mfagate.Site{Name: "wiki"}
		form := w.formBlock(&formApp{sessions: map[string]string{}}, site)
		password := w.block(func(c *mfagate.BlockConfig) { c.Site = site }).Handler(http.HandlerFunc(w.app))
		elsewhere := w.block(func(c *mfagate.BlockConfig) { c.Site, c.Site.Realm = site, "elsewhere" }).Handler(http.HandlerFunc(w.app))

		w.handler = form
		byForm := w.signedInByForm()
		w.handler = password
		byPassword := byForm.elsewhere()
		byPassword.name = "alice"
		byPassword.prove("/home", 1).want(303, "/home")
		byPassword.get("/home").want(200)

		before := w.hit()
		theirs := w.person("alice")
		maps.Copy(theirs.cookies, byForm.cookies)
		theirs.get("/home").want(303, "/.mfa/challenge")
		w.handler = elsewhere
		theirs = w.person("alice")
		maps.Copy(theirs.cookies, byPassword.cookies)
		theirs.get("/home").want(303, "/.mfa/enroll")
		if got := w.hit(); got != before {
			t.Errorf("%d requests reached the app; want none", got-before)
		}
		w.handler = form
		byPassword.name = ""
		byPassword.get("/home").want(303, "/login")
		byForm.get("/home").want(200)
	})
}
