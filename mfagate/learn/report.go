package learn

import (
	"slices"
	"time"
)

// A Report is what was learnt. What was seen most comes first.
type Report struct {
	Since    time.Time `json:"since"`
	Requests int       `json:"requests"` // that were seen since
	Full     bool      `json:"full"`     // there was more than is kept

	Logins   []Login   `json:"logins"`
	Pages    []string  `json:"pages"`    // that show a form with a password
	Files    []string  `json:"files"`    // that these fetch
	Logouts  []string  `json:"logouts"`  // requests that seem to sign out
	Resets   []string  `json:"resets"`   // and for forgotten passwords
	Sockets  []string  `json:"sockets"`  // paths of WebSockets
	Programs []Program `json:"programs"` // clients that are no browsers, or bring credentials of their own
	Queries  []Door    `json:"queries"`  // passwords in URLs
	Cookies  []Cookie  `json:"cookies"`  // that the app sets
	Guarded  []Guarded `json:"guarded"`  // places that ask for credentials in a header
	Names    []Name    `json:"names"`    // places where the app may say who has signed in
}

// A Login is a kind of requests with a password.
type Login struct {
	Method string `json:"method"`
	Place
	Encoding string   `json:"encoding"`       // form, multipart or json
	User     string   `json:"user,omitempty"` // name of the field, or JSON pointer
	Password string   `json:"password"`
	Where    []string `json:"where,omitempty"` // what tells it from other requests there, as field=value
	Page     *Place   `json:"page,omitempty"`  // from where the first one came
	Count    int      `json:"count"`
	Answers  []Answer `json:"answers"`
}

// A Way is a request by its method and place.
type Way struct {
	Method string
	Place
}

// A Program is a kind of client.
type Program struct {
	Agent         string `json:"agent"`                   // such as curl
	Authorization string `json:"authorization,omitempty"` // the scheme, such as Basic
	Path          string `json:"path"`
	Count         int    `json:"count"`
}

// A Door is a path whose query had a key for a password.
type Door struct {
	Path string `json:"path"`
	Key  string `json:"key"`
}

// A Cookie is one that the app sets.
type Cookie struct {
	Name     string `json:"name"`
	HTTPOnly bool   `json:"http_only"`
}

// Report tells what was learnt so far.
func (l *Learner) Report() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := Report{
		Since: l.since.UTC(), Requests: l.requests,
		Full: l.logins.lost || l.pages.lost || l.files.lost || l.logouts.lost || l.resets.lost ||
			l.sockets.lost || l.programs.lost || l.queries.lost || l.cookies.lost || l.places.lost,
		Logins:  []Login{},
		Pages:   list(&l.pages, Place.URI),
		Files:   list(&l.files, (*files).URI),
		Logouts: list(&l.logouts, Way.String),
		Resets:  list(&l.resets, Way.String),
		Sockets: list(&l.sockets, Place.URI),
		Queries: list(&l.queries, func(d Door) Door { return d }),
		Cookies: list(&l.cookies, func(c *Cookie) Cookie { return *c }),
		Guarded: list(&l.places, func(g *Guarded) Guarded { return *g }),
		Names:   list(&l.found, func(n *Name) Name { return *n }),
	}
	for _, row := range l.logins.sorted() {
		login := row.value.Login
		login.Count, login.Answers = row.count, []Answer{}
		login.Query = slices.Clone(login.Query)
		for _, a := range row.value.answers.sorted() {
			answer := *a.value
			answer.Count = a.count
			login.Answers = append(login.Answers, answer)
		}
		r.Logins = append(r.Logins, login)
	}
	r.Programs = []Program{}
	for _, row := range l.programs.sorted() {
		p := row.value
		p.Count = row.count
		r.Programs = append(r.Programs, p)
	}
	return r
}

// list returns the rows of a table as they are told.
func list[T, U any](t *table[T], tell func(T) U) []U {
	all := []U{}
	for _, row := range t.sorted() {
		all = append(all, tell(row.value))
	}
	return all
}

// String writes a way as in a Caddyfile.
func (w Way) String() string { return w.Method + " " + w.URI() }
