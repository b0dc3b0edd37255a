package oracle

import "strings"

// identify finds out as whom a request acts. Each way is tried in turn; the
// session comes last, so that other credentials work inside one, too.
func (q *request) identify() {
	ways := []func() (string, Channel){q.byFields, q.byBasic, q.byToken, q.byKey, q.bySession, q.byRemember}
	channel := q.channel
	q.channel = Nobody
	for _, way := range ways {
		if user, by := way(); user != "" {
			q.user, q.channel = user, by
			if by == ByCookie {
				q.channel = channel // or by URL
			}
			break
		}
	}
	q.renew()
	q.actAs()
}

// byFields signs in with what any request holds, where an app does that.
func (q *request) byFields() (string, Channel) {
	if !q.app.options.LoginAnywhere || q.isLogin() {
		return "", Nobody
	}
	o := q.app.options
	for _, from := range []struct {
		fields  map[string]string
		channel Channel
	}{{q.bodyFields(Form | Multipart | JSON), ByField}, {q.queryFields(), ByQuery}} {
		tried := from.fields[o.UserField]
		if user := q.app.check(tried, from.fields[o.PasswordField]); user != "" && tried != "" {
			q.enter(user)
			q.act(SignIn, user, from.channel, tried)
			return user, from.channel
		}
	}
	return "", Nobody
}

func (q *request) isLogin() bool {
	return strings.HasPrefix(q.route, "/login") || q.route == "/api/login"
}

func (q *request) byBasic() (string, Channel) {
	if name, password, ok := q.BasicAuth(); ok && q.app.options.Basic {
		return q.app.check(name, password), ByBasic
	}
	return "", Nobody
}

func (q *request) byToken() (string, Channel) {
	if !q.app.options.Bearer && !q.app.options.Token {
		return "", Nobody
	}
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	if scheme, token, _ := strings.Cut(q.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return q.app.tokens[token], ByBearer
	}
	return q.app.tokens[q.queryFields()["access_token"]], ByTokenQuery
}

func (q *request) byKey() (string, Channel) {
	if !q.app.options.APIKeys {
		return "", Nobody
	}
	header, query := q.Header.Get("X-Api-Key"), q.queryFields()["key"]
	for _, u := range q.app.options.Users {
		switch {
		case u.Key == "":
		case header == u.Key:
			return u.Name, ByKey
		case query == u.Key:
			return u.Name, ByKeyQuery
		}
	}
	return "", Nobody
}

func (q *request) bySession() (string, Channel) {
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	return q.session.user, ByCookie
}

// byRemember opens a session, too, as apps do.
func (q *request) byRemember() (string, Channel) {
	q.app.mu.Lock()
	user := q.app.remember[q.cookies()[rememberCookie]]
	q.app.mu.Unlock()
	if user != "" {
		q.enter(user)
	}
	return user, ByRemember
}

// actAs lets whoever is signed in work as somebody else for one request.
func (q *request) actAs() {
	if !q.app.options.ActAs || q.user == "" {
		return
	}
	if user := q.app.Canonical(q.queryFields()["as"]); user != "" {
		q.user, q.channel = user, ByActAs
	}
}
