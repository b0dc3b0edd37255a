package attack_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// M-01, M-02: with the password alone nobody changes, sees or adds anything once
// a factor is there.
func TestPasswordThiefCannotTouchFactors(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	thief := s.Person("alice")
	s.App.Quiet(t, func() {
		token := thief.Challenge(t).Form(t, gatetest.PathChallenge).Values.Get("form_token")
		for _, path := range []string{gatetest.PathEnrol, gatetest.PathTOTP, gatetest.PathCodes, gatetest.PathSecurity} {
			page := thief.Open(t, path)
			if len(page.RecoveryCodes()) > 0 || strings.Contains(page.Text(), "Phone") || page.Find("form", "action", gatetest.PathTOTP) != nil {
				t.Errorf("GET %s shows a factor to a password thief", path)
			}
			page = thief.PostValues(t, path, url.Values{"form_token": {token}, "code": {"123456"}, "saved": {"yes"}, "label": {"Mine"}, "action": {"new"}})
			if len(page.RecoveryCodes()) > 0 || page.Status < 300 {
				t.Errorf("POST %s: got %d; want a refusal or the way to the challenge", path, page.Status)
			}
		}
		for _, path := range []string{"enroll/totp", "enroll/totp/confirm", "recovery-codes"} {
			page := thief.Fetch(t, "POST", "/.mfa/api/v1/"+path, map[string]string{"code": "123456"})
			wantClientError(t, "POST api "+path, page)
		}
		if page := thief.Fetch(t, "GET", "/.mfa/api/v1/credentials", nil); page.Status != 401 && page.Status != 403 {
			t.Errorf("GET credentials: got %d; want 401 or 403", page.Status)
		}
	})
	p.Elsewhere().SignIn(t, "/")
}

// M-03: the proof of the sign-in does not open the settings: a script in the app
// must not ride on it.
func TestSignInProofDoesNotMakeCodes(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice").Elsewhere()
	p.SignIn(t, "/")
	old := p.UseCode(t)
	page := p.Fetch(t, "POST", "/.mfa/api/v1/recovery-codes", map[string]string{})
	if page.Status != 401 && page.Status != 403 {
		t.Errorf("new codes with the proof of the sign-in: got %d; want 401 or 403", page.Status)
	}
	if page := p.Open(t, gatetest.PathCodes); len(page.RecoveryCodes()) > 0 {
		t.Error("the codes are shown with the proof of the sign-in")
	}
	q := p.Elsewhere()
	if page := q.Answer(t, "recovery", old); page.Status != http.StatusSeeOther {
		t.Errorf("the old code afterwards: got %d; want 303", page.Status)
	}
}

// M-07: the secret is the server's, whatever the form says.
func TestOwnSecretInTheForm(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := s.Person("alice")
	page := p.StartEnrol(t, "/")
	mine := &gatetest.Authenticator{Secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
	right := mine.Code(t)
	s.App.Quiet(t, func() {
		got := p.Post(t, page, gatetest.PathTOTP, url.Values{
			"secret": {mine.Secret}, "key": {mine.Secret}, "state": {mine.Secret}, "seed": {mine.Secret},
			"otpauth_url": {"otpauth://totp/x?secret=" + mine.Secret}, "code": {right},
		})
		wantRejected(t, "a code of the attacker's secret", got)
		if again := got.Secret(t); again != p.Phone.Secret {
			t.Error("a wrong code changed the secret; it must stay the same")
		}
	})
	p.ConfirmCode(t, p.Open(t, gatetest.PathTOTP))
}

// M-08, S-15: what was not confirmed does not count, in any order of pages.
func TestUnfinishedEnrolmentOpensNothing(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := s.Person("alice")
	p.StartEnrol(t, "/")
	first := p.Phone.Secret
	s.App.Quiet(t, func() {
		wantStopped(t, "the app", p.Open(t, "/"))
		wantStopped(t, "by script", p.Fetch(t, "GET", "/", nil))
		token := p.Open(t, gatetest.PathTOTP).Form(t, gatetest.PathTOTP).Values.Get("form_token")
		p.PostValues(t, gatetest.PathChallenge, url.Values{"form_token": {token}, "method": {"totp"}, "code": {p.Phone.Code(t)}})
		p.PostValues(t, gatetest.PathCodes, url.Values{"form_token": {token}, "saved": {"yes"}})
		wantStopped(t, "the app after skipping ahead", p.Open(t, "/"))

		q := s.Person("alice")
		q.StartEnrol(t, "/")
		if q.Phone.Secret == first {
			t.Error("another browser is shown the same secret")
		}
	})
}

// Codes that were not saved are shown anew, and the old ones are worth nothing.
func TestLeavingBeforeTheCodesAreSaved(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := s.Person("alice")
	p.ConfirmCode(t, p.StartEnrol(t, "/wanted"))
	old := p.Codes
	s.App.Quiet(t, func() {
		wantStopped(t, "the app", p.Open(t, "/wanted"))
		page := p.Navigate(t, "/wanted")
		if page = p.Post(t, page, gatetest.PathCodes, url.Values{"saved": nil}); page.Status == http.StatusSeeOther && !strings.HasPrefix(page.Header.Get("Location"), "/.mfa/") {
			t.Errorf("without the box: got 303 to %s", page.Header.Get("Location"))
		}
	})
	q := p.Elsewhere()
	page := q.Prove(t, "/wanted", "totp", q.Phone.Code(t))
	if page.URL.Path != gatetest.PathCodes {
		t.Fatalf("next time: led to %s; want the codes", page.URL)
	}
	fresh := page.RecoveryCodes()
	if len(fresh) != len(old) || slices.Equal(fresh, old) {
		t.Errorf("next time: %d codes, the same %v; want a fresh set", len(fresh), slices.Equal(fresh, old))
	}
	if page = q.Submit(t, page, gatetest.PathCodes, url.Values{"saved": {"yes"}}); page.URL.RequestURI() != "/wanted" {
		t.Errorf("after saving: at %s; want /wanted", page.URL)
	}
	s.App.Quiet(t, func() {
		r := p.Elsewhere()
		wantRejected(t, "a code of the old set", r.Answer(t, "recovery", old[0]))
	})
}

// M-09: parallel confirmations make one credential and one set of codes.
func TestParallelEnrolments(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := s.Person("alice")
	form := p.StartEnrol(t, "/").Form(t, gatetest.PathTOTP)
	form.Values.Set("code", p.Phone.Code(t))
	var browsers []*gatetest.Person
	var requests []*http.Request
	for range 20 {
		browsers = append(browsers, p)
		requests = append(requests, p.PostRequest(t, gatetest.PathTOTP, form.Values))
	}
	race(t, browsers, requests)
	q := p.Elsewhere()
	page := q.Prove(t, "/", "totp", q.Phone.Code(t))
	q.Submit(t, page, gatetest.PathCodes, url.Values{"saved": {"yes"}})
	wantReaches(t, q)
	got := q.Fetch(t, "GET", "/.mfa/api/v1/credentials", nil)
	if n := strings.Count(got.Body, `"totp"`); got.Status != 200 || n != 1 {
		t.Errorf("credentials: %d %s; want one totp", got.Status, got.Body)
	}
}

// M-11: a secret is shown until it is confirmed and never again, and no page
// with one is kept by anybody.
func TestSecretIsNotShownAgain(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := s.Person("alice")
	page := p.StartEnrol(t, "/")
	wantNoStore(t, page)
	codes := p.ConfirmCode(t, page)
	wantNoStore(t, codes)
	for _, path := range []string{gatetest.PathTOTP, gatetest.PathEnrol, gatetest.PathSecurity} {
		if page := p.Navigate(t, path); strings.Contains(strings.ReplaceAll(page.Text(), " ", ""), p.Phone.Secret) {
			t.Errorf("%s shows the secret after the enrolment", path)
		}
	}
}

func wantNoStore(t *testing.T, page *gatetest.Page) {
	t.Helper()
	if got := page.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("%s: Cache-Control %q; want no-store", page.URL, got)
	}
}

// M-06, M-10: where a ticket is needed, the password is not enough; a ticket
// admits one enrolment of one user.
func TestTickets(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Block: "enroll_from ticket"})
	out, err := s.Command("mfa", "enroll", "alice", "--address", "unix/"+s.AdminSocket).CombinedOutput()
	if err != nil {
		t.Fatalf("mfa enroll: %v\n%s", err, out)
	}
	ticket := ticketIn(t, string(out))
	s.App.Quiet(t, func() {
		for name, wrong := range map[string]string{"alice": strings.Repeat("0", len(ticket)), "bob": ticket} {
			p := s.Person(name)
			page := p.Navigate(t, "/")
			page = p.Submit(t, page, gatetest.PathEnrol, url.Values{"ticket": {wrong}})
			if page.Find("form", "action", gatetest.PathTOTP) != nil {
				t.Errorf("%s with a ticket that is not theirs is let to the enrolment", name)
			}
			token := p.Open(t, gatetest.PathEnrol).Form(t, gatetest.PathEnrol).Values.Get("form_token")
			p.PostValues(t, gatetest.PathTOTP, url.Values{"form_token": {token}})
			if page := p.Open(t, gatetest.PathTOTP); page.Find("input", "name", "code") != nil {
				t.Errorf("%s without a ticket gets a secret", name)
			}
		}
	})
	p := s.Person("alice")
	page := p.Submit(t, p.Navigate(t, "/"), gatetest.PathEnrol, url.Values{"ticket": {ticket}})
	page = p.Submit(t, page, gatetest.PathTOTP, nil)
	p.Phone = &gatetest.Authenticator{Secret: page.Secret(t)}
	p.Submit(t, p.ConfirmCode(t, page), gatetest.PathCodes, url.Values{"saved": {"yes"}})
	wantReaches(t, p)
	for _, q := range []*gatetest.Person{p.Elsewhere(), s.Person("bob")} { // the link is in the post, and used up
		if page := q.Navigate(t, gatetest.PathEnrol+"?ticket="+ticket); page.Find("form", "action", gatetest.PathTOTP) != nil {
			t.Errorf("%s with the used ticket is let to the enrolment", q.Name)
		}
	}
}

// ticketIn finds the ticket in what the command prints: the longest word of
// Crockford's alphabet, in groups or not.
func ticketIn(t *testing.T, out string) string {
	t.Helper()
	best := ""
	for _, word := range strings.FieldsFunc(out, func(r rune) bool { return !strings.ContainsRune("0123456789ABCDEFGHJKMNPQRSTVWXYZ-", r) }) {
		if len(word) > len(best) {
			best = word
		}
	}
	if len(strings.ReplaceAll(best, "-", "")) < 26 {
		t.Fatalf("no ticket of 128 bits in %q", out)
	}
	return best
}

// A recovery code is good once, however it is written, and the number left is told.
func TestRecoveryCodesRunOut(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	used := p.Codes[0]
	for len(p.Codes) > 2 {
		q := p.Elsewhere()
		c := p.UseCode(t)
		if page := q.Answer(t, "recovery", spelled(c, len(p.Codes))); page.Status != http.StatusSeeOther {
			t.Fatalf("with %d codes left: got %d; want 303:\n%s", len(p.Codes), page.Status, page.Text())
		}
		wantReaches(t, q)
	}
	s.App.Quiet(t, func() {
		q := p.Elsewhere()
		wantRejected(t, "a used code", q.Answer(t, "recovery", used))
	})
	status := p.Elsewhere()
	status.SignIn(t, "/")
	page := status.Fetch(t, "GET", "/.mfa/api/v1/session", nil)
	if !strings.Contains(strings.ReplaceAll(page.Body, " ", ""), `"recovery_codes_left":2`) {
		t.Errorf("session: %s; want 2 recovery codes left", page.Body)
	}
}

// spelled writes a code in one of the ways in which people do.
func spelled(c string, n int) string {
	switch n % 4 {
	case 0:
		return strings.ToLower(c)
	case 1:
		return strings.ReplaceAll(c, "-", "")
	case 2:
		return " " + strings.ReplaceAll(c, "-", " ") + " "
	}
	return c
}

// I2: of 16 that post one recovery code at once, one gets in.
func TestRecoveryCodeTwiceAtOnce(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	p := enrolled(t, s, "alice")
	for range 3 {
		one := p.UseCode(t)
		var browsers []*gatetest.Person
		var requests []*http.Request
		for range 16 {
			q := p.Elsewhere()
			form := q.Challenge(t).Form(t, gatetest.PathChallenge)
			form.Values.Set("method", "recovery")
			form.Values.Set("code", one)
			browsers = append(browsers, q)
			requests = append(requests, q.PostRequest(t, gatetest.PathChallenge, form.Values))
		}
		if won := race(t, browsers, requests); won != 1 {
			t.Errorf("%d of 16 got in with one recovery code; want 1", won)
		}
		unlock(t, s, "alice")
	}
}

// unlock forgets the failed attempts of a race, which are many.
func unlock(t *testing.T, s *gatetest.Server, name string) {
	t.Helper()
	if out, err := s.Command("mfa", "unlock", name, "--address", "unix/"+s.AdminSocket).CombinedOutput(); err != nil {
		t.Fatalf("mfa unlock: %v\n%s", err, out)
	}
}
