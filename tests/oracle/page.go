package oracle

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
)

// servePage is all that needs somebody who signed in.
func (q *request) servePage() {
	switch {
	case q.route == "/whoami":
		q.serveWho()
	case q.user == "":
		q.sendAway()
	case (q.route == "/notes" || q.route == "/api/notes") && q.method == http.MethodPost:
		q.addNote(merge(q.queryFields(), q.bodyFields(Form|Multipart|JSON))["note"])
		q.redirect("/notes")
	case strings.HasPrefix(q.route, "/files/"):
		q.serveFile()
	case q.route == "/stream":
		q.serveStream()
	case q.route == "/ws":
		q.serveSocket()
	case q.route == "/notes", q.route == "/notes/export", q.route == "/api/notes", q.route == "/", q.route == "/login":
		q.act(View, q.user, q.channel, "")
		q.welcome()
	default:
		q.act(View, q.user, q.channel, "")
		q.html(http.StatusNotFound, "<p>There is no such page. "+q.mark()+"</p>")
	}
}

// sendAway answers somebody who is not signed in.
func (q *request) sendAway() {
	q.act(View, "", Nobody, "")
	if strings.HasPrefix(q.route, "/api/") {
		q.json(http.StatusUnauthorized, `{"error": "not signed in"}`)
		return
	}
	q.redirect("/login")
}

func (q *request) serveWho() {
	q.act(View, q.user, q.channel, "")
	if q.user == "" {
		q.json(http.StatusUnauthorized, `{"user": null}`)
		return
	}
	q.json(http.StatusOK, fmt.Sprintf(`{"user": %q, "mark": %q}`, q.user, q.mark()))
}

// welcome is the page of a user, with his notes.
func (q *request) welcome() {
	var notes strings.Builder
	for _, n := range q.app.Notes(q.user) {
		notes.WriteString("<li>" + html.EscapeString(n) + "</li>")
	}
	q.html(http.StatusOK, fmt.Sprintf(`<h1>Welcome</h1><p id="user">%s</p><p>%s</p><ul>%s</ul>
<form method="post" action="/notes"><input name="note"><button>Add</button></form><a href="/logout">Sign out</a>`,
		html.EscapeString(q.user), q.mark(), notes.String()))
}

func (q *request) addNote(note string) {
	q.act(Change, q.user, q.channel, "")
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	q.app.notes[q.user] = append(q.app.notes[q.user], note)
}

// serveFile keeps what was put, apart for each user.
func (q *request) serveFile() {
	key := q.user + q.route
	if q.method == http.MethodPut {
		q.act(Change, q.user, q.channel, "")
		q.app.mu.Lock()
		q.app.files[key] = string(q.body)
		q.app.mu.Unlock()
		q.w.WriteHeader(http.StatusCreated)
		return
	}
	q.act(View, q.user, q.channel, "")
	q.app.mu.Lock()
	content, ok := q.app.files[key]
	q.app.mu.Unlock()
	if !ok {
		http.NotFound(q.w, q.Request)
		return
	}
	q.w.Header().Set("X-Mark", q.mark())
	http.ServeContent(q.w, q.Request, "file.bin", zeroTime, strings.NewReader(content))
}

// serveStatic is for everybody. As in real apps, a route below it may still
// have seen who is asking.
func (q *request) serveStatic() {
	q.act(View, q.user, q.channel, "")
	if q.user != "" {
		q.w.Header().Set("X-Mark", q.mark())
	}
	kinds := map[string]string{
		"/static/app.css": "text/css; charset=utf-8", "/static/app.js": "text/javascript; charset=utf-8", "/static/logo.svg": "image/svg+xml",
	}
	kind, ok := kinds[q.route]
	if !ok {
		http.NotFound(q.w, q.Request)
		return
	}
	q.w.Header().Set("Content-Type", kind)
	io.WriteString(q.w, "/* the app's own */")
}

// showForm is the login page. A cookie that scripts may read comes with it.
func (q *request) showForm(status int, problem string) {
	o := q.app.options
	token := q.begin()
	http.SetCookie(q.w, &http.Cookie{Name: "theme", Value: "light", Path: "/"})
	fields := fmt.Sprintf(`<input name="%s" autocomplete="username">`, o.UserField)
	if o.NoNames {
		fields = ""
	}
	if !o.TwoSteps {
		fields += fmt.Sprintf(`<input type="password" name="%s">`, o.PasswordField)
	}
	if o.Remember {
		fields += `<label><input type="checkbox" name="remember" value="1"> Remember me</label>`
	}
	if o.FormToken {
		fields += fmt.Sprintf(`<input type="hidden" name="token" value="%s">`, token)
	}
	q.html(status, fmt.Sprintf(`<h1>Sign in</h1><p id="problem">%s</p><form method="post" action="/login">%s<button>Sign in</button></form>`, problem, fields))
}

func (q *request) html(status int, body string) {
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.WriteHeader(status)
	io.WriteString(q.w, `<!doctype html><html lang="en"><title>Oracle</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/static/app.css">`+body)
}

func (q *request) json(status int, body string) {
	q.w.Header().Set("Content-Type", "application/json")
	q.w.WriteHeader(status)
	io.WriteString(q.w, body)
}

func (q *request) redirect(to string) {
	if q.user != "" {
		q.w.Header().Set("X-Mark", q.mark())
	}
	q.w.Header().Set("Location", to)
	q.w.WriteHeader(http.StatusFound)
}
