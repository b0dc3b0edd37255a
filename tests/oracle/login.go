package oracle

import (
	"fmt"
	"html"
	"net/http"
)

// serveLogin is the login page and where its form goes to.
func (q *request) serveLogin() {
	o := q.app.options
	query := q.queryFields()
	switch {
	case q.method == http.MethodPost && o.TwoSteps:
		q.serveFirstStep()
	case q.method == http.MethodPost:
		f := q.fields()
		q.attempt(f[o.UserField], f[o.PasswordField], f, ByForm)
	case q.method != http.MethodGet && q.method != http.MethodHead:
		q.refuseMethod()
	case o.GETLogin && query[o.PasswordField] != "":
		q.attempt(query[o.UserField], query[o.PasswordField], query, ByQuery)
	case q.user != "":
		q.servePage() // no use in signing in again
	default:
		q.act(View, "", Nobody, "")
		q.showForm(http.StatusOK, "")
	}
}

func (q *request) refuseMethod() {
	q.act(View, "", Nobody, "")
	http.Error(q.w, "method not allowed", http.StatusMethodNotAllowed)
}

// serveFirstStep keeps the name for the second.
func (q *request) serveFirstStep() {
	q.begin()
	name := q.fields()[q.app.options.UserField]
	q.app.mu.Lock()
	q.session.name = name
	q.app.mu.Unlock()
	q.act(View, "", Nobody, name)
	q.html(http.StatusOK, `<form method="post" action="/login/password"><p>`+html.EscapeString(name)+`</p><input type="password" name="`+
		q.app.options.PasswordField+`"><button>Sign in</button></form>`)
}

func (q *request) serveSecondStep() {
	if q.method != http.MethodPost {
		q.refuseMethod()
		return
	}
	q.app.mu.Lock()
	name := q.session.name
	q.app.mu.Unlock()
	f := q.fields()
	q.attempt(name, f[q.app.options.PasswordField], f, ByForm)
}

// attempt judges a password.
func (q *request) attempt(typed, password string, fields map[string]string, channel Channel) {
	o := q.app.options
	user := q.app.check(typed, password)
	if o.FormToken && fields["token"] != q.begin() {
		user = ""
	}
	if user == "" && o.LiveLooksRight && q.user != "" {
		q.act(View, q.user, ByLiveFallback, typed)
		q.succeed()
		return
	}
	if user == "" {
		q.act(Refuse, "", channel, typed)
		q.fail()
		return
	}
	q.enterBy(user, channel, typed, fields["remember"] != "")
	q.succeed()
}

// enterBy signs a user in, with what the login gives him.
func (q *request) enterBy(user string, channel Channel, tried string, remember bool) {
	if q.app.options.Token {
		q.user = user
	} else {
		q.enter(user)
	}
	q.act(SignIn, user, channel, tried)
	if remember && q.app.options.Remember {
		q.keepRemembered(user)
	}
}

// newToken gives a user a bearer token.
func (q *request) newToken() string {
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	token := q.app.secret(q.user, Bearer)
	q.app.tokens[token] = q.user
	return token
}

// hooked lets the test wait, or answer in the app's place.
func (q *request) hooked(user string) (answered bool) {
	if q.app.options.BeforeAnswer != nil {
		q.app.options.BeforeAnswer(user)
	}
	return q.app.options.AnswerInsteadOf != nil && q.app.options.AnswerInsteadOf(q.w, q.Request, user)
}

func (q *request) succeed() {
	if q.hooked(q.user) {
		return
	}
	switch q.app.options.Answers {
	case Page:
		q.welcome()
	case Refresh:
		q.w.Header().Set("Refresh", "0; url=/")
		q.welcome()
	case Status:
		q.w.Header().Set("X-Welcome", q.mark())
		q.w.WriteHeader(http.StatusNoContent)
	case JSONOK:
		token := ""
		if q.app.options.Token {
			token = `, "token": "` + q.newToken() + `"`
		}
		q.json(http.StatusOK, fmt.Sprintf(`{"ok": true, "user": %q, "mark": %q%s}`, q.user, q.mark(), token))
	default:
		q.redirect("/")
	}
}

func (q *request) fail() {
	o := q.app.options
	if o.FailureCookie {
		q.app.mu.Lock()
		q.addID()
		q.app.mu.Unlock()
	}
	if q.hooked("") {
		return
	}
	switch o.Answers {
	case RedirectBoth:
		q.redirect("/login?error=1")
	case RedirectSame:
		q.redirect("/")
	case Status:
		q.w.WriteHeader(http.StatusUnauthorized)
	case JSONOK:
		q.json(http.StatusOK, `{"ok": false}`)
	default:
		q.showForm(http.StatusOK, "Wrong user name or password.")
	}
}
