package learn

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of what a Learner keeps.
const (
	maxLogins  = 16
	maxAnswers = 16 // of one login
	maxPlaces  = 32 // of each kind
	maxCookies = 64
	maxTries   = 1024 // clients whose last attempt may still tell something
	tryLife    = 5 * time.Minute
	maxWatched = 32 // bodies that are looked at, at the same time
	maxFound   = 24 // places of names
)

// A Learner learns about one app. It may be used by any number of goroutines. Make it
// with [New].
type Learner struct {
	onLogin func(Login) // told of each new kind of login
	salt    [16]byte
	slots   chan struct{} // for bodies

	mu       sync.Mutex
	since    time.Time
	requests int
	logins   table[*login]
	pages    table[Place] // that show a form with a password
	files    table[*files]
	logouts  table[Way]
	resets   table[Way]
	sockets  table[Place]
	programs table[Program]
	queries  table[Door]
	cookies  table[*Cookie]
	places   table[*Guarded]
	found    table[*Name]
	tries    map[[32]byte]*try
	typists  map[[32]byte]*typist
	holders  map[[32]byte]*holder
}

// A try is an attempt whose outcome the client's next page will tell.
type try struct {
	at     time.Time
	login  string
	answer *Answer
}

type login struct {
	Login
	answers table[*Answer]
}

// New returns a Learner that knows nothing. onLogin, if not nil, is told of each new kind of
// login, without the answers; it must return soon.
func New(onLogin func(Login)) *Learner {
	l := &Learner{onLogin: onLogin, slots: make(chan struct{}, maxWatched)}
	rand.Read(l.salt[:]) // never fails
	l.Forget()
	return l
}

// Forget makes l as it was when it was new.
func (l *Learner) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since, l.requests = time.Now(), 0
	l.logins, l.pages = newTable[*login](maxLogins), newTable[Place](maxPlaces)
	l.files, l.logouts, l.resets = newTable[*files](maxPlaces), newTable[Way](maxPlaces), newTable[Way](maxPlaces)
	l.sockets, l.programs, l.queries = newTable[Place](maxPlaces), newTable[Program](maxPlaces), newTable[Door](maxPlaces)
	l.cookies = newTable[*Cookie](maxCookies)
	l.places, l.found = newTable[*Guarded](maxPlaces), newTable[*Name](maxFound)
	l.tries, l.typists, l.holders = make(map[[32]byte]*try), make(map[[32]byte]*typist), make(map[[32]byte]*holder)
}

// Watch returns w and r with what is needed to learn from them. Both must be used in
// their place, and done be called after the answer was given. from is whom the
// request is from, as far as that is known.
func (l *Learner) Watch(w http.ResponseWriter, r *http.Request, from netip.Addr) (_ http.ResponseWriter, _ *http.Request, done func()) {
	v := &visit{Learner: l, r: r, from: from, at: placeOf(r.URL), encoding: encodingOf(r)}
	select {
	case l.slots <- struct{}{}:
		v.slot = true
	default: // too many at once; only what the heads tell is learnt
	}
	if v.slot && v.encoding != "" && r.Body != nil && r.ContentLength <= maxBody {
		v.body = &tee{ReadCloser: r.Body}
		v.r = r.WithContext(r.Context())
		v.r.Body = v.body
	}
	v.w = &watchedWriter{ResponseWriter: w, keep: func(h http.Header) bool { return v.slot && kind(h) != "" }}
	return v.w, v.r, v.done
}

// A tee keeps the beginning of a body that passes.
type tee struct {
	io.ReadCloser
	seen bytes.Buffer
	over bool
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if t.over = t.over || t.seen.Len()+n > maxBody; !t.over {
		t.seen.Write(p[:n])
	}
	return n, err
}

// A visit is one request.
type visit struct {
	*Learner
	w        *watchedWriter
	r        *http.Request
	from     netip.Addr
	at       Place
	encoding string
	body     *tee // nil unless it may be a login
	slot     bool
}

// done learns, when the answer was given.
func (v *visit) done() {
	if v.slot {
		defer func() { <-v.slots }()
	}
	if v.w.status == 0 {
		v.w.status = http.StatusOK
	}
	s := new(sent)
	var user, password string
	if v.body != nil && !v.body.over {
		s = read(v.encoding, v.r.Header.Get("Content-Type"), v.body.seen.Bytes())
		if user, password = s.credentials(); s.doubled() {
			password = ""
		} else if password == "" {
			user, password = s.nameless()
		}
	}
	for _, values := range v.r.URL.Query() {
		s.values = append(s.values, values...)
	}
	fresh := v.learn(s, user, password)
	if fresh != nil && v.onLogin != nil {
		v.onLogin(*fresh)
	}
}

// learn keeps what the request tells. It returns a login of a new kind.
func (v *visit) learn(s *sent, user, password string) (fresh *Login) {
	asks := password == "" && v.w.asks()
	v.mu.Lock()
	v.requests++
	v.heads(s)
	if password != "" {
		fresh = v.login(s, user, password)
	} else {
		v.brings()
		v.next(asks)
	}
	t, typed := v.whose(asks)
	v.mu.Unlock()
	if typed {
		v.names(t)
	}
	return fresh
}

// client is whom attempts are compared by: nothing that could be told outside.
func (v *visit) client() [32]byte {
	return sha256.Sum256(slices.Concat(v.salt[:], v.from.AsSlice(), []byte(v.r.UserAgent())))
}

// login notes an attempt, and returns it if it is of a new kind.
func (v *visit) login(s *sent, user, password string) *Login {
	where := s.where()
	key := v.r.Method + " " + v.at.URI() + " " + s.encoding + " " + user + " " + password + " " + strings.Join(where, " ")
	row, first := v.logins.see(key, func() *login {
		return &login{Login{
			Method: v.r.Method, Place: v.at, Encoding: s.encoding, User: user, Password: password, Where: where, Page: v.referer(),
		}, newTable[*Answer](maxAnswers)}
	})
	a := v.w.answer(s, v.r)
	known, _ := row.value.answers.see(a.key(), func() *Answer { return &a })
	known.value.Size = a.Size
	client := v.client()
	v.close(client, false)
	v.open(client, &try{time.Now(), key, known.value})
	v.types(client, s.value(user))
	v.gives(client, s, known.value)
	if a.Form || v.w.status == http.StatusUnauthorized || v.w.status == http.StatusForbidden {
		v.close(client, false)
	}
	if !first {
		return nil
	}
	out := row.value.Login
	return &out
}

// key tells kinds of answers apart.
func (a *Answer) key() string {
	return strings.Join(slices.Concat([]string{
		http.StatusText(a.Status), string(rune('0' + a.Status/100)), a.Type, a.Location, map[bool]string{true: "form"}[a.Form], "|",
	}, a.Cookies, []string{"|"}, a.Deleted, []string{"|"}, a.JSON, []string{"|", a.Text, "|"}, a.Words), " ")
}

// open waits for what the client does next.
func (v *visit) open(client [32]byte, t *try) {
	if len(v.tries) >= maxTries {
		var oldest [32]byte
		var at time.Time
		for c, other := range v.tries {
			if at.IsZero() || other.at.Before(at) {
				oldest, at = c, other.at
			}
		}
		delete(v.tries, oldest)
	}
	v.tries[client] = t
}

// close tells the outcome of the client's last attempt.
func (v *visit) close(client [32]byte, went bool) {
	t := v.tries[client]
	if t == nil {
		return
	}
	delete(v.tries, client)
	if who := v.typists[client]; who != nil {
		who.went, who.failed = went, !went
	}
	switch {
	case time.Since(t.at) > tryLife:
	case went:
		t.answer.Went++
	default:
		t.answer.Again++
	}
}

// next learns from what came after an attempt: a page with a form, or one without.
func (v *visit) next(asks bool) {
	reads := v.r.Method == http.MethodGet && v.w.status == http.StatusOK
	if asks && reads {
		v.pages.see(v.at.URI(), func() Place { return v.at })
	}
	if v.tries[v.client()] == nil {
		return
	}
	html := kind(v.w.Header()) == "html"
	switch {
	case asks:
		v.close(v.client(), false)
	case reads && html && v.w.keeps && v.w.plain() != nil:
		v.close(v.client(), true)
	}
}

// heads learns what method, URL and headers tell.
func (v *visit) heads(s *sent) {
	for _, c := range cookies(v.w.Header()) {
		if n := name(s.hide(c.Name)); n != "" && !c.Deleted {
			row, _ := v.cookies.see(n, func() *Cookie { return &Cookie{Name: n, HTTPOnly: c.HTTPOnly} })
			row.value.HTTPOnly = row.value.HTTPOnly && c.HTTPOnly
		}
	}
	v.ways()
	v.others()
	v.guarded()
	if page := v.referer(); page != nil && v.file() {
		if _, shown := v.pages.all[page.URI()]; shown {
			at := filesAt(v.at.Path)
			row, _ := v.files.see(at, func() *files { return &files{path: at} })
			row.value.asked(v.r.URL.RawQuery)
		}
	}
}

// ways finds how people sign out, and what they do who forgot their password.
func (v *visit) ways() {
	way := func() Way { return Way{v.r.Method, v.at} }
	if v.w.status >= 400 {
		return
	}
	if v.at.says(logoutWords) || v.at.keyed(logoutWords) {
		delete(v.typists, v.client())
		v.logouts.see(v.r.Method+" "+v.at.URI(), way)
	}
	if v.at.says(resetWords) {
		v.resets.see(v.r.Method+" "+v.at.URI(), way)
	}
}

// schemes are those of Authorization that are told by name. Anything else could be a secret
// without a scheme.
var schemes = []string{"Basic", "Bearer", "Digest", "Negotiate", "NTLM", "Token"}

func schemeOf(r *http.Request) string {
	text := r.Header.Get("Authorization")
	if text == "" {
		return ""
	}
	word, _, _ := strings.Cut(text, " ")
	if i := slices.IndexFunc(schemes, func(s string) bool { return strings.EqualFold(s, word) }); i >= 0 {
		return schemes[i]
	}
	return "other"
}

// others finds what is no person with a browser.
func (v *visit) others() {
	if strings.EqualFold(v.r.Header.Get("Upgrade"), "websocket") {
		v.sockets.see(v.at.Path, func() Place { return Place{Path: v.at.Path} })
	}
	scheme := schemeOf(v.r)
	if family := agent(v.r); family != "" || scheme != "" {
		p := Program{Agent: cmp.Or(family, "browser"), Authorization: scheme, Path: v.at.Path}
		v.programs.see(p.Agent+" "+p.Authorization+" "+p.Path, func() Program { return p })
	}
	values, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil {
		return
	}
	for key := range values {
		if passwordName.MatchString(key) && name(key) != "" && len(key) > 1 {
			v.queries.see(v.at.Path+" "+key, func() Door { return Door{v.at.Path, key} })
		}
	}
}

// file tells whether the answer is a style sheet, script, picture or font.
func (v *visit) file() bool {
	if v.r.Method != http.MethodGet || v.w.status != http.StatusOK && v.w.status != http.StatusNotModified {
		return false
	}
	media := v.w.Header().Get("Content-Type")
	if v.w.status == http.StatusNotModified {
		return slices.Contains([]string{"script", "style", "image", "font"}, v.r.Header.Get("Sec-Fetch-Dest"))
	}
	return strings.HasPrefix(media, "text/css") || strings.Contains(media, "javascript") || strings.HasPrefix(media, "image/") || strings.Contains(media, "font")
}

// referer is the page of this app from which a request came.
func (v *visit) referer() *Place {
	u, err := url.Parse(v.r.Referer())
	if err != nil || u.Host != v.r.Host {
		return nil
	}
	at := placeOf(u)
	return &at
}
