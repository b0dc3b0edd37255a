package loginattack

import (
	"context"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"pgregory.net/rapid"

	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// together lets two clients do the same at the same time, perhaps with one of them slower.
func (m *model) together(rt *rapid.T, first, last *client, do func(*client)) {
	pace := rapid.SampledFrom([]string{"", "there", "back"}).Draw(rt, "slow")
	m.w.crowded.Add(1)
	defer m.w.crowded.Add(-1)
	var all sync.WaitGroup
	for _, c := range []*client{first, last} {
		all.Go(func() {
			header := c.header
			if c == last && pace != "" {
				c.header = header.Clone()
				c.header.Set(slow, pace)
			}
			do(c)
			c.header = header
		})
	}
	all.Wait()
}

// leaveSoon makes what follows requests of somebody who leaves after a second.
func (c *client) leaveSoon() context.CancelFunc {
	ctx, stop := context.WithTimeout(c.w.t.Context(), time.Second)
	c.gone = ctx
	return stop
}

// colleague makes a browser, now and then, one of somebody who has signed in with a factor of her own.
func (m *model) colleague(rt *rapid.T, b *browser) {
	if m.w.owner(b.token()) != "" || rapid.Bool().Draw(rt, "nobody special") {
		return
	}
	b.client = m.w.client()
	b.client.signIn("eve")
	b.client.prove("eve")
	m.guessed["eve"] = true // if the store has failed, say
	b.plain, b.who = false, ""
}

// copyAll gives a browser all cookies and the page of another.
func (m *model) copyAll(rt *rapid.T) {
	to, from := m.pick(rt), m.pick(rt)
	to.client = from.copied()
	to.plain, from.plain, m.shared = false, false, true
}

// mix gives a browser one cookie of another, and perhaps its session at the gate.
func (m *model) mix(rt *rapid.T) {
	to, from := m.pick(rt), m.pick(rt)
	m.colleague(rt, to)
	for _, name := range slices.Sorted(maps.Keys(from.cookies)) {
		if rapid.Bool().Draw(rt, name) {
			to.cookies[name] = from.cookies[name]
		}
	}
	to.plain, from.plain, m.shared = false, false, true
}

// goBack takes up the cookies of an earlier time, and keeps those of now.
func (m *model) goBack(rt *rapid.T) {
	b := m.pick(rt)
	now := maps.Clone(b.cookies)
	if b.old != nil {
		b.cookies, b.plain, m.shared = b.old, false, true
	}
	b.old = now
}

// rivals are two browsers with the same login page and cookies, in which two people do what
// they can for a while.
func (m *model) rivals(rt *rapid.T) {
	first, second := m.pick(rt), m.pick(rt)
	if rapid.Bool().Draw(rt, "signed out") {
		first.client = m.w.client()
	}
	m.settled(first)
	first.get("/login")
	second.client = first.copied()
	first.who, second.who, first.plain, second.plain, m.shared = "", "", false, false, true
	for range rapid.IntRange(2, 6).Draw(rt, "steps") {
		b := []*browser{first, second}[rapid.IntRange(0, 1).Draw(rt, "rival")]
		user := rapid.SampledFrom([]string{"vic", "eve"}).Draw(rt, "user")
		m.settled(b)
		switch rapid.IntRange(0, 3).Draw(rt, "step") {
		case 0, 1:
			b.client.submit(user, m.w.app.Password(user))
		case 2:
			m.guessed[user] = true
			b.client.prove(user)
		case 3:
			b.get(paths.Draw(rt, "page"))
		}
	}
	for _, b := range []*browser{first, second} {
		b.get("/notes")
		b.get("/login")
	}
}

// overtake sends a password and, at the same time, a request with the same cookies. The latter
// reaches the app only after the former, or while that is being answered.
func (m *model) overtake(rt *rapid.T) {
	b, user, path := m.pick(rt), people.Draw(rt, "user"), paths.Draw(rt, "page")
	m.faults.calls.Store(0) // else it would be anybody's guess which of the two it hits
	m.settled(b)
	if rapid.Bool().Draw(rt, "open the page first") {
		b.get("/login")
	}
	thief := b.copied()
	m.w.ledger.Surface = func(a oracle.Act) bool {
		return oracle.LoginSurface(a) || a.Action == oracle.View && a.URI == "/login" // held, and delivered to nobody
	}
	m.w.crowded.Add(1)
	slowest := rapid.SampledFrom([]string{"the password", "the other"}).Draw(rt, "slow")
	if slowest == "the password" {
		b.header.Set(slow, "back")
	} else {
		thief.header.Set(slow, "there")
	}
	var all sync.WaitGroup
	all.Go(func() { b.client.submit(user, m.w.app.Password(user)) })
	all.Go(func() { thief.get(path) })
	all.Wait()
	m.w.ledger.Check(m.w.t)
	m.w.ledger.Surface = nil
	m.w.crowded.Add(-1)
	b.header = http.Header{}
	b.plain = false
}

// sideDoor knows the right password, or the key of an app's interface, and gives it where no login
// form is.
func (m *model) sideDoor(rt *rapid.T) {
	b, user := m.pick(rt), people.Draw(rt, "user")
	m.settled(b)
	m.colleague(rt, b)
	c, fields := b.copied(), url.Values{"user": {user}, "password": {m.w.app.Password(user)}}.Encode()
	path := paths.Draw(rt, "page")
	switch rapid.SampledFrom([]string{"basic", "key", "key in the query", "query", "form", "as", "switch", "session"}).Draw(rt, "door") {
	case "basic":
		c.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+m.w.app.Password(user))))
		c.get(path)
	case "key":
		c.header.Set("X-Api-Key", m.w.app.Key(user))
		c.get(path)
	case "key in the query":
		c.get(path + "?key=" + m.w.app.Key(user))
	case "query":
		c.get(path + "?" + fields)
	case "form":
		c.send(c.request("POST", path, formType, fields))
	case "as":
		c.get(path + "?as=" + user)
	case "switch":
		if m.unlisted {
			return
		}
		c.get("/switch?to=" + user)
	case "session":
		c.get(path + "?sid=" + plantedID)
	}
	if token := b.token(); c.token() != token {
		m.w.ended(token)
	}
	c.header = b.header
	b.client, b.plain = c, false
}

// plantedID is a session id that some apps take from whoever makes it up.
const plantedID = "0123456789abcdef0123456789abcdef"

// plant lets a sibling domain set cookies: made up, or those that the gate has given to the attacker's
// own browser. Under HTTPS no sibling can set those of the gate, but may try names that look like
// them.
func (m *model) plant(rt *rapid.T) {
	b, attacker := m.pick(rt), m.pick(rt)
	b.planted = slices.Clone(b.planted)
	if rapid.IntRange(0, 3).Draw(rt, "clear") == 0 {
		b.planted, b.fouled = nil, false
	}
	for range rapid.IntRange(1, 2).Draw(rt, "cookies") {
		name := rapid.SampledFrom([]string{"sid", "sid", "remember", "theme", "sid~2", gateCookie, gateCookie + "_login", gateCookie + "_browser"}).Draw(rt, "name")
		values := []string{plantedID, "light", ""}
		for _, other := range slices.Sorted(maps.Keys(attacker.cookies)) {
			values = append(values, attacker.cookies[other])
		}
		value := rapid.SampledFrom(values).Draw(rt, "value")
		b.planted = append(b.planted, name+"="+value)
		b.fouled = b.fouled || m.fouls(name, value)
	}
	if m.w.secure && rapid.Bool().Draw(rt, "look-alike") {
		b.planted = append(b.planted, "\u2000__Host-"+gateCookie+"="+attacker.cookies[m.w.gateName()])
	}
	b.plain = b.plain && !b.fouled
}

// fouls tells whether a planted cookie may be one too many: the gate's own, one that goes in clear, or
// one that was sealed for whoever had the same cookies before.
func (m *model) fouls(name, value string) bool {
	return name == "theme" || strings.HasPrefix(name, gateCookie) && !m.w.secure || m.shared && len(value) > len(plantedID)
}

// crossSite is what a page of an attacker's can make a browser do: follow a link, or post a form. None of
// it signs anybody in or out, or counts as a proof.
func (m *model) crossSite(rt *rapid.T) {
	b := m.pick(rt)
	site := rapid.SampledFrom([]string{"cross-site", "same-site"}).Draw(rt, "site")
	uri := rapid.SampledFrom([]string{"/login", "/logout", "/notes", "/", "/.mfa/challenge", "/.mfa/sign-out"}).Draw(rt, "to")
	post := rapid.Bool().Draw(rt, "post")
	m.settled(b)
	m.colleague(rt, b)
	from := m.w.app.Count()
	c := b.copied()
	c.header.Set("Sec-Fetch-Site", site)
	c.header.Set("Sec-Fetch-Mode", "navigate")
	if post {
		m.postFrom(rt, c, site, uri)
	} else {
		c.get(uri)
	}
	c.header = b.header
	m.unharmed(rt, b, c, uri, from)
	m.steady(rt, b, c, uri, site, post)
	if post && site == "cross-site" {
		maps.Copy(c.cookies, without(b.cookies, c.cookies))
	}
	b.client = c
}

// postFrom posts a form with eve's password and code to a site. Cookies go along from a sibling alone.
func (m *model) postFrom(rt *rapid.T, c *client, site, uri string) {
	c.header.Set("Origin", "http://evil.localhost")
	if site == "cross-site" {
		c.cookies = map[string]string{}
	}
	if !m.w.modern { // and one of those that tell the origin alone
		c.header.Del("Sec-Fetch-Site")
		c.header.Del("Sec-Fetch-Mode")
	}
	form := url.Values{"user": {"eve"}, "password": {m.w.app.Password("eve")}, "method": {"totp"}, "code": {m.w.client().code("eve")}}
	for name, of := range map[string]string{"token": c.find(appToken), "form_token": c.find(gateToken)} {
		if of != "" {
			form.Set(name, of)
		}
	}
	if !strings.HasPrefix(uri, "/.mfa/") {
		form.Del("method")
		form.Del("code")
	}
	c.send(c.request("POST", uri, formType, form.Encode()))
}

// unharmed fails the test if what another site has sent did something at the login form, or to the
// session.
func (m *model) unharmed(rt *rapid.T, b *browser, c *client, uri string, from int) {
	for _, a := range m.w.app.Since(from) {
		if a.Action == oracle.SignIn || a.Action == oracle.Refuse || a.Action == oracle.SignOut {
			rt.Fatalf("a page of another site makes the app %q as %q: %s %s", a.Action, a.User, a.Method, a.URI)
		}
	}
	mine, now := b.cookies[m.w.gateName()], c.cookies[m.w.gateName()]
	if b.plain && mine != "" && now != mine && now != "" {
		rt.Fatalf("a page of another site that opens %s gets the session exchanged: %d", uri, c.last.Code)
	}
}

// without returns the cookies of all that are not among some.
func without(all, some map[string]string) map[string]string {
	rest := maps.Clone(all)
	maps.DeleteFunc(rest, func(name, _ string) bool { _, ok := some[name]; return ok })
	return rest
}
