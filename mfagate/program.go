package mfagate

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A CodeCarrier is a [Source] whose requests may bring a code along with the
// password, for programs that can show no page.
type CodeCarrier interface {
	// Appended returns the code that came with the password of r's user. ok is
	// false if there is none, or if the password is not known to be that of the
	// user whom Identify names.
	Appended(r *http.Request) (c AppendedCode, ok bool)
}

// An AppendedCode is a code that came with a password.
type AppendedCode struct {
	Method   string // name of the factor
	Code     string
	Password string // without the code; a first factor has found it right
}

// Refused codes are remembered, so that a program that sends an old one again and
// again costs its user one attempt and not all.
const (
	refusedLife = day
	maxRefused  = 10_000
)

// programs is what this process knows of programs that sign in with the password.
type programs struct {
	signIn [64]sync.Mutex // by user: the second of two requests finds the session of the first

	mu      sync.Mutex
	key     []byte // of this process
	refused map[tokenHash]time.Time
}

// lock lets one sign-in of a user come after the other.
func (p *programs) lock(s Subject) (unlock func()) {
	m := &p.signIn[hashOf(s.Realm + "\x00" + s.Name)[0]%64]
	m.Lock()
	return m.Unlock
}

func (p *programs) name(s Subject, c AppendedCode) tokenHash {
	if p.key == nil {
		p.key = make([]byte, 32)
		rand.Read(p.key) // never fails
	}
	return hashOf(keyed(p.key, s.Realm, s.Name, c.Method, c.Password, c.Code))
}

func (p *programs) wasRefused(s Subject, c AppendedCode, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Before(p.refused[p.name(s, c)])
}

func (p *programs) refuse(s Subject, c AppendedCode, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused == nil || len(p.refused) >= maxRefused {
		p.refused = make(map[tokenHash]time.Time)
	}
	p.refused[p.name(s, c)] = now.Add(refusedLife)
}

// prune forgets what is long past.
func (p *programs) prune(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for h, until := range p.refused {
		if !now.Before(until) {
			delete(p.refused, h)
		}
	}
}

// keyed is an HMAC of parts, in the form of a session's token. The length of each
// part goes in with it, so that no two lists read the same.
func keyed(key []byte, parts ...string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		mac.Write(n[:])
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// programToken is the token of the session that a password with this code makes at
// a site: who sends the same again is in that session, cookies or not. It takes a
// key of the account, so that nobody who reads the records can try passwords.
func (a *account) programToken(site string, c AppendedCode) string {
	return keyed(a.ProgramKey, "mfagate program", site, c.Method, c.Password, c.Code)
}

// byCode signs a program in with the code that came along with its password, or
// finds the session that this made before. Whatever else is the matter, the visit
// stays as it was: err says why the code did not do.
func (v *visit) byCode() error {
	carrier, ok := v.source.(CodeCarrier)
	if !ok || !v.told || v.fromElsewhere() {
		return nil
	}
	c, ok := carrier.Appended(v.r)
	if !ok {
		return nil
	}
	if found, err := v.takeProgram(c); found || err != nil {
		return err
	}
	defer v.gate.records.programs.lock(v.Subject)()
	if found, err := v.takeProgram(c); found || err != nil {
		return err
	}
	return v.signInByCode(c)
}

// fromElsewhere tells whether another site made a browser send the request, which
// sends the password along without being asked.
func (v *visit) fromElsewhere() bool {
	site := v.r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
}

// takeProgram makes the session that c has made before that of the visit.
func (v *visit) takeProgram(c AppendedCode) (found bool, err error) {
	a, err := v.account()
	if err != nil || a.ProgramKey == nil {
		return false, err
	}
	token := a.programToken(v.site.Name, c)
	err = v.takeSession(token)
	return v.token == token, err
}

func (v *visit) signInByCode(c AppendedCode) (err error) {
	p := &v.gate.records.programs
	if p.wasRefused(v.Subject, c, v.now) {
		return ErrRejected
	}
	if v.browser, err = v.cookie(browserCookie); err != nil {
		return err
	}
	v.call = v.newCall()
	fresh := *v // a new session, whatever there was
	fresh.sess, fresh.live, fresh.token = nil, nil, ""
	_, err = fresh.verify(answered{Method: c.Method, Purpose: purposeSignIn, Values: url.Values{"code": {c.Code}}, Program: &c})
	if errors.Is(err, ErrRejected) {
		p.refuse(v.Subject, c, v.now)
	}
	if err != nil {
		return err
	}
	return v.takeSession(fresh.token)
}

// bind stores s as the session of a program: under a token that its password and
// code make.
func (v *visit) bind(t *txn, s session, a *account, factor string, c AppendedCode) (saved, error) {
	if a.ProgramKey == nil {
		a.ProgramKey = make([]byte, 32)
		rand.Read(a.ProgramKey) // never fails
	}
	s.Deadline, s.Factor, s.Proved = t.now.Add(v.lifetime).UTC(), factor, t.now.UTC()
	a.LastProof = s.Proved
	out := saved{&s, a.programToken(v.site.Name, c)}
	if err := t.removeSession(out.hash()); err != nil { // of long ago: the code has come again
		return saved{}, err
	}
	t.put(sessionKey(out.hash()), encode(&s), s.Deadline)
	for _, hash := range a.admit(sessionRef{out.hash(), s.Deadline}, t.now) {
		if err := t.removeSession(hash); err != nil {
			return saved{}, err
		}
	}
	v.reach(t, s, a)
	t.putAccount(a)
	return out, nil
}

// decideByCode decides anew if a code came with the password. A browser whose code
// did not do gets the page, on which the person can answer again.
func (v *visit) decideByCode(d Decision) (Decision, error) {
	err := v.byCode()
	var locked *LockedError
	switch {
	case err == nil && v.sess != nil:
		return v.decide()
	case err == nil, errors.Is(err, errMethod):
		return d, nil
	case navigation(v.r) && (errors.Is(err, ErrRejected) || errors.As(err, &locked)):
		return d, nil
	}
	return d, err
}

// enterByCode lets a program that keeps no cookies use the API.
func (v *visit) enterByCode(path string) error {
	if !strings.HasPrefix(path, apiPrefix) || v.sess != nil && !v.sess.Proved.IsZero() {
		return nil
	}
	if err := v.byCode(); !errors.Is(err, errMethod) {
		return err
	}
	return nil
}
