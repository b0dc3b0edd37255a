package gatetest

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// The paths of the gate's pages.
const (
	PathSecurity  = "/.mfa/"
	PathChallenge = "/.mfa/challenge"
	PathEnrol     = "/.mfa/enroll"
	PathTOTP      = "/.mfa/enroll/totp"
	PathCodes     = "/.mfa/recovery-codes"
	PathSignOut   = "/.mfa/sign-out"
)

var (
	base32Groups = regexp.MustCompile(`\b(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}\b`)
	codeGroups   = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{4}(?:-[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{4}){3}\b`)
)

// Secret returns the secret that an enrolment page shows in groups of four.
func (p *Page) Secret(t testing.TB) string {
	t.Helper()
	got := base32Groups.FindString(p.Text())
	if got == "" {
		t.Fatalf("%s (%d) shows no secret in groups of four:\n%s", p.URL, p.Status, tail(p.Body, 3000))
	}
	return strings.ReplaceAll(got, " ", "")
}

// RecoveryCodes returns the recovery codes that a page shows.
func (p *Page) RecoveryCodes() []string {
	var codes []string
	seen := make(map[string]bool)
	for _, c := range codeGroups.FindAllString(p.Text(), -1) {
		if !seen[c] {
			codes = append(codes, c)
		}
		seen[c] = true
	}
	return codes
}

// Enrol leads the person through the wizard, from the page that they wanted to
// that page, and returns what they saw last.
func (p *Person) Enrol(t testing.TB, want string) *Page {
	t.Helper()
	page := p.ConfirmCode(t, p.StartEnrol(t, want))
	page = p.Submit(t, page, PathCodes, url.Values{"saved": {"yes"}})
	if page.Status != http.StatusOK || page.URL.RequestURI() != want {
		t.Fatalf("after the enrolment: %d at %s; want 200 at %s", page.Status, page.URL, want)
	}
	return page
}

// StartEnrol goes as far as the page with the secret, and puts that into the phone.
func (p *Person) StartEnrol(t testing.TB, want string) *Page {
	t.Helper()
	page := p.Navigate(t, want)
	if page.URL.Path != PathEnrol {
		t.Fatalf("%s leads to %s (%d); want %s", want, page.URL, page.Status, PathEnrol)
	}
	page = p.Submit(t, page, PathTOTP, nil)
	p.Phone = &Authenticator{Secret: page.Secret(t)}
	return page
}

// ConfirmCode types a code on the page with the secret, and takes the recovery
// codes of the page that follows.
func (p *Person) ConfirmCode(t testing.TB, page *Page) *Page {
	t.Helper()
	page = p.Submit(t, page, PathTOTP, url.Values{"code": {p.Phone.Code(t)}, "label": {"Phone"}})
	if page.URL.Path != PathCodes {
		t.Fatalf("the code leads to %s (%d); want %s:\n%s", page.URL, page.Status, PathCodes, tail(page.Text(), 800))
	}
	if p.Codes = page.RecoveryCodes(); len(p.Codes) == 0 {
		t.Fatalf("%s shows no recovery codes:\n%s", page.URL, tail(page.Body, 3000))
	}
	return page
}

// Challenge opens the page that asks for a proof.
func (p *Person) Challenge(t testing.TB) *Page {
	t.Helper()
	page := p.Navigate(t, "/wanted")
	if page.URL.Path != PathChallenge {
		t.Fatalf("%s: got %d at %s; want the challenge", p.Name, page.Status, page.URL)
	}
	return page
}

// Answer posts a proof without following where it leads.
func (p *Person) Answer(t testing.TB, method, code string) *Page {
	t.Helper()
	return p.Post(t, p.Challenge(t), PathChallenge, url.Values{"method": {method}, "code": {code}})
}

// Prove types a code on the challenge that stands before a page, and returns
// what follows.
func (p *Person) Prove(t testing.TB, want, method, code string) *Page {
	t.Helper()
	page := p.Navigate(t, want)
	if page.URL.Path != PathChallenge {
		t.Fatalf("%s leads to %s (%d); want %s", want, page.URL, page.Status, PathChallenge)
	}
	return p.Submit(t, page, PathChallenge, url.Values{"method": {method}, "code": {code}})
}

// SignIn proves the authenticator app, and fails the test if the app is not
// reached.
func (p *Person) SignIn(t testing.TB, want string) *Page {
	t.Helper()
	page := p.Prove(t, want, "totp", p.Phone.Code(t))
	if page.Status != http.StatusOK || page.URL.RequestURI() != want {
		t.Fatalf("after the proof: %d at %s; want 200 at %s:\n%s", page.Status, page.URL, want, tail(page.Text(), 800))
	}
	return page
}

// UseCode returns a recovery code that was not used yet.
func (p *Person) UseCode(t testing.TB) string {
	t.Helper()
	if len(p.Codes) == 0 {
		t.Fatalf("%s has no recovery code left", p.Name)
	}
	code := p.Codes[0]
	p.Codes = p.Codes[1:]
	return code
}
