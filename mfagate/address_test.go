package mfagate_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

func asking(c *mfagate.Config) { c.NotifyAsk = true }

var mailedCode = regexp.MustCompile(`Your code: ([0-9]{6})\n`)

// asks proves the person anew and asks for an address.
func (p *person) asks(email string) *person {
	p.w.t.Helper()
	p.settings().get("/.mfa/address").want(200)
	return p.post("/.mfa/address", "action", "send", "email", email)
}

// codeIn returns the code of the one mail, to an address.
func codeIn(t *testing.T, mails []mail, to string) string {
	t.Helper()
	if len(mails) != 1 || mails[0].to != to {
		t.Fatalf("mails = %q; want one to %s", mails, to)
	}
	m := mailedCode.FindStringSubmatch(mails[0].Text)
	if m == nil || !strings.Contains(mails[0].HTML, m[1]) || strings.Contains(mails[0].Subject, m[1]) {
		t.Fatalf("mail = %q; want a code in both texts, and not in the subject", mails[0])
	}
	return m[1]
}

func (p *person) confirms(code string) *person {
	p.w.t.Helper()
	p.get("/.mfa/address").want(200)
	return p.post("/.mfa/address", "action", "confirm", "code", code)
}

// wrong is a code that is not the right one.
func wrong(code string, n int) string {
	for i := 0; ; i++ {
		if guess := fmt.Sprintf("%06d", i); guess != code {
			if n == 0 {
				return guess
			}
			n--
		}
	}
}

func TestAddressIsAskedAndConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office, store := new(postOffice), new(memory.Store)
		w := newNotifying(t, store, office, asking)
		alice := w.person("alice").enrol("/")
		alice.get("/.mfa/").want(200)
		if !strings.Contains(alice.body, "no e-mail address") {
			t.Error("the security page does not say that there is no address")
		}
		alice.get("/.mfa/address").want(303, "/.mfa/challenge") // a fresh proof first
		alice.asks("alice@example.com").want(303, "/.mfa/address")
		code := codeIn(t, office.delivered(), "alice@example.com")
		if strings.Contains(alice.body, code) || stored(t, store, code) {
			t.Error("the code is on the page, or in a record")
		}
		alice.confirms(code[:3]+" "+code[3:]).want(303, "/.mfa/?notice=address_confirmed")
		got := office.delivered()
		if len(got) != 1 || got[0].to != "alice@example.com" {
			t.Errorf("mails = %q; want the notice that messages come here now", got)
		}
		alice.get("/.mfa/").want(200)
		if !strings.Contains(alice.body, "a•••@example.com") || strings.Contains(alice.body, "alice@example.com") {
			t.Error("the security page does not tell the address, masked")
		}
		alice.post("/.mfa/address", "action", "confirm", "code", code).want(http.StatusConflict) // once

		alice.asks("other@example.com").want(303)
		alice.confirms(codeIn(t, office.delivered(), "other@example.com")).want(303)
		got = office.delivered()
		if old, now := subjects(got, "alice@example.com"), subjects(got, "other@example.com"); len(got) != 2 || len(old) != 1 || len(now) != 1 {
			t.Errorf("mails = %q; want one to the old and one to the new address", got)
		}
		if _, err := w.gate.SignOut(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "alice"}); err != nil {
			t.Fatal(err)
		}
		if got := office.delivered(); len(got) != 1 || got[0].to != "other@example.com" {
			t.Errorf("mails = %q; want one to the new address", got)
		}
	})
}

// stored tells whether a text is in any record.
func stored(t *testing.T, store *memory.Store, text string) bool {
	t.Helper()
	for _, prefix := range []string{"awaited/", "user/", "event/", "outbox/", "session/", "step/"} {
		records, err := store.List(t.Context(), prefix, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if strings.Contains(string(r.Value), `"`+text+`"`) {
				return true
			}
		}
	}
	return false
}

// Whoever has a session, but no fresh proof, moves nothing.
func TestAddressTakesAFreshProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office, asking)
		alice := w.person("alice").enrol("/")
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/address", "action", "send", "email", "thief@example.com").want(303, "/.mfa/challenge")
		alice.settings()
		time.Sleep(6 * time.Minute)
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/address", "action", "send", "email", "thief@example.com").want(303, "/.mfa/challenge")

		time.Sleep(time.Minute) // a code on paper does not do either
		alice.get("/.mfa/challenge?purpose=settings").want(200)
		alice.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0], "purpose", "settings").want(303)
		office.delivered()
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/address", "action", "send", "email", "thief@example.com").want(303, "/.mfa/challenge")
		if got := office.delivered(); len(got) != 0 {
			t.Errorf("mails = %q; want none", got)
		}
	})
}

func TestAddressFromElsewhereIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office, asking)
		alice, bob := w.person("alice").enrol("/"), w.person("bob").enrol("/")
		alice.settings().get("/.mfa/address").want(200)
		alice.header.Set("Sec-Fetch-Site", "cross-site")
		alice.post("/.mfa/address", "action", "send", "email", "thief@example.com").want(http.StatusForbidden)
		alice.header.Del("Sec-Fetch-Site")
		alice.post("/.mfa/address", "action", "send", "email", "thief@example.com", "form_token", "x").want(http.StatusForbidden)
		bob.settings().get("/.mfa/address").want(200)
		alice.post("/.mfa/address", "action", "send", "email", "thief@example.com", "form_token", bob.token()).want(http.StatusForbidden)
		if got := office.delivered(); len(got) != 0 {
			t.Fatalf("mails = %q; want none", got)
		}
		alice.asks("alice@example.com").want(303)
		code := codeIn(t, office.delivered(), "alice@example.com")
		bob.get("/.mfa/").want(200)
		bob.post("/.mfa/address", "action", "confirm", "code", code).want(http.StatusConflict) // it is alice's
		thief := alice.elsewhere()                                                             // has the password
		thief.get("/.mfa/address").want(303, "/.mfa/challenge").follow().want(200)
		thief.post("/.mfa/address", "action", "confirm", "code", code).want(http.StatusUnauthorized)
		alice.confirms(code).want(303)
	})
}

// Five wrong codes end it, also when they come at once, and so do ten minutes.
func TestAddressCodeIsNotGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office, asking)
		alice := w.person("alice").enrol("/")
		alice.asks("alice@example.com").want(303)
		code := codeIn(t, office.delivered(), "alice@example.com")
		for n := range 4 {
			alice.confirms(wrong(code, n)).want(http.StatusUnprocessableEntity)
		}
		alice.confirms(code + "0").want(http.StatusUnprocessableEntity)
		alice.settings().get("/.mfa/address").want(200)
		alice.post("/.mfa/address", "action", "confirm", "code", code).want(http.StatusConflict)

		alice.asks("alice@example.com").want(303)
		code = codeIn(t, office.delivered(), "alice@example.com")
		alice.get("/.mfa/address").want(200)
		token := alice.token()
		var wg sync.WaitGroup
		for n := range 30 {
			wg.Go(func() {
				q := alice.elsewhere()
				q.header, q.cookies = alice.header.Clone(), map[string]string{}
				maps.Copy(q.cookies, alice.cookies)
				q.post("/.mfa/address", "action", "confirm", "code", wrong(code, n), "form_token", token)
			})
		}
		wg.Wait()
		alice.post("/.mfa/address", "action", "confirm", "code", code).want(http.StatusConflict)

		alice.asks("alice@example.com").want(303)
		code = codeIn(t, office.delivered(), "alice@example.com")
		alice.get("/.mfa/address").want(200)
		time.Sleep(10 * time.Minute)
		alice.post("/.mfa/address", "action", "confirm", "code", code).want(303, "/.mfa/challenge") // gone; asked anew
		if got := office.delivered(); len(got) != 0 {
			t.Errorf("mails = %q; want no address moved", got)
		}
	})
}

// Neither a person nor many together fill anybody's mailbox.
func TestAddressMailsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office, asking)
		alice := w.person("alice").enrol("/")
		sent := 0
		for n := range 8 {
			alice.asks(fmt.Sprintf("a%d@example.com", n))
			sent += len(office.delivered())
			alice.get("/.mfa/address").want(200)
			alice.post("/.mfa/address", "action", "other").want(303)
		}
		if sent != 5 {
			t.Errorf("%d mails for one person in a day; want 5", sent)
		}
		sent = 0
		for _, name := range []string{"bob", "carol", "dave", "erin", "frank", "grace", "heidi"} {
			w.person(name).enrol("/").asks("Victim@example.com")
			sent += len(office.delivered())
		}
		if sent != 5 {
			t.Errorf("%d mails to one address in a day; want 5", sent)
		}
		time.Sleep(25 * time.Hour)
		alice = alice.away()
		alice.asks("a9@example.com").want(303, "/.mfa/address")
		if got := office.delivered(); len(got) != 1 {
			t.Errorf("the next day: mails = %q; want one", got)
		}
	})
}

// An address that the source or the operator tells cannot be moved by whoever sits at
// the keyboard.
func TestGivenAddressStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office, asking, func(c *mfagate.Config) {
			c.NotifyAddresses, c.NotifyAddress = map[string]string{"bob": "b@table.example"}, "{user}@template.example"
		})
		alice := w.mailed("alice").enrol("/")
		bob := w.person("bob").enrol("/")
		carol := w.person("carol").enrol("/")
		got := office.delivered()
		for _, to := range []string{"alice@example.com", "b@table.example", "carol@template.example"} {
			if len(subjects(got, to)) != 1 {
				t.Errorf("mails = %q; want one to %s", got, to)
			}
		}
		for _, p := range []*person{alice, bob} {
			p.settings().get("/.mfa/address").want(200)
			if strings.Contains(p.body, `name="email"`) {
				t.Errorf("%s is asked for an address", p.name)
			}
			p.get("/.mfa/").want(200)
			p.post("/.mfa/address", "action", "send", "email", "thief@example.com").want(http.StatusConflict)
		}
		if got := office.delivered(); len(got) != 0 {
			t.Errorf("mails = %q; want none", got)
		}
		carol.asks("carol@example.com").want(303) // a template is a guess
		carol.confirms(codeIn(t, office.delivered(), "carol@example.com")).want(303)
		if got := office.delivered(); len(subjects(got, "carol@template.example")) != 1 || len(subjects(got, "carol@example.com")) != 1 {
			t.Errorf("mails = %q; want one to each of carol's addresses", got)
		}
	})
}

func TestAddressMalformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office, asking)
		alice := w.person("alice").enrol("/")
		for _, bad := range []string{
			"", "alice", "a@b@c", "a@example.com,b@example.com", "Alice <a@example.com>", "a@example.com\r\nBcc: b@example.com",
			"a@example.com\x00", `"a b"@example.com`, strings.Repeat("a", 250) + "@example.com", "a@example.com (x)",
		} {
			alice.asks(bad).want(http.StatusUnprocessableEntity)
		}
		if got := office.delivered(); len(got) != 0 {
			t.Errorf("mails = %q; want none", got)
		}
	})
}

// A mail server that is down, hangs or panics says so at once, and leaves no code behind.
func TestAddressWhileServerIsDown(t *testing.T) {
	for name, hangs := range map[string]bool{"down": false, "hangs": true} {
		synctest.Test(t, func(t *testing.T) {
			office := new(postOffice)
			w := newNotifying(t, nil, office, asking)
			alice := w.person("alice").enrol("/")
			office.set(errors.New("connection refused"), hangs)
			alice.settings().get("/.mfa/address").want(200)
			begin := time.Now()
			alice.post("/.mfa/address", "action", "send", "email", "alice@example.com").want(http.StatusServiceUnavailable)
			if d := time.Since(begin); d > 20*time.Second {
				t.Errorf("%s: it took %v; want at most 20 s", name, d)
			}
			if !strings.Contains(alice.body, `name="email"`) {
				t.Errorf("%s: the page asks for no address", name)
			}
			alice.get("/").want(200)
		})
	}
}

func TestAddressIsOffByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, sender := range []mfagate.Sender{nil, new(postOffice)} {
			w := newNotifying(t, nil, sender, func(c *mfagate.Config) { c.NotifyAsk = sender == nil })
			alice := w.person("alice").enrol("/")
			alice.get("/.mfa/address").want(http.StatusNotFound)
			alice.get("/.mfa/").want(200)
			alice.post("/.mfa/address", "action", "send", "email", "alice@example.com").want(http.StatusNotFound)
		}
	})
}
