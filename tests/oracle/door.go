package oracle

import (
	"encoding/xml"
	"fmt"
	"net/http"
)

// serveJSONLogin is the login of some mobile client.
func (q *request) serveJSONLogin() {
	f := jsonFields(q.body)
	user := q.app.check(f["user"], f["password"])
	if q.method != http.MethodPost || user == "" {
		q.act(Refuse, "", ByJSON, f["user"])
		q.json(http.StatusUnauthorized, `{"error": "no"}`)
		return
	}
	q.enter(user)
	q.act(SignIn, user, ByJSON, f["user"])
	q.json(http.StatusOK, fmt.Sprintf(`{"user": %q, "token": %q}`, user, q.newToken()))
}

// A call has name and password before anything else.
type call struct {
	Method string   `xml:"methodName"`
	Params []string `xml:"params>param>value>string"`
}

// serveXMLRPC reads the notes, or adds one.
func (q *request) serveXMLRPC() {
	var c call
	if xml.Unmarshal(q.body, &c) != nil || len(c.Params) < 2 {
		q.act(Refuse, "", ByXMLRPC, "")
		http.Error(q.w, "not a call", http.StatusBadRequest)
		return
	}
	user := q.app.check(c.Params[0], c.Params[1])
	if user == "" {
		q.act(Refuse, "", ByXMLRPC, c.Params[0])
		http.Error(q.w, "no", http.StatusForbidden)
		return
	}
	q.user, q.channel = user, ByXMLRPC
	if c.Method == "notes.add" && len(c.Params) > 2 {
		q.addNote(c.Params[2])
	} else {
		q.act(View, user, ByXMLRPC, c.Params[0])
	}
	q.w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	fmt.Fprintf(q.w, "<methodResponse><params><param><value><string>%s %s</string></value></param></params></methodResponse>", user, q.mark())
}

// ResetLink returns the path that the app would send to a user by mail. It signs
// in, once.
func (a *App) ResetLink(user string) string {
	token := newID()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.resets[token] = user
	return "/reset?token=" + token
}

func (q *request) serveReset() {
	token := q.queryFields()["token"]
	q.app.mu.Lock()
	user := q.app.resets[token]
	delete(q.app.resets, token)
	q.app.mu.Unlock()
	if user == "" {
		q.act(Refuse, "", ByReset, "")
		http.Error(q.w, "this link is no longer valid", http.StatusForbidden)
		return
	}
	q.enter(user)
	q.act(SignIn, user, ByReset, "")
	q.redirect("/")
}

// serveSwitch makes the session somebody else's; its cookie stays as it is.
func (q *request) serveSwitch() {
	to := q.app.Canonical(merge(q.queryFields(), q.bodyFields(Form))["to"])
	if q.user == "" || to == "" {
		q.act(Refuse, "", BySwitch, "")
		http.Error(q.w, "no", http.StatusForbidden)
		return
	}
	q.app.mu.Lock()
	q.session.user = to
	for _, id := range q.session.ids {
		q.app.secrets[id] = Shown{to, Session}
	}
	q.app.mu.Unlock()
	q.act(SignIn, to, BySwitch, to)
	q.redirect("/")
}
