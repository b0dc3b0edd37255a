package mfagate

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// A Block protects a part of an app. It is safe for concurrent use.
type Block struct {
	gate       *Gate
	login      *Login // nil if a source tells who the user is
	site       Site
	source     Source
	policy     Policy
	trust      Trust
	asks       bool
	asksForApp bool // with a session to work in
	realm      string
	idle       time.Duration
	lifetime   time.Duration
	admins     roster
	auditors   roster
	exempt     roster
}

// Limits on sessions (NIST SP 800-63B-4 section 2.2.3: at AAL2 at most 24 hours,
// and an hour of inactivity).
const (
	defaultIdle     = 30 * time.Minute
	maxIdle         = time.Hour
	defaultLifetime = 12 * time.Hour
	maxLifetime     = 24 * time.Hour
	defaultRealm    = "default"
)

// Validate says what is wrong with c, without a gate: so that a configuration
// can be checked beside a running server.
func (c BlockConfig) Validate() error {
	switch s := c.Site; {
	case c.Source == nil && !c.Ask && c.Login == nil:
		return errors.New("mfagate: an identity source is required")
	case c.Source != nil && c.Ask:
		return errors.New("mfagate: a block that asks has no identity source")
	case c.Ask && c.Trust.Read != nil:
		return errors.New("mfagate: a block that asks has nobody to trust")
	case c.Login != nil && (c.Source != nil || c.Ask || c.Trust.Read != nil):
		return errors.New("mfagate: a login form is an identity source; there can be only one, and nobody else to trust")
	case c.Login != nil && c.Login.Form == nil:
		return errors.New("mfagate: the login form is missing")
	case c.Login != nil && c.Login.Form.Unknown() && (s.Mode != Observe || s.ModeStored):
		return errors.New("mfagate: nothing is known of the login form; that will do in the mode observe only")
	case s.Idle < 0 || s.Idle > maxIdle:
		return fmt.Errorf("mfagate: idle is %v; it must lie between 0 and %v", s.Idle, maxIdle)
	case s.Lifetime < 0 || s.Lifetime > maxLifetime:
		return fmt.Errorf("mfagate: lifetime is %v; it must lie between 0 and %v", s.Lifetime, maxLifetime)
	case s.ResetDelay != 0 && (s.ResetDelay < LeastResetDelay || s.ResetDelay > MostResetDelay):
		return fmt.Errorf("mfagate: reset_delay is %v; it must lie between %v and %v", s.ResetDelay, LeastResetDelay, MostResetDelay)
	case c.Policy.MaxAge < 0:
		return fmt.Errorf("mfagate: max_age is %v; it cannot be negative", c.Policy.MaxAge)
	case len(s.Realm) > MaxName:
		return fmt.Errorf("mfagate: name of the realm is longer than %d bytes", MaxName)
	}
	if err := c.validateAsk(); err != nil {
		return err
	}
	if err := c.Trust.validate(c.Policy); err != nil {
		return err
	}
	if err := c.Site.Grace.validate(); err != nil {
		return err
	}
	_, _, _, err := c.Site.rosters()
	return err
}

// Block returns a block of the gate, or an error that says what is wrong with c:
// a policy must name factors that the gate has.
func (g *Gate) Block(c BlockConfig) (*Block, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	for _, name := range c.Policy.Factors {
		if g.factor(name) == nil && name != FactorTrusted {
			return nil, fmt.Errorf("mfagate: factor %q is not configured", name)
		}
	}
	b := &Block{
		gate: g, login: c.Login, site: c.Site, source: c.Source, policy: c.Policy, trust: c.Trust,
		realm: c.Site.Realm, idle: c.Site.Idle, lifetime: c.Site.Lifetime,
	}
	b.site.Names, _ = c.Site.Names.withCanonicalAliases() // was validated
	b.admins, b.auditors, b.exempt, _ = c.Site.rosters()  // too
	if b.realm == "" {
		b.realm = defaultRealm
	}
	if b.idle == 0 {
		b.idle = defaultIdle
	}
	if b.lifetime == 0 {
		b.lifetime = defaultLifetime
	}
	if c.Ask {
		b.setAsk(c)
	}
	if b.login != nil {
		b.source = noSource
	}
	if b.site.Client == nil {
		b.site.Client = connection
	}
	return b, nil
}

// connection tells what the connection itself tells of a request.
func connection(r *http.Request) Client {
	c := Client{Secure: r.TLS != nil}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.Addr, _ = netip.ParseAddr(host)
	}
	return c
}

// Handler returns plain middleware: [Block.Serve] around next.
func (b *Block) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = b.Serve(w, r, func(w http.ResponseWriter, r *http.Request, _ Decision) error {
			next.ServeHTTP(w, r)
			return nil
		}) // nil, since next returns nil
	})
}

// Serve hands r to next if it may pass, and answers it otherwise. Paths under
// [Prefix], of the request as sent, are answered by the gate in any case. The
// error is that of next; the gate's own troubles are answered and logged, never
// returned.
func (b *Block) Serve(w http.ResponseWriter, r *http.Request, next Next) error {
	v := &visit{Block: b, w: w, r: r, next: next, client: b.site.Client(r), now: time.Now()}
	if v.client.Sent == nil {
		v.client.Sent = r.URL
	}
	if v.own() {
		v.servePages()
		return nil
	}
	if v.learns() {
		return v.learn(next)
	}
	if err := v.identify(); err != nil {
		v.refuse(err)
		return nil
	}
	if v.login != nil {
		return v.serveLogin(next)
	}
	if !v.told && !v.asks {
		v.refuse(ErrNoIdentity)
		return nil
	}
	d, err := v.decide()
	if err == nil && d.Verdict == Challenge {
		d, err = v.decideByCode(d)
	}
	if err != nil {
		v.refuse(err)
		return nil
	}
	switch d.Verdict {
	case Pass:
		if v.reminds() && v.remind() {
			return nil
		}
		return v.pass(d, next)
	case Challenge, Enrol:
		v.stop(d.Verdict)
	default:
		v.refuse(errForbidden)
	}
	return nil
}

// decide says what becomes of the request, once what must be recorded before it is.
func (v *visit) decide() (Decision, error) {
	d, note, err := v.rule()
	if err == nil && note != nil {
		err = note()
	}
	if err != nil {
		d.Verdict = Refuse
	}
	return d, err
}

// rule says what becomes of the request: the one place where anything passes. It
// changes nothing; note, if not nil, records what must be on disk, or in the log, before the request
// goes on.
func (v *visit) rule() (d Decision, note func() error, err error) {
	d.Subject = v.Subject
	if v.learns() {
		d.Verdict = Pass
		return d, nil, nil
	}
	if v.sess != nil && v.sess.satisfies(v.policy, v.now) {
		d.Verdict, d.Factor, d.Proved, d.Age = Pass, v.sess.Factor, v.sess.Proved, v.now.Sub(v.sess.Created)
		return d, nil, nil
	}
	if v.asks {
		d, note = v.ruleAsked(d)
		return d, note, nil
	}
	if at, trusted := v.byTrust(); trusted {
		d.Verdict, d.Factor, d.Proved = Pass, FactorTrusted, at
		return d, v.noteTrust, nil
	}
	mode := v.mode(v.r.Context())
	if mode == Observe { // whatever the user has
		d.Verdict = Pass
		return d, v.observe, nil
	}
	a, err := v.leaving()
	if err != nil {
		return d, nil, err
	}
	enrolled := a.enrolled(v.gate.recoveryName())
	v.leave = v.leaveOf(a, mode, v.now)
	switch {
	case v.leave.kind != noLeave:
		d.Verdict, note = Pass, func() error { return v.sight(a) }
	case !enrolled || v.sess != nil && v.sess.Hold:
		d.Verdict = Enrol
	default:
		d.Verdict = Challenge
	}
	return d, note, nil
}

// own tells whether the request, as sent, is for the gate itself.
func (v *visit) own() bool {
	path := v.client.Sent.Path
	return strings.HasPrefix(path, Prefix) || path == strings.TrimSuffix(Prefix, "/")
}

// identify finds out who the request is from, and which session counts for it.
func (v *visit) identify() error {
	if !v.client.Secure && !v.loopback() {
		return errInsecure
	}
	if v.asks {
		return v.findAsked()
	}
	id, err := v.source.Identify(v.r)
	switch {
	case err == nil:
		v.told, v.identity = true, id
		name, err := v.site.Names.Canonical(id.Name)
		if err != nil {
			return err
		}
		v.Subject = Subject{v.realm, name}
	case !errors.Is(err, ErrNoIdentity):
		return fmt.Errorf("asking the identity source: %w", err)
	}
	return v.findSession()
}

// findSession reads the session of the request's cookie. One of another site or
// user is worth nothing here.
func (v *visit) findSession() error {
	token := passedTokens(v.r).own
	if token == "" {
		var err error
		if token, err = v.cookie(sessionCookie); err != nil || len(token) != tokenLength {
			return err
		}
	}
	return v.takeSession(token)
}

// takeSession makes the session of a token that of the visit, if there is one and
// it counts here.
func (v *visit) takeSession(token string) error {
	l, s, err := v.gate.records.find(v.r.Context(), hashOf(token), v.now)
	if errors.Is(err, errNoSession) && (!errors.Is(err, errIdle) || s.Binding == "") {
		return nil
	}
	if err != nil && !errors.Is(err, errIdle) {
		return fmt.Errorf("reading the session: %w", err)
	}
	if s.Asked != v.asks || (s.Binding != "") != (v.login != nil) || s.Site != v.site.Name || s.Realm != v.realm || v.told && s.Subject != v.Subject {
		return nil
	}
	if !s.Proved.IsZero() { // a pending session has a short life of its own
		l.idle.Store(int64(v.idle))
	}
	if l.idleSince(v.now) {
		if s.Binding == "" {
			return nil
		}
		if s, err = v.lock(token, s); errors.Is(err, errNoSession) {
			return nil // it ended just now
		}
		if err != nil {
			return err
		}
	}
	if v.login == nil || !v.login.Form.Poll(v.r) && !v.login.Form.Renews(v.r) {
		l.seen.Store(v.now.UnixNano())
	}
	if s.Hold && v.gate.recovery == nil { // codes that are to be saved are made no more
		free := *s
		free.Hold = false
		s = &free
	}
	v.live, v.sess, v.token = l, s, token
	if !v.told {
		v.Subject = s.Subject
	}
	return nil
}

// loopback tells whether the browser runs on this machine and says so too: the
// only place where a cookie may go without HTTPS.
func (v *visit) loopback() bool {
	for _, forwarded := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
		if len(v.r.Header[forwarded]) > 0 {
			return false // a proxy on this machine speaks for somebody else
		}
	}
	return v.client.Addr.Unmap().IsLoopback() && loopbackHost(v.r.Host)
}

func loopbackHost(hostport string) bool {
	host := hostname(hostport)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// hostname returns the host of a Host header without its port.
func hostname(hostport string) string {
	if strings.Contains(hostport, ":") { // else the error would have to be made
		if host, _, err := net.SplitHostPort(hostport); err == nil {
			hostport = host
		}
	}
	return strings.ToLower(strings.Trim(hostport, "[]"))
}
