package loginattack

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"
)

var (
	people = rapid.SampledFrom([]string{"alice", "vic", "eve", "alice", "vic", "eve", "newbie"}) // who has no factor
	paths  = rapid.SampledFrom([]string{"/", "/login", "/notes", "/whoami", "/static/app.css", "/nowhere", "/.mfa/", "/.mfa/challenge", "/.mfa/enroll"})
	waits  = rapid.SampledFrom([]time.Duration{
		time.Second, time.Second, 11 * time.Second, 11 * time.Second, 61 * time.Second, 61 * time.Second, 10 * time.Minute, 10 * time.Minute,
		20 * time.Minute, 20 * time.Minute, 40 * time.Minute, 40 * time.Minute, 13 * time.Hour,
	})
	which = rapid.IntRange(0, 3)
)

// A browser is a client with what it ought to be, as long as that is plain.
type browser struct {
	*client
	plain  bool   // nothing odd was done with its cookies since the last sign-in
	who    string // whose password was accepted last; empty after a sign-out
	since  time.Time
	proved time.Time // first proof since then; zero while it is due
	due    bool      // a proof is due
	used   time.Time
	old    map[string]string // cookies of an earlier time
	tabs   [2]page           // that are open beside the one that is shown
}

// pick draws a browser.
func (m *model) pick(rt *rapid.T) *browser { return m.browsers[which.Draw(rt, "browser")] }

// sound tells whether neither the store nor the app is about to fail.
func (m *model) sound() bool { return m.faults.calls.Load() == 0 && !m.trouble.pending() }

// settled tells whether the model knows what a request of the browser leads to, and notes that
// there is one.
func (m *model) settled(b *browser) bool {
	if !m.sound() || b.fouled {
		b.plain = false
	}
	now := time.Now()
	switch idle := now.Sub(b.used); {
	case b.who == "":
	case b.due && b.proved.IsZero() && now.Sub(b.since) > 14*time.Minute,
		!b.proved.IsZero() && now.Sub(b.proved) > 11*time.Hour:
		b.plain = false // about to end
	case !b.due && idle > 25*time.Minute && idle < 35*time.Minute:
		b.plain = false // about to be locked
	case !b.due && idle >= 35*time.Minute:
		b.due = true
	}
	if p := m.over(b); p != nil {
		if p.used = now; p.first.IsZero() {
			p.first = now
		}
	}
	b.used = now
	return b.plain
}

// over tells the ledger if the proof of a browser has ended by time, and returns the one that has not.
func (m *model) over(b *browser) *proof {
	token := b.token()
	m.w.mu.Lock()
	p := m.w.proofs[token]
	m.w.mu.Unlock()
	if p == nil {
		return nil
	}
	if now := time.Now(); !p.used.IsZero() && now.Sub(p.used) > 31*time.Minute || !p.first.IsZero() && now.Sub(p.first) > 12*time.Hour+time.Minute {
		m.w.ended(token)
		return nil
	}
	return p
}

func (m *model) open(rt *rapid.T) {
	b, path := m.pick(rt), paths.Draw(rt, "page")
	plain := m.settled(b)
	b.get(path)
	if plain && path == "/notes" {
		m.expect(rt, b)
	}
}

// expect fails the test unless the answer for /notes is what the model says.
func (m *model) expect(rt *rapid.T, b *browser) {
	to, next := b.last.Header().Get("Location"), onward(b.who)
	switch {
	case b.who == "" && (b.last.Code != 303 || to != "/login"):
		rt.Fatalf("a visitor gets %d to %q; want the login page", b.last.Code, to)
	case b.who != "" && b.due && (b.last.Code != 303 || !strings.HasPrefix(to, next)):
		rt.Fatalf("%s, after the password, gets %d to %q; want %s", b.who, b.last.Code, to, next)
	case b.who != "" && !b.due && (b.last.Code != 200 || !strings.Contains(b.body, `<p id="user">`+b.who+`</p>`)):
		rt.Fatalf("%s, after both factors, gets %d to %q, %.200q; want her page", b.who, b.last.Code, to, b.body)
	}
}

// onward is where somebody goes after the password.
func onward(user string) string {
	if slices.Contains(enrolled, user) {
		return "/.mfa/challenge"
	}
	return "/.mfa/enroll"
}

// tab shows another tab of the browser. The cookies are the same, the forms are those that it had.
func (m *model) tab(rt *rapid.T) {
	b := m.pick(rt)
	i := rapid.IntRange(0, len(b.tabs)-1).Draw(rt, "tab")
	b.page, b.tabs[i] = b.tabs[i], b.page
}

// A typed is what somebody types into the form.
type typed struct {
	user, name, password string
	right                bool // the app takes it
}

func (m *model) types(rt *rapid.T, user string) typed {
	ty := typed{user, user, m.w.app.Password(user), true}
	switch rapid.SampledFrom([]string{"right", "right", "right", "wrong", "former", "misspelt", "spelt"}).Draw(rt, "typed") {
	case "wrong":
		ty.password = "wrong"
	case "former":
		ty.password = m.former[user]
	case "misspelt":
		ty.name += "x"
	case "spelt":
		ty.name = rapid.SampledFrom([]string{strings.ToUpper(user), user + "@example.test"}).Draw(rt, "name")
	}
	ty.right = m.w.app.Canonical(ty.name) == user && ty.password == m.w.app.Password(user)
	return ty
}

// signIn submits the app's form, opened now, or shown by the tab for however long, or kept by a
// program that has never seen one. Whoever is refused may type again, what is right this time.
func (m *model) signIn(rt *rapid.T) {
	b, user := m.pick(rt), people.Draw(rt, "user")
	ty := m.types(rt, user)
	m.settled(b)
	opened := rapid.Bool().Draw(rt, "open the page first")
	if opened {
		b.get("/login")
	}
	if m.submit(rt, b, ty, opened) || ty.right && b.shownForm() || !rapid.Bool().Draw(rt, "type again") {
		return
	}
	if opened = !b.shownForm(); opened {
		b.get("/login")
	}
	m.submit(rt, b, typed{user, user, m.w.app.Password(user), true}, opened)
}

// shownForm tells whether the tab shows the app's form.
func (b *browser) shownForm() bool {
	return b.last != nil && b.last.Code < 500 && strings.Contains(b.body, `action="/login"`)
}

// submit sends the form of the tab, or one made up if there is none there, and tells
// whether the gate says that it was accepted. A form with the app's token must do if it is right: as
// it is where nothing odd was done with the cookies, or where it came with them a moment ago;
// with a token from anywhere the gate has renewed it.
func (m *model) submit(rt *rapid.T, b *browser, ty typed, opened bool) bool {
	sound := m.sound() && !b.fouled
	fits := !m.o.FormToken || b.find(appToken) != "" && (b.plain || opened)
	var more []string
	if rapid.Bool().Draw(rt, "remember me") {
		more = []string{"remember", "1"}
	}
	b.client.submit(ty.name, ty.password, more...)
	accepted := b.accepted()
	switch to := b.last.Header().Get("Location") + b.last.Header().Get("Mfa-Location"); {
	case accepted && !strings.HasPrefix(to, onward(ty.user)):
		rt.Fatalf("the password of %s, %+v, leads to %s; want %s", ty.user, ty, to, onward(ty.user))
	case accepted && !ty.right:
		rt.Fatalf("what is wrong, %+v, leads to %d %v", ty, b.last.Code, b.last.Header())
	case sound && fits && ty.right && !accepted && b.last.Code != 429:
		rt.Fatalf("what is right, %+v, leads to %d, %.300q", ty, b.last.Code, b.body)
	}
	b.since, b.proved, b.due = time.Now(), time.Time{}, true
	b.plain, b.who = sound && b.last.Code != 429, ""
	if accepted {
		b.who = ty.user
	}
	return accepted
}

// accepted tells whether the last answer asks for a second factor after a password.
func (c *client) accepted() bool {
	h := c.last.Header()
	return c.last.Code == 303 && strings.HasPrefix(h.Get("Location"), "/.mfa/") || c.last.Code == 401 && strings.HasPrefix(h.Get("Mfa-Location"), "/.mfa/")
}

// prove gives a code of somebody's phone or list, on the page of the challenge or on what else the tab
// shows.
func (m *model) prove(rt *rapid.T) {
	b, user := m.pick(rt), rapid.SampledFrom(enrolled).Draw(rt, "user")
	if slices.Contains(enrolled, b.who) && rapid.Bool().Draw(rt, "by right") {
		user = b.who
	}
	plain := m.settled(b)
	due, locked := b.due && b.who != "", !b.proved.IsZero()
	opened := rapid.IntRange(0, 2).Draw(rt, "open the page first") > 0
	if opened {
		b.get("/.mfa/challenge")
	}
	method, code, fresh := m.code(rt, user)
	if b.find(gateToken) == "" || opened && b.last.Code != 200 {
		m.refused(b, user, false)
		if opened && plain && due && !locked && b.who == user {
			rt.Fatalf("the challenge of %s is %d to %q", user, b.last.Code, b.last.Header().Get("Location"))
		}
		return
	}
	foreign := b.of != b.token()
	ok := m.answer(b.client, user, method, code)
	switch {
	case ok && foreign:
		rt.Fatalf("a code of %s counts on the page of another session", user)
	case ok && b.plain && b.who != user && b.who != "":
		rt.Fatalf("the code of %s counts for %s", user, b.who)
	case !ok && plain && opened && due && fresh && !locked && b.who == user && !m.guessed[user] && b.last.Code != 429:
		rt.Fatalf("the right code of %s is refused: %d, %.400q", user, b.last.Code, b.body)
	}
	if !ok {
		m.refused(b, user, true)
		return
	}
	m.passed(rt, b, due)
}

// code is one of the authenticator, new or as it was given last, or one of the list.
func (m *model) code(rt *rapid.T, user string) (method, code string, fresh bool) {
	p := m.w.phones[user]
	switch kind := rapid.SampledFrom([]string{"new", "new", "new", "last", "list"}).Draw(rt, "code"); {
	case kind == "last" && p.last != "":
		return "totp", p.last, false
	case kind == "list":
		return "recovery", rapid.SampledFrom(p.codes[:2]).Draw(rt, "of the list"), false // few, so that some come again
	}
	return "totp", m.w.client().code(user), true
}

// answer posts a code on the page that is shown, and tells whether it was accepted. No code may be
// so twice.
func (m *model) answer(c *client, user, method, code string) bool {
	before := c.token()
	c.sendAs(c.request("POST", "/.mfa/challenge", formType, c.form("method", method, "code", code)), user)
	after := c.token()
	if after == before || m.w.owner(after) != user {
		return false
	}
	value := code
	if method == "totp" {
		value = user + strconv.FormatInt(m.w.phones[user].step, 10)
	}
	m.w.ledger.Accepted(m.w.t, method, value)
	return true
}

// refused notes that a code was not accepted, or was not asked for.
func (m *model) refused(b *browser, user string, asked bool) {
	if asked || b.who != user || !b.plain {
		for _, name := range enrolled {
			m.guessed[name] = true
		}
	}
	b.used = time.Now()
	if !b.proved.IsZero() {
		b.plain = false // locked, perhaps
	}
}

// passed notes that a code was accepted.
func (m *model) passed(rt *rapid.T, b *browser, due bool) {
	b.used = time.Now()
	if !due {
		b.plain = false
		return
	}
	b.due = false
	if b.proved.IsZero() {
		b.proved = time.Now()
	}
	if b.plain {
		b.get("/notes")
		m.expect(rt, b)
	}
}

// logOut ends the session, whatever the app says to that.
func (m *model) logOut(rt *rapid.T) {
	b := m.pick(rt)
	plain := m.settled(b)
	kept := m.faults.calls.Load() > 0
	token, thief := b.token(), b.copied()
	if rapid.Bool().Draw(rt, "at the gate") {
		b.get("/.mfa/sign-out").post("/.mfa/sign-out")
		kept = kept || b.last.Code != 200
	} else {
		b.get("/logout")
	}
	if kept || b.fouled {
		b.plain = false
	} else {
		m.w.ended(token)
	}
	if b.last.Code >= 400 || b.cookies[m.w.gateName()] != "" {
		if plain && m.sound() && b.who != "" { // that of a session which is over by itself may stay
			rt.Fatalf("after the sign-out, %d, there is still a cookie: %v", b.last.Code, b.cookies)
		}
		b.plain = false
	}
	b.who, b.due = "", false
	if token != "" {
		if rapid.IntRange(0, 3).Draw(rt, "restart") == 0 {
			m.restart(rt) // which must not forget it
		}
		thief.get("/notes") // with the cookies as they were: that the browser has dropped them is no end
	}
}

// clickTwice sends one form of the app's twice at the same time. Each click is a sign-in of its own,
// and the browser keeps the cookies of the one that is answered last.
func (m *model) clickTwice(rt *rapid.T) {
	b, user := m.pick(rt), people.Draw(rt, "user")
	m.settled(b)
	plain, sound := b.plain, m.sound() && !b.fouled
	b.get("/login")
	fits := !m.o.FormToken || b.find(appToken) != "" && (plain || b.token() == "") // the first click ends a session
	first, last := b.copied(), b.copied()
	m.together(rt, first, last, func(c *client) { c.submit(user, m.w.app.Password(user)) })
	for _, c := range []*client{first, last} {
		if sound && fits && !c.accepted() && c.last.Code != 429 {
			rt.Fatalf("of two clicks of %s, one leads to %d, %.300q", user, c.last.Code, c.body)
		}
	}
	maps.Copy(first.cookies, last.cookies)
	last.cookies = first.cookies
	b.client, b.plain = last, false
	b.who = ""
}

// codeTwice posts one code in two browsers at the same time, or by two clicks in one.
func (m *model) codeTwice(rt *rapid.T) {
	b, other, user := m.pick(rt), m.pick(rt), rapid.SampledFrom(enrolled).Draw(rt, "user")
	m.settled(b)
	m.settled(other)
	b.get("/.mfa/challenge")
	if other != b {
		other.get("/.mfa/challenge")
	}
	first, last := b.client, other.client
	if other == b {
		last = b.copied()
	}
	method, code, _ := m.code(rt, user)
	for _, name := range enrolled {
		m.guessed[name] = true
	}
	b.plain, other.plain = false, false
	if first.find(gateToken) == "" || last.find(gateToken) == "" {
		return
	}
	m.together(rt, first, last, func(c *client) { m.answer(c, user, method, code) })
	if other == b && m.w.owner(last.token()) != "" {
		b.client = last
	}
}

// leave begins a request and leaves before the answer comes.
func (m *model) leave(rt *rapid.T) {
	b, user := m.pick(rt), people.Draw(rt, "user")
	plain, sound := m.settled(b), m.sound() && !b.fouled
	before, token := *b.client, b.token()
	b.header.Set(slow, rapid.SampledFrom([]string{"there", "back"}).Draw(rt, "slow"))
	stop := b.leaveSoon()
	defer stop()
	what := rapid.SampledFrom([]string{"sign in", "log out", "page"}).Draw(rt, "what")
	switch what {
	case "sign in":
		b.submit(user, m.w.app.Password(user))
	case "log out":
		b.get("/logout")
	case "page":
		b.get("/notes")
	}
	*b.client = before
	if what == "log out" && sound {
		m.w.ended(token)
	}
	b.plain = plain && what == "page"
	b.get("/notes")
	if b.plain {
		m.expect(rt, b)
	}
}
