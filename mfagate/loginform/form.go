package loginform

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Why a request is refused. Errors that wrap these tell the reason, and never a
// value that was sent.
var (
	// ErrAmbiguous says that two readers could understand a request differently: 400.
	ErrAmbiguous = errors.New("the request can be understood in more than one way")

	// ErrTooLong says that a login request is longer than MaxForm: 413.
	ErrTooLong = errors.New("the request is longer than a login form can be")

	// ErrElsewhere says that there are credentials where none belong: 400.
	ErrElsewhere = errors.New("the request has credentials that belong in the login form")

	// ErrNobody says that an answer does not tell who the user is, or not clearly.
	ErrNobody = errors.New("the app's answer does not tell who the user is")
)

// A Form is a compiled Config. It never changes, and may be used by any number
// of goroutines. The zero value is of no use: see Compile.
type Form struct {
	config  Config
	unknown bool
	public, page, submit,
	reset, logout, refuse,
	socket, poll, unjudged, renew,
	accounts table

	userJSON, passwordJSON   pointer
	socketTokens             []pointer
	userNames, passwordNames []string // folded, in every encoding
	userParts, passwordParts []string // of a name in brackets: the same as keys in JSON, one in the other
	nameless                 bool     // the password has a place and no name

	success, failure []signs
	identify         *identify
	stripped         map[string]bool // canonical names of headers
	queryKeys        []string        // folded; sessionIDs are among them
	sessionIDs       []string        // folded
	cookieless       bool            // paths may hold none of ASP.NET's ids
	loginURI         string
	tryURI           string // empty if it is loginURI
	logoutURI        string
	asks             []string // paths
	asksWhoAt        string
	logoutMethod     string
}

// Compile checks a description of a login form. The error names every option that will
// not do, and what would.
func Compile(config Config) (*Form, error) {
	if config.Basic {
		if err := checkBasic(&config); err != nil {
			return nil, err
		}
	}
	f := &Form{config: config}
	err := errors.Join(
		f.compileRequests(),
		f.compileFields(),
		f.compileJudgement(),
		f.compileTried(),
		f.compileNames(),
		checkHome(config.Home),
		checkBearer(config.Bearer),
		f.compileSocketToken(),
		checkTokens(config),
		checkTell(config),
		checkAnswering(config.Answer),
		checkTry(config.Try),
	)
	if err != nil {
		return nil, err
	}
	f.compileAsks()
	return f, nil
}

// NewUnknown returns the form of an app of which nothing is known. Nobody signs in by it: it
// stands where a site only observes.
func NewUnknown() *Form {
	f, err := Compile(Config{
		Page: []Pattern{{Text: "GET /"}}, Submit: []Pattern{{Text: "POST /"}}, User: Field{Form: "user"}, Password: Field{Form: "password"},
		Success: []Signs{{Status: []string{"599"}}},
	})
	if err != nil {
		panic(err) // unreachable: nothing in it comes from outside
	}
	f.unknown = true
	return f
}

// Unknown tells whether NewUnknown has made f.
func (f *Form) Unknown() bool {
	return f.unknown
}

// Config returns what the form was compiled from. Its slices, maps and pointers must not be changed.
func (f *Form) Config() Config {
	return f.config
}

// LoginURI is the path and query where people are sent to sign in.
func (f *Form) LoginURI() string {
	return f.loginURI
}

// LogoutRequest is what ends a session at the app; ok is false if no such request can be
// made without knowing more.
func (f *Form) LogoutRequest() (method, uri string, ok bool) {
	return f.logoutMethod, f.logoutURI, f.logoutURI != ""
}

var (
	reading = []string{http.MethodGet, http.MethodHead}
	sending = []string{http.MethodPost, http.MethodPut, http.MethodPatch}
	showing = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch} // a header
)

func (f *Form) compileRequests() error {
	c := &f.config
	var errs []error
	if len(c.Page) == 0 {
		errs = append(errs, errors.New(`page: missing; write the request that shows the login form, as "/login"`))
	}
	if len(c.Submit) == 0 && !c.Basic {
		errs = append(errs, errors.New(`submit: missing; write the request that the form sends, as "POST /login"`))
	}
	submitting := sending
	if c.Credentials == InHeader {
		submitting = showing
	}
	for _, group := range []struct {
		option   string
		patterns []Pattern
		methods  []string
		body     bool
		into     *table
	}{
		{"page", c.Page, reading, false, &f.page},
		{"submit", c.Submit, submitting, true, &f.submit},
		{"public", c.Public, reading, false, &f.public},
		{"reset", c.Reset, nil, true, &f.reset},
		{"logout", c.Logout, nil, true, &f.logout},
		{"refuse", c.Refuse, nil, true, &f.refuse},
		{"websocket", c.WebSocket, []string{http.MethodGet, http.MethodConnect}, false, &f.socket},
		{"poll", c.Poll, nil, false, &f.poll},
		{"accounts", c.Accounts, sending, false, &f.accounts},
		{"renew", c.Renew, nil, true, &f.renew},
	} {
		loose := group.into == &f.logout || group.into == &f.refuse
		if err := group.into.fill(group.option, group.patterns, group.methods, group.body, loose); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, f.compilePlain(), f.checkAccounts())
	}
	return errors.Join(errs...)
}

// compilePlain finds the requests that the gate makes itself.
func (f *Form) compilePlain() error {
	var ok bool
	if f.loginURI, ok = f.page.all[0].plain(); !ok {
		return fmt.Errorf("page: %q cannot be where people are sent: put a request without wild cards and optional keys first", f.config.Page[0].Text)
	}
	for _, p := range f.logout.all {
		uri, ok := p.plain()
		if !ok || f.logoutURI != "" {
			continue
		}
		for _, m := range []string{http.MethodPost, http.MethodGet} {
			if len(p.methods) == 1 && p.methods[0] == m {
				f.logoutMethod, f.logoutURI = m, uri
			}
		}
	}
	return nil
}

func (f *Form) compileFields() error {
	c := &f.config
	var errs []error
	var err error
	if err := checkCredentials(c); err != nil {
		errs = append(errs, err)
	}
	if c.User != (Field{}) && ((c.User.Form == "") != (c.Password.Form == "") || (c.User.JSON == "") != (c.Password.JSON == "")) {
		errs = append(errs, errors.New("user, password: both must be fields of a form, or of JSON, or of either"))
	}
	if c.User != (Field{}) && c.UserConst != "" {
		errs = append(errs, errors.New("user_const: only for an app without user names; leave user out"))
	}
	if !c.Basic && c.Credentials == InFields && c.User == (Field{}) && c.UserConst == "" && c.Identify == nil {
		errs = append(errs, errors.New(`user: missing; write the name of the field, "const NAME" for an app with one password, or "none" beside identify`))
	}
	if !printable(c.UserConst) {
		errs = append(errs, errors.New("user_const: must be a name of printable characters"))
	}
	if f.userNames, f.userJSON, err = compileField(c.User); err != nil {
		errs = append(errs, fmt.Errorf("user: %w", err))
	}
	if f.passwordNames, f.passwordJSON, err = compileField(c.Password); err != nil {
		errs = append(errs, fmt.Errorf("password: %w", err))
	}
	if slices.ContainsFunc(f.userNames, func(n string) bool { return slices.Contains(f.passwordNames, n) }) {
		errs = append(errs, errors.New("user, password: cannot be the same field"))
	}
	f.userParts, f.passwordParts = keysOf(c.User.Form), keysOf(c.Password.Form)
	return errors.Join(append(errs, f.compileElsewhere())...)
}

// compileField returns the names that a field has in any encoding, and where it
// is in JSON.
func compileField(field Field) (names []string, at pointer, err error) {
	if strings.HasPrefix(field.Form, "/") || !printable(field.Form) {
		return nil, nil, fmt.Errorf("form: %q is no name of a field; JSON pointers are JSON", field.Form)
	}
	if field.Form != "" {
		names = append(names, foldName(field.Form))
	}
	if field.JSON == "" {
		return names, nil, nil
	}
	if at, err = parsePointer(field.JSON); err != nil {
		return nil, nil, err
	}
	if last := at[len(at)-1]; !number(last) && !slices.Contains(names, foldName(last)) {
		names = append(names, foldName(last))
	}
	if len(at) > 1 && !slices.ContainsFunc(at, number) { // as a form has it, for readers to which both are the same
		names = append(names, foldName(at[0]+"["+strings.Join(at[1:], "][")+"]"))
	}
	return names, at, nil
}

func (f *Form) compileElsewhere() error {
	switch f.config.Elsewhere {
	case ElsewhereBoth, ElsewherePassword, ElsewhereOff:
	case ElsewhereUser:
		if len(f.userNames) == 0 {
			return errors.New("forbid_elsewhere: user needs a user field with a name; password and off would do")
		}
	default:
		return fmt.Errorf("forbid_elsewhere: %q is unknown; user, password, off, or nothing would do", f.config.Elsewhere)
	}
	if id := f.config.Identify; len(f.config.Accounts) > 0 && (id == nil || id.Probe == "") {
		return errors.New("accounts: only where identify has a probe, since any other request with a password might be a sign-in as somebody else")
	}
	f.nameless = f.passwordJSON != nil && len(f.passwordNames) == 0
	if !f.nameless {
		return nil
	}
	for _, p := range f.submit.all {
		if !slices.ContainsFunc(p.conditions, func(c condition) bool { return c.json != nil }) {
			return fmt.Errorf(`submit: a password at %q has no name: tell by "where" which requests carry one`, f.config.Password.JSON)
		}
	}
	return nil
}

// checkTell refuses to tell the token itself, under its own name.
func checkTell(c Config) error {
	switch {
	case len(c.Tell) == 0:
	case c.Bearer == nil:
		return errors.New("tell: only scripts with a token of their own are told anything; write session bearer, too")
	case slices.ContainsFunc(pointerParts(c.Bearer.JSON), func(part string) bool { return slices.Contains(c.Tell, part) }):
		return errors.New("tell: the token itself is told anyway, sealed, and what is around it not as a whole")
	case slices.ContainsFunc(c.Tell, renewsTokens):
		return errors.New("tell: whoever has the password would get a token that renews itself, without a second factor; people sign in anew when the token ends")
	}
	return nil
}

// renewsTokens tells whether a name is that of a refresh token (RFC 6749, section 1.5).
func renewsTokens(name string) bool {
	return strings.Contains(strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name)), "refreshtoken")
}

func checkHome(uri string) error {
	u, err := url.Parse(uri)
	if uri == "" || err == nil && u.Host == "" && u.Scheme == "" && u.Fragment == "" && strings.HasPrefix(uri, "/") && printable(uri) {
		return nil
	}
	return fmt.Errorf(`home: %q; a path such as "/app/" would do`, uri)
}

// Credentials tells in which header the app wants credentials where it knows its users by
// them, and what stands before a token there.
func (f *Form) Credentials() (header, scheme string) {
	b := f.config.Bearer
	if b == nil || b.Header == "" {
		return "Authorization", "Bearer"
	}
	header, scheme, _ = strings.Cut(b.Header, ":")
	return http.CanonicalHeaderKey(strings.TrimSpace(header)), strings.TrimSpace(scheme)
}

func checkBearer(b *Bearer) error {
	if b == nil {
		return nil
	}
	if _, err := parsePointer(b.JSON); err != nil {
		return fmt.Errorf("bearer: %w", err)
	}
	if !printable(b.Header) {
		return fmt.Errorf("bearer: %q is no header", b.Header)
	}
	return nil
}

func checkAnswering(a *Answering) error {
	switch {
	case a == nil:
		return nil
	case a.Status < 200 || a.Status > 599:
		return fmt.Errorf("answer: status %d; one from 200 to 599 would do", a.Status)
	case a.Body != "" && !strings.Contains(a.Type, "/") || !printable(a.Type):
		return fmt.Errorf(`answer: type %q; a media type such as "application/json" would do`, a.Type)
	}
	return nil
}

// compileNames compiles the names of headers, cookies and query keys.
func (f *Form) compileNames() error {
	var errs []error
	f.stripped = map[string]bool{
		"Authorization": true, "Proxy-Authorization": true,
		// Some servers and frameworks take these for the path, in place of the one that was judged.
		"X-Original-Url": true, "X-Rewrite-Url": true,
	}
	headers := f.config.Headers
	if name, _ := f.Credentials(); name != "Authorization" {
		headers = append(slices.Clip(headers), name)
	}
	for _, h := range headers {
		name := http.CanonicalHeaderKey(h)
		if strings.Trim(strings.ToLower(h), "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || h == "" || kept[name] {
			errs = append(errs, fmt.Errorf("headers: %q cannot be taken off; a header with a credential, such as X-Api-Key, would do", h))
		}
		f.stripped[dashed(name)] = true
	}
	for _, k := range f.compileURLKeys() {
		errs = append(errs, fmt.Errorf("query_keys: %q is no name of a query parameter", k))
	}
	errs = append(errs,
		checkCookies("pass_cookies", f.config.PassCookies), f.checkProving(),
		checkCookies("bound_cookies", f.config.BoundCookies),
		checkCookies("rotating_cookies", f.config.RotatingCookies))
	return errors.Join(errs...)
}

// checkProving refuses to let a cookie pass in clear that shows who signed in.
func (f *Form) checkProving() error {
	var proving []string
	for _, line := range f.config.Success {
		proving = append(proving, line.SetCookie...)
	}
	if id := f.config.Identify; id != nil && id.Cookie != "" {
		proving = append(proving, id.Cookie)
	}
	for _, name := range proving {
		if f.Passes(name) {
			return fmt.Errorf("pass_cookies: %s comes with a right password, so it must be sealed; bound_cookies would do if scripts must read it", name)
		}
	}
	return nil
}

func checkCookies(option string, names []string) error {
	for _, name := range names {
		if strings.Trim(name, "*") == "" || strings.ContainsAny(name, "=;, \t\"") || !printable(name) {
			return fmt.Errorf("%s: %q must be the name of a cookie, with * for any characters, and not all of them", option, name)
		}
	}
	return nil
}

// kept are headers that are not credentials, or are rebuilt anyway.
var kept = map[string]bool{
	"Cookie": true, "Host": true, "Content-Type": true, "Content-Length": true, "Transfer-Encoding": true,
	"Connection": true, "Origin": true, "Referer": true, "Accept": true, "Upgrade": true,
}
