package oracle

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An Action is what a request did.
type Action string

// The actions.
const (
	SignIn  Action = "sign in"  // the right password, or another first proof, was given
	Refuse  Action = "refuse"   // a wrong one was
	View    Action = "view"     // something was shown
	Change  Action = "change"   // something was changed
	SignOut Action = "sign out" // a session was ended
	Line    Action = "line"     // one more line of a stream or socket
)

// A Channel is what told the app who is asking.
type Channel string

// The channels.
const (
	Nobody         Channel = ""
	ByForm         Channel = "form"       // the login, in any encoding
	ByQuery        Channel = "query"      // name and password in a query
	ByField        Channel = "fields"     // name and password in a body that is not the login's
	ByJSON         Channel = "json login" // /api/login
	ByCookie       Channel = "cookie"
	ByRemember     Channel = "remember-me cookie"
	ByURL          Channel = "session in the URL"
	ByBasic        Channel = "basic"
	ByBearer       Channel = "bearer"
	ByTokenQuery   Channel = "token in the query"
	ByKey          Channel = "api key"
	ByKeyQuery     Channel = "api key in the query"
	ByXMLRPC       Channel = "xml-rpc"
	ByReset        Channel = "reset link"
	BySwitch       Channel = "switch"
	ByActAs        Channel = "as"
	ByLiveFallback Channel = "wrong password in a live session"
)

// An Act is what the app did for one request.
type Act struct {
	At      time.Time
	User    string // as whom; empty for nobody. A refused sign-in acts as nobody
	Action  Action
	Channel Channel
	Route   string // the path as the app understood it
	Tried   string // the name that a sign-in was tried with, as it was sent

	Method, URI, Host, Body string // as they reached the app
	Header                  http.Header
}

// Acts returns all acts so far, in their order. Each request makes at least one.
func (a *App) Acts() []Act {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.acts)
}

// Since returns the acts after the first n, in their order.
func (a *App) Since(n int) []Act {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.acts[n:])
}

// Count returns how many acts there are.
func (a *App) Count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.acts)
}

// Notes returns what a user has stored by POST /notes.
func (a *App) Notes(user string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.notes[user])
}

// Open returns the number of streams and sockets that are open.
func (a *App) Open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}

// act writes down what is about to be answered.
func (q *request) act(action Action, user string, channel Channel, tried string) {
	act := Act{
		At: time.Now(), User: user, Action: action, Channel: channel, Route: q.route, Tried: tried,
		Method: q.Method, URI: q.RequestURI, Host: q.Host, Body: string(q.body), Header: q.Header.Clone(),
	}
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	q.app.acts = append(q.app.acts, act)
}

// A What is a thing that was made for one user.
type What string

// What a user may be shown.
const (
	Content What = "content" // of a page, a file, a header, a line
	Session What = "session" // a session id
	Cookie  What = "cookie"  // for remembering
	Bearer  What = "bearer token"
)

// Shown is something of a user that was found in a text.
type Shown struct {
	User string
	What What
}

// Shown finds what the app made for users in bytes that a client received, such
// as a response written by [net/http/httputil.DumpResponse]: every answer that the
// app makes for a user holds a random text of its own, and session ids are
// random anyway. What was made for nobody does not count.
func (a *App) Shown(text string) []Shown {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := make(map[Shown]bool)
	for i := 0; i+secretLength <= len(text); i++ {
		if s, ok := a.secrets[text[i:i+secretLength]]; ok && s.User != "" {
			found[s] = true
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(x, y Shown) int {
		return strings.Compare(x.User+"\x00"+string(x.What), y.User+"\x00"+string(y.What))
	})
}

const secretLength = 32 // of newID

// secret makes a random text for a user. The caller holds the lock.
func (a *App) secret(user string, what What) string {
	id := newID()
	a.secrets[id] = Shown{user, what}
	return id
}

// mark is a random text for an answer.
func (q *request) mark() string {
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	return q.app.secret(q.user, Content)
}
