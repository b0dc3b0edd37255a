package loginform

// Limits that hold for every app.
const (
	// MaxForm is the length in bytes of the longest login request.
	MaxForm = 64 << 10

	// MaxAnswer is how much of an answer is held to be judged, in bytes. Some apps
	// answer a right password with their whole first page and all its scripts: MeshCentral with 1.4 MB.
	MaxAnswer = 2 << 20
)

// A Config describes the login form of one app. Page, Submit, Password or Credentials, and
// Success are required; the zero value of everything else is the safe default.
// It is the same in JSON, in Caddyfiles and in recipes.
type Config struct {
	// Page are the requests that show the login form, GET and HEAD. The first
	// one, which must have neither wild cards nor optional keys, is where people are sent.
	Page []Pattern `json:"page"`

	// Submit are the requests that carry the user's name and password.
	Submit []Pattern `json:"submit"`

	// User is where the name is in such a request. The zero value means that the
	// app has no user names: then UserConst, or an administrator's ticket, tells who it is.
	User Field `json:"user,omitzero"`

	// UserConst is the name of the only user of an app without user names.
	UserConst string `json:"user_const,omitempty"`

	// Password is where the password is.
	Password Field `json:"password"`

	// Credentials says how name and password are sent if not in fields, which is the zero value.
	// User and Password are empty then.
	Credentials Credentials `json:"credentials,omitempty"`

	// Success are the signs of a right password: those of one line must all be
	// there, and one line is enough. Failure are likewise the signs that show the
	// app's answer to be about a wrong password and nothing else; only then
	// is that answer shown to the person.
	Success []Signs `json:"success"`
	Failure []Signs `json:"failure,omitempty"`

	// Follow has Success, Failure and Identify look at the page to which the answer redirects, as the
	// browser would show it, in place of the answer: for apps that redirect to the same
	// address after either password.
	Follow bool `json:"follow,omitempty"`

	// Identify is where the app itself says who signed in. Without it the name
	// that was typed counts, enrolment takes a ticket, and an account switch
	// within the app cannot be seen.
	Identify *Identify `json:"identify,omitempty"`

	// Home is the path and query where people come who have asked for no page before the
	// form; empty means "/".
	Home string `json:"home,omitempty"`

	// Public are requests that anybody may make, GET and HEAD, as a visitor:
	// the style sheets and scripts of the login page. Neither cookies nor
	// credentials go there.
	Public []Pattern `json:"public,omitempty"`

	// Reset are requests for a forgotten password, with any method and the cookies of a
	// visitor.
	Reset []Pattern `json:"reset,omitempty"`

	// Logout are requests that end the session, whatever the app answers. The
	// first one that is a plain GET or POST without wild cards is what the
	// gate's own sign-out sends, too.
	Logout []Pattern `json:"logout,omitempty"`

	// Refuse are side doors, refused to everybody.
	Refuse []Pattern `json:"refuse,omitempty"`

	// Try are requests by which the app, or a usual addition to it, lets people or programs in
	// past the form: METHOD PATH[?QUERY] as it is sent, without wild cards, PASSWORD standing for one that is made
	// up. They say nothing of what passes: whoever checks a gateway sends them, to see that they are refused. Where
	// holds the fields of a form to send.
	Try []Pattern `json:"try,omitempty"`

	// WebSocket are the upgrades that may be made within a session if there is
	// no Identify by probe; with one all may.
	WebSocket []Pattern `json:"websocket,omitempty"`

	// Poll are requests that the app's scripts make by themselves: no sign that
	// a person is there.
	Poll []Pattern `json:"poll,omitempty"`

	// PassCookies are globs for names of cookies that scripts of the app read
	// and that prove nothing, such as a theme or a CSRF token.
	PassCookies []string `json:"pass_cookies,omitempty"`

	// BoundCookies are globs for names of cookies that scripts of the app must read
	// although they are proof. They stay in clear, and count only in the session
	// in which the app has set them.
	BoundCookies []string `json:"bound_cookies,omitempty"`

	// RotatingCookies are globs for names of cookies that the app changes by
	// itself within a session. Where Identify has a probe, any other change makes the gate ask the
	// app anew who is signed in.
	RotatingCookies []string `json:"rotating_cookies,omitempty"`

	// Headers are names of request headers with credentials, API keys for
	// example, taken off every request. Authorization, Proxy-Authorization, and headers that
	// give another path always are.
	Headers []string `json:"headers,omitempty"`

	// QueryKeys are names of parameters of queries and paths with credentials, such as an API
	// key. A request that has one is refused. Session ids by the names that Servlet containers, PHP and
	// ColdFusion use, ids of ASP.NET in paths ("cookieless"), and access_token, private_token, api_key,
	// and apikey count without being named; a name with a "-" before it does not count.
	QueryKeys []string `json:"query_keys,omitempty"`

	// Accounts are requests that carry a name and a password although nobody signs in by them,
	// as where an administrator adds a user: Elsewhere does not hold there. Only where
	// Identify has a probe, which is made anew after each of them. What is Submit or Reset cannot be among them.
	Accounts []Pattern `json:"accounts,omitempty"`

	// Elsewhere says which fields are refused in any other request: those of
	// User and Password together if empty.
	Elsewhere Elsewhere `json:"forbid_elsewhere,omitempty"`

	// Basic is for apps without a form, which ask for HTTP Basic credentials on every
	// request. Of the options above only Page (default: GET /), User constants, Identify by probe, Public,
	// Logout, Refuse, Poll, Inject and cookies count then. Credentials are tried on
	// the first Page that is not Public or, if there is none, on the probe of Identify. That must
	// answer 401 without credentials: then 2xx and 3xx with them show that they are right, 401 that
	// they are wrong, and any other status nothing, so that nobody gets in. If the first of all
	// pages is Public, a script of the app's asks for the credentials there.
	Basic bool `json:"basic,omitempty"`

	// Bearer is set for apps that answer a login with a token in JSON, which scripts send
	// in a header. Where they show it elsewhere too, a token of the session's own also opens
	// in a cookie of theirs and in the query parameters of QueryKeys.
	Bearer *Bearer `json:"bearer,omitempty"`

	// WebSocketToken is set where scripts show Bearer's token in messages of WebSockets, too. All that
	// a browser sends there is then judged. Without it tokens that open are in their place in the first messages,
	// and nothing is refused.
	WebSocketToken *WebSocketToken `json:"websocket_token,omitempty"`

	// Tell are names of what Bearer's scripts need of the answer, or of the claims of a
	// token, beside what is told anyway. Whoever has the password learns it.
	Tell []string `json:"tell,omitempty"`

	// Renew are requests by which the app's scripts ask whether somebody is signed in, or for a new
	// token in place of one that ends. A visitor's go to the app as those of Reset do, and are
	// refused where the answer has a token. Within a session sealed tokens open in the body,
	// and those of the answer are sealed. They keep no session alive.
	Renew []Pattern `json:"renew,omitempty"`

	// Tokens are JSON pointers to further tokens beside Bearer's, such as one for renewal, in the
	// answers to the login and to Renew.
	Tokens []string `json:"tokens,omitempty"`

	// Answer is told to scripts that signed in, in place of the app's answer. The zero
	// value is 403 with the problem of a missing second factor.
	Answer *Answering `json:"answer,omitempty"`

	// Inject adds one script to the pages of the login form that leads to the
	// second factor where the app's own scripts do not navigate.
	Inject bool `json:"inject,omitempty"`

	// RewriteLocation makes redirections to the app's own idea of its address local.
	RewriteLocation bool `json:"rewrite_location,omitempty"`
}

// Credentials says where Submit has the name and the password.
type Credentials string

// The values of Credentials.
const (
	InFields Credentials = ""      // of a form, or of JSON
	InHeader Credentials = "basic" // in Authorization, as HTTP Basic credentials (RFC 7617), while the app's session is a cookie or a token
)

// Elsewhere says what Guard looks for outside of Submit.
type Elsewhere string

// The values of Elsewhere.
const (
	ElsewhereBoth     Elsewhere = ""         // user and password in one request; the password alone if there is no user field
	ElsewhereUser     Elsewhere = "user"     // the user field alone is enough
	ElsewherePassword Elsewhere = "password" // the password field alone is enough
	ElsewhereOff      Elsewhere = "off"
)

// A Pattern matches requests by method, path, query, and fields of a JSON body.
//
// Text is METHOD PATH[?QUERY], such as "POST /login" or
// "GET /doku.php?id=*&do=login". The method may be left out where the meaning of
// the pattern gives one, or list several, as GET|POST. The path is
// compared as decoded; it may hold * for any characters but a slash, and end in /**
// for all that is below, or in /**/NAME for files at any depth. The path of a request must equal its
// cleaned form. The query lists all keys that may be there, each at most once:
// key=VALUE with * for any characters and | between alternatives, key?=VALUE if it may be
// left out. Without a query the request must have none; "?**", or "&**" at the end, admits
// further keys. HEAD is admitted with GET.
//
// Patterns of Refuse and Logout match loosely: in any case and spelling, with further
// keys in the query, and what seems to be below a script such as /xmlrpc.php.
type Pattern struct {
	Text string `json:"request"`

	// Where are conditions on fields of the body that must hold too: of a form
	// by name, of JSON by pointer, as "/method": "auth.login", with * and | as in
	// queries; "*" means that the field must be there.
	Where map[string]string `json:"where,omitempty"`
}

// A Field names a field of a form, as "username", or by a leading slash a JSON
// pointer (RFC 6901), as "/params/0". Form and JSON may be given both.
type Field struct {
	Form string `json:"form,omitempty"`
	JSON string `json:"json,omitempty"`
}

// Signs are conditions of which all must hold. The zero value never holds.
type Signs struct {
	Status      []string `json:"status,omitempty"`       // "302", "2xx"; one of them
	SetCookie   []string `json:"set_cookie,omitempty"`   // globs of names; for each a cookie is set and not deleted
	Location    []string `json:"location,omitempty"`     // globs of path and query; one of them
	NotLocation []string `json:"not_location,omitempty"` // none of them; there must be a Location
	Header      []string `json:"header,omitempty"`       // "Name" or "Name: glob"; all
	Body        []string `json:"body,omitempty"`         // texts; all
	NotBody     []string `json:"not_body,omitempty"`     // none
	Selector    []string `json:"selector,omitempty"`     // simple CSS selectors, all of which match an element
	JSON        []string `json:"json,omitempty"`         // "/pointer" (exists, and is neither null nor false) or "/pointer=value"; all
	Probe       *Probe   `json:"probe,omitempty"`        // a request made with the new cookies
}

// A Probe is a request that the gate makes itself, with the cookies of the
// answer, and what its answer must be. Redirections are not followed.
type Probe struct {
	Request  string   `json:"request"`            // "GET /path?query"
	Status   []string `json:"status,omitempty"`   // default: 2xx
	Contains []string `json:"contains,omitempty"` // all
	Lacks    []string `json:"lacks,omitempty"`    // none
}

// Identify says where the name of the user is in an answer of the app: in that to
// the login, or in that to Probe. Exactly one of Cookie, Header, JSON,
// Selector, and Regexp must be set, but that Regexp may stand beside each of the
// others to take the name out of what they found. It must match once, and its
// first group is the name. With the header Location it must be there, and a redirection
// will do as the answer to Probe, which must be 2xx otherwise.
type Identify struct {
	Probe    string `json:"probe,omitempty"`    // "GET /path?query"; empty means the answer to the login
	Cookie   string `json:"cookie,omitempty"`   // glob of a cookie's name
	Header   string `json:"header,omitempty"`   // name of a header
	JSON     string `json:"json,omitempty"`     // pointer, which may go on into the claims of a JWT
	Selector string `json:"selector,omitempty"` // simple CSS selector; the text of the only element that matches, or its attribute: "a.user @title"
	Decode   string `json:"decode,omitempty"`   // "url", "base64" and "html", with commas between, in the order in which they are undone on what was found, or on what Regexp took out of that
	Regexp   string `json:"regexp,omitempty"`
}

// Bearer says where the token is in a JSON answer to a login, and where scripts send it.
type Bearer struct {
	JSON   string `json:"json"`             // pointer to the token
	Header string `json:"header,omitempty"` // with what stands before the token, as "Authorization: Bearer", which is the default
}

// WebSocketToken says where the token is in a WebSocket's messages, which must all be JSON of
// at most [MaxSocketMessage] bytes. Any other message ends the connection, and so does one that has anything but a token of
// the session's own in such a place.
type WebSocketToken struct {
	JSON   []string  `json:"json"`             // pointers; at least one
	Except []Pattern `json:"except,omitempty"` // upgrades whose messages are not judged, since their app takes no token there
}

// Answering is a fixed answer.
type Answering struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	Body   string `json:"body"`
}
