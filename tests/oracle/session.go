package oracle

import (
	"maps"
	"net/http"
	"regexp"
	"strings"
)

const rememberCookie = "remember"

// session is guarded by the app's lock.
type session struct {
	ids   []string // all are valid; the last is the newest
	user  string
	token string // of the form
	name  string // given in the first of two steps
}

var inPath = regexp.MustCompile(`(?i);jsessionid=([^;/?]*)`)

// findSession looks for an id where the options allow one, in the URL first.
func (q *request) findSession() {
	q.session = &session{}
	id, channel := q.sessionID()
	if id == "" {
		return
	}
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	s, ok := q.app.sessions[id]
	switch {
	case ok:
		q.session, q.channel = s, channel
	case q.app.options.AnySession:
		q.session.ids = []string{id}
		q.app.sessions[id] = q.session
	}
}

func (q *request) sessionID() (string, Channel) {
	if q.app.options.SessionInURL {
		if m := inPath.FindStringSubmatch(q.RequestURI); m != nil {
			return m[1], ByURL
		}
		if id := q.queryFields()["sid"]; id != "" {
			return id, ByURL
		}
	}
	return q.cookies()[q.app.options.SessionCookie], ByCookie
}

// cookies reads all Cookie headers, as leniently as fields.
func (q *request) cookies() map[string]string {
	var all []pair
	for _, line := range q.Header["Cookie"] {
		for c := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(c, "=")
			all = append(all, pair{strings.TrimSpace(name), strings.Trim(value, `"`)})
		}
	}
	return q.app.collect(all)
}

// begin gives the visitor a session if there is none, and a token for the form.
func (q *request) begin() (token string) {
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	if len(q.session.ids) == 0 {
		q.addID()
	}
	if q.session.token == "" {
		q.session.token = newID()
	}
	return q.session.token
}

// folders are the paths of the session's cookies.
func (q *request) folders() []string {
	if q.app.options.Folders {
		return []string{"/", "/notes", "/whoami"}
	}
	return []string{"/"}
}

// addID makes a further id for the session, or one for each folder. The caller holds the lock.
func (q *request) addID() {
	for _, path := range q.folders() {
		id := q.app.secret(q.session.user, Session)
		q.session.ids = append(q.session.ids, id)
		q.app.sessions[id] = q.session
		q.setCookie(q.app.options.SessionCookie, id, path)
	}
}

func (q *request) setCookie(name, value, path string) {
	c := &http.Cookie{Name: name, Value: value, Path: path, HttpOnly: true}
	if name == rememberCookie {
		c.MaxAge = 365 * 24 * 3600
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(q.w, c)
}

// enter makes the session a user's.
func (q *request) enter(user string) {
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	if q.app.options.Rotation != RotateNever {
		q.drop()
		q.session = &session{token: q.session.token}
	}
	q.session.user = user
	for _, id := range q.session.ids {
		q.app.secrets[id] = Shown{user, Session} // kept, and from now on worth something
	}
	if len(q.session.ids) == 0 {
		q.addID()
	}
	q.user = user
}

// drop ends the session. The caller holds the lock.
func (q *request) drop() {
	for _, id := range q.session.ids {
		delete(q.app.sessions, id)
	}
}

// renew gives a signed-in session a new id where every answer brings one.
func (q *request) renew() {
	if q.app.options.Rotation == RotateAlways && q.channel == ByCookie && q.user != "" {
		q.app.mu.Lock()
		defer q.app.mu.Unlock()
		q.addID()
	}
}

// keepRemembered gives a cookie that signs in by itself.
func (q *request) keepRemembered(user string) {
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	value := q.app.secret(user, Cookie)
	q.app.remember[value] = user
	q.setCookie(rememberCookie, value, "/")
}

// EndSessions ends all sessions of a user, as time would.
func (a *App) EndSessions(user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.sessions, func(_ string, s *session) bool { return s.user == user })
}

func (q *request) serveLogout() {
	q.act(SignOut, q.user, q.channel, "")
	if !q.app.options.LogoutKeeps {
		_, token, _ := strings.Cut(q.Header.Get("Authorization"), " ")
		q.app.mu.Lock()
		q.drop()
		delete(q.app.remember, q.cookies()[rememberCookie])
		delete(q.app.tokens, token)
		q.app.mu.Unlock()
		for _, path := range q.folders() {
			q.setCookie(q.app.options.SessionCookie, "", path)
		}
		q.setCookie(rememberCookie, "", "/")
	}
	q.w.Header().Set("Location", "/login")
	q.w.WriteHeader(q.app.options.LogoutStatus)
}
