package oracle

import "net/http"

// Options say which ways in there are, and how the app answers.
type Options struct {
	Users []User // alice, bob, vic, eve and newbie if nil

	// What the login takes.
	Encodings     Encoding // Form if zero
	UserField     string   // "user" if empty
	PasswordField string   // "password" if empty
	NoNames       bool     // a password only: that of the first user
	FormToken     bool     // the form holds a token of the visitor's session
	TwoSteps      bool     // the name first, the password on a second page
	Query         Query    // whether the login reads the query
	FirstWins     bool     // of two fields with one name; otherwise the last
	PHPNames      bool     // " user", "us.er" and "user\x00x" are names of fields and cookies, too
	Semicolons    bool     // separate fields as & does
	Names         Name     // spellings of a name that are taken for it
	Paths         Path     // spellings of a path that are taken for it

	// How the login answers.
	Answers         Answers
	FailureCookie   bool // a wrong password sets a new session cookie, too
	LiveLooksRight  bool // in a live session a wrong password is answered as the right one
	Token           bool // success gives a bearer token in the body (for JSON answers) and no cookie
	BeforeAnswer    func(user string)
	AnswerInsteadOf func(w http.ResponseWriter, r *http.Request, user string) bool // true: it has answered; user is empty for a failure

	// Sessions.
	SessionCookie string // its name; "sid" if empty
	Folders       bool   // the session has further ids for /notes and /whoami, in cookies of the same name with these paths
	Rotation      Rotation
	AnySession    bool // a session id that the app never gave out is taken: it can be planted
	SessionInURL  bool // ";jsessionid=" and "?sid="
	Remember      bool // the login's field "remember" gives a cookie that is enough alone
	LogoutKeeps   bool // the session lives on after the sign-out
	LogoutStatus  int  // 302 if zero

	// Side doors.
	GETLogin      bool // GET /login?user=&password=
	LoginAnywhere bool // user and password in the query or form of any path, /static/ too, sign in
	JSONLogin     bool // POST /api/login
	Basic         bool // Authorization: Basic on any path
	Bearer        bool // Authorization: Bearer, and "?access_token=", with the token of a login
	APIKeys       bool // X-Api-Key, and "?key=", on any path
	XMLRPC        bool // POST /xmlrpc with name and password in each call
	Reset         bool // /reset?token= signs in
	Switch        bool // /switch?to= inside a session turns it into somebody else's
	ActAs         bool // "?as=" inside a session: this one request is somebody else's
	Override      bool // X-HTTP-Method-Override and the field _method
}

// Everything opens all ways in, and takes all spellings.
func Everything() Options {
	return Options{
		Encodings: Form | Multipart | JSON, Query: QueryIfMissing, PHPNames: true, Names: AllNames, Paths: AllPaths,
		FailureCookie: true, LiveLooksRight: true, AnySession: true, SessionInURL: true, Remember: true, LogoutKeeps: true,
		GETLogin: true, LoginAnywhere: true, JSONLogin: true, Basic: true, Bearer: true, APIKeys: true, XMLRPC: true,
		Reset: true, Switch: true, ActAs: true, Override: true,
	}
}

// An Encoding of a login request, as its Content-Type says.
type Encoding uint

// The encodings, to be joined with |.
const (
	Form Encoding = 1 << iota
	Multipart
	JSON
)

// Query says whether a login reads its query.
type Query int

// The ways in which apps of different languages do.
const (
	QueryIgnored   Query = iota
	QueryIfMissing       // what the body lacks
	QueryWins            // over the body
)

// A Name is a kind of spelling that an app takes for the name itself.
type Name uint

// The kinds of spellings, to be joined with |.
const (
	NameCase    Name = 1 << iota // ALICE
	NameSpace                    // " alice", "alice\n"
	NameNUL                      // "alice\x00x"
	NameWidth                    // full-width letters
	NameAccents                  // álice, as some databases compare
	NameEMail                    // alice@example.test
	NameDomain                   // CORP\alice

	AllNames = NameCase | NameSpace | NameNUL | NameWidth | NameAccents | NameEMail | NameDomain
)

// A Path is a kind of spelling that an app takes for the path itself. %6c for a
// letter is one everywhere.
type Path uint

// The kinds of spellings, to be joined with |.
const (
	PathSlashes    Path = 1 << iota // //login
	PathDots                        // /x/../login, /x/%2e%2e/login
	PathSemicolons                  // /login;x
	PathCase                        // /LOGIN
	PathSlashAfter                  // /login/
	PathInfo                        // /login/a.css
	PathSuffix                      // /login.json, /login.css
	PathTwice                       // /%256cogin, /x%252f..
	PathBackslash                   // \login as /login
	PathNUL                         // /login%00x

	AllPaths = PathSlashes | PathDots | PathSemicolons | PathCase | PathSlashAfter | PathInfo | PathSuffix | PathTwice | PathBackslash | PathNUL
)

// Answers say how success and failure of a login look.
type Answers int

// The ways in which apps answer.
const (
	Redirect     Answers = iota // 302 to /, or 200 with the form again
	RedirectBoth                // 302 to /, or 302 to /login?error=1
	RedirectSame                // 302 to / for both
	Page                        // 200 with the welcome page, or 200 with the form again
	Refresh                     // 200 with a Refresh header, or 200 with the form again
	Status                      // 204, or 401
	JSONOK                      // 200 with {"ok": true} or {"ok": false}
)

// Rotation says when the session cookie gets a new value.
type Rotation int

// The times at which apps do.
const (
	RotateAtLogin Rotation = iota
	RotateNever
	RotateAlways // with each answer; old values stay valid
)
