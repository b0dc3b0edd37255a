package loginattack

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// forged are the gate's forms that change something.
var forged = rapid.SampledFrom([]string{
	"/.mfa/challenge", "/.mfa/challenge", "/.mfa/sign-out", "/.mfa/sign-out", "/.mfa/enroll/totp", "/.mfa/recovery-codes", "/.mfa/disable",
})

// forge posts one of the gate's forms that was not shown in this session: as a script in the app could, or a
// page of an attacker's in a browser that does not tell where a request comes from. The token is
// none, or that of another session. It does nothing, right as the code may be.
func (m *model) forge(rt *rapid.T) {
	b, uri, user := m.pick(rt), forged.Draw(rt, "form"), rapid.SampledFrom(enrolled).Draw(rt, "user")
	m.settled(b)
	shown := m.shown(rt)
	method, code, _ := m.code(rt, user)
	form := url.Values{"method": {method}, "code": {code}, "everywhere": {"1"}, "action": {"new"}}
	if token := shown.find(gateToken); shown.of != "" && shown.of != b.token() {
		form.Set("form_token", token)
	}
	c := b.copied()
	r := c.request("POST", uri, formType, form.Encode())
	silent := rapid.Bool().Draw(rt, "silent")
	if silent {
		for _, name := range []string{"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"} {
			r.Header.Del(name)
		}
	}
	c.send(r)
	if mine, now := b.cookies[m.w.gateName()], c.cookies[m.w.gateName()]; mine != now {
		rt.Fatalf("a form for %s that was never shown ends or renews the session: %d", uri, c.last.Code)
	}
	if to := c.last.Header().Get("Location"); silent && strings.HasPrefix(to, "/.mfa/") {
		rt.Fatalf("a form for %s that was never shown leads to %s", uri, to)
	}
	b.client = c
}

// shown is a browser of which the page may have a token: that of anybody, or an attacker's who has come
// as far as the challenge.
func (m *model) shown(rt *rapid.T) *client {
	if rapid.IntRange(0, 2).Draw(rt, "the attacker's own") > 0 {
		return m.pick(rt).client
	}
	c := m.w.client()
	if c.signIn("eve"); c.accepted() {
		c.get("/.mfa/challenge")
	}
	return c
}

// guesses are as many as count in a row, and one more.
const guesses = 6

// guess tries codes of somebody whose password is known, until the gate looks at none for a while, the right
// one included.
func (m *model) guess(rt *rapid.T) {
	user := rapid.SampledFrom(enrolled).Draw(rt, "user")
	c := m.w.client()
	if rapid.IntRange(0, 2).Draw(rt, "patience") > 0 || !m.sound() {
		return
	}
	if c.signIn(user); !c.accepted() {
		return
	}
	m.guessed[user] = true
	if c.get("/.mfa/challenge"); c.last.Code != 200 {
		return
	}
	method, code := "totp", c.code(user)
	if rapid.Bool().Draw(rt, "of the list") {
		method, code = "recovery", m.w.phones[user].codes[2] // which nothing else uses
	}
	looked := 0
	for range guesses {
		m.answer(c, user, method, otherThan(code))
		if c.last.Code == 401 {
			looked++
		}
	}
	ok := m.answer(c, user, method, code)
	if looked == guesses || looked == guesses-1 && ok {
		rt.Fatalf("of %d wrong codes of %s, sent at once, %d were looked at, and then the right one: %t", guesses, user, looked, ok)
	}
}

// otherThan returns a code of the same shape.
func otherThan(code string) string {
	last := code[len(code)-1]
	if last == '0' {
		return code[:len(code)-1] + "1"
	}
	return code[:len(code)-1] + "0"
}

// overstay uses a session beyond its time: of 15 minutes after the password, or of 12 hours after the first proof,
// whether it was in use, lay idle, or was locked and opened again. Not even a code does then.
func (m *model) overstay(rt *rapid.T) {
	user, kind := rapid.SampledFrom(enrolled).Draw(rt, "user"), rapid.IntRange(0, 59).Draw(rt, "kind")
	c, began, life := m.w.client(), time.Now(), 15*time.Minute
	if !m.sound() || kind > 14 {
		return
	}
	if c.signIn(user); !c.accepted() {
		return
	}
	switch kind {
	case 0, 1, 2:
		m.guessed[user], life = true, 12*time.Hour
		if !c.prove(user) {
			return
		}
		began = time.Now()
	}
	switch kind {
	case 0:
		for time.Since(began) < life-30*time.Minute {
			time.Sleep(25 * time.Minute)
			c.get("/notes")
		}
	case 1:
		time.Sleep(40 * time.Minute)
		m.w.ended(c.token())
		c.prove(user)
	}
	time.Sleep(life + time.Minute - time.Since(began))
	m.w.ended(c.token())
	c.get("/notes")
	if c.get("/.mfa/challenge"); c.last.Code == 200 {
		rt.Fatalf("%v after it began a session of %s still asks for a code", time.Since(began), user)
	}
}

// polled is a request that pages make by themselves.
const polled = "/api/notes"

// poll is a page that goes on asking while nobody is there. That is no use: an idle session is locked all the same.
func (m *model) poll(rt *rapid.T) {
	b, every := m.pick(rt), rapid.SampledFrom([]time.Duration{time.Minute, 10 * time.Minute}).Draw(rt, "every")
	for range rapid.IntRange(1, 4).Draw(rt, "times") {
		time.Sleep(every)
		b.plain = b.plain && m.sound() && !b.fouled
		m.over(b)
		b.get(polled)
	}
}

// steady fails the test if what another site has sent changed anything about the session where nothing but
// that could have: at the gate's own pages, at the login form and at the sign-out.
func (m *model) steady(rt *rapid.T, b *browser, c *client, uri, site string, post bool) {
	if !strings.HasPrefix(uri, "/.mfa/") && uri != "/logout" && (uri != "/login" || !post) {
		return
	}
	mine, now := b.cookies[m.w.gateName()], c.cookies[m.w.gateName()]
	if post && site == "cross-site" {
		mine = "" // it stays behind
	}
	if now != "" && slices.Contains(c.named(m.w.gateName()), now) {
		return // what somebody has planted came with the request, and is set anew
	}
	if mine != now {
		rt.Fatalf("a page of a %s that opens %s changes the session: %d, %v", site, uri, c.last.Code, slices.Sorted(maps.Keys(c.cookies)))
	}
}
