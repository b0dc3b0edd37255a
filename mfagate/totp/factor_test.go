package totp_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

// start is in the middle of a step.
var start = time.Unix(1_772_366_400+15, 0)

// A person signs in with a phone. The test moves the time of the gate.
type person struct {
	t      testing.TB
	factor totp.Factor
	phone  phone
	user   mfagate.User
	now    time.Time
}

func alice() mfagate.User {
	return mfagate.User{Subject: mfagate.Subject{Realm: "default", Name: "alice"}, Issuer: "Example Corp"}
}

// enrolled returns a person who enrolled an hour before start.
func enrolled(t testing.TB, f totp.Factor) *person {
	t.Helper()
	p := &person{t: t, factor: f, user: alice(), now: start.Add(-time.Hour)}
	p.enrol("")
	p.now = start
	return p
}

func (p *person) call() mfagate.Call { return mfagate.Call{Host: "app.example.com", Now: p.now} }

func (p *person) enrol(label string) {
	p.t.Helper()
	if err := p.tryEnrol(label); err != nil {
		p.t.Fatalf("enrolling: got error %v; want none", err)
	}
}

func (p *person) tryEnrol(label string) error {
	p.t.Helper()
	step, err := p.factor.BeginEnrol(p.t.Context(), p.call(), p.user, nil, nil)
	if err != nil {
		return err
	}
	answer := p.phone.Enrol(p.t, p.call(), step.View)
	answer.Set("label", label)
	cred, err := p.factor.FinishEnrol(p.t.Context(), p.call(), p.user, step.State, answer)
	if err == nil {
		p.user.Credentials = []mfagate.Credential{cred}
	}
	return err
}

// answer gives fields to the gate, which keeps what it learns.
func (p *person) answer(fields url.Values) error {
	cred, err := p.factor.FinishVerify(p.t.Context(), p.call(), p.user, nil, fields)
	if err == nil {
		p.user.Credentials = []mfagate.Credential{cred}
	}
	return err
}

func (p *person) types(code string) error { return p.answer(url.Values{"code": {code}}) }

// code returns that of the phone, so much after now.
func (p *person) code(after time.Duration) string {
	p.t.Helper()
	return p.phone.code(p.t, p.now.Add(after))
}

func (p *person) want(what string, got, want error) {
	p.t.Helper()
	if want == nil && got != nil || !errors.Is(got, want) {
		p.t.Errorf("%s: got error %v; want %v", what, got, want)
	}
}

const step = 30 * time.Second

func TestAcceptedSteps(t *testing.T) {
	for _, test := range []struct {
		name     string
		strict   bool
		ahead    time.Duration // of the phone, since enrolment
		accepted map[int]bool  // by distance in steps
	}{
		{"default", false, 0, map[int]bool{-1: true, 0: true, 1: true}},
		{"default, a minute ahead", false, 2 * step, map[int]bool{-2: true, -1: true, 0: true}},
		{"default, a minute behind", false, -2 * step, map[int]bool{0: true, 1: true, 2: true}},
		{"strict", true, 0, map[int]bool{-1: true, 0: true}},
		{"strict, half a minute ahead", true, step, map[int]bool{-1: true, 0: true}},
	} {
		fresh := person{t: t, factor: totp.Factor{Strict: test.strict}, user: alice(), now: start.Add(-time.Hour)}
		fresh.phone.ahead = test.ahead
		fresh.enrol("")
		fresh.now = start
		for distance := -4; distance <= 4; distance++ {
			p := fresh
			err := p.types(p.code(time.Duration(distance) * step))
			if got := err == nil; got != test.accepted[distance] {
				t.Errorf("%s, step %+d: got accepted %t; want %t", test.name, distance, got, test.accepted[distance])
			}
		}
	}
}

func TestEnrolmentReachesTwoSteps(t *testing.T) {
	for distance, want := range map[int]error{
		-3: mfagate.ErrRejected, -2: nil, -1: nil, 0: nil, 1: nil, 2: nil, 3: mfagate.ErrRejected,
	} {
		p := &person{t: t, user: alice(), now: start}
		p.phone.ahead = time.Duration(distance) * step
		p.want("enrolment", p.tryEnrol(""), want)
	}
}

// TestSlidingClock lets a phone's clock slide a minute away over a year.
func TestSlidingClock(t *testing.T) {
	for _, sign := range []time.Duration{-1, 1} {
		p := enrolled(t, totp.Factor{})
		for range 50 {
			p.now = p.now.Add(7*24*time.Hour + 11*time.Second)
			p.phone.ahead += sign * time.Second
			p.want("sign-in", p.types(p.code(0)), nil)
		}
	}
}

func TestLabel(t *testing.T) {
	for given, want := range map[string]string{
		"":                            "",
		" \n\t ":                      "",
		"  Bob's phone\r\n":           "Bob's phone",
		"a\x00b\x1b[31m\u202ec":       "ab[31mc",
		"\xff\xfeok":                  "ok",
		"two\nlines":                  "two lines",
		strings.Repeat("ä", 40):       strings.Repeat("ä", 32),
		"x" + strings.Repeat("ä", 40): "x" + strings.Repeat("ä", 31),
	} {
		p := &person{t: t, user: alice(), now: start}
		p.enrol(given)
		got := p.user.Credentials[0].Label
		if got != want || len(got) > 64 || !utf8.ValidString(got) {
			t.Errorf("label %q: got %q; want %q", given, got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	for name, f := range map[string]totp.Factor{
		"seven digits":  {Digits: 7},
		"MD5":           {Algorithm: "MD5"},
		"short period":  {Period: 10 * time.Second},
		"long period":   {Period: 5 * time.Minute},
		"broken period": {Period: 30500 * time.Millisecond},
		"negative":      {Period: -30 * time.Second},
		"nameless app":  {Apps: []totp.App{{}}},
		"app by script": {Apps: []totp.App{{Name: "x", Web: "javascript:alert(1)"}}},
		"app by plain":  {Apps: []totp.App{{Name: "x", IOS: "http://example.com"}}},
		"app, relative": {Apps: []totp.App{{Name: "x", Android: "/x"}}},
	} {
		if f.Validate() == nil {
			t.Errorf("%s: got no error; want one", name)
		}
		if _, err := f.BeginEnrol(t.Context(), mfagate.Call{Now: start}, alice(), nil, nil); err == nil {
			t.Errorf("%s: got BeginEnrol without error; want one", name)
		}
	}
	for name, f := range map[string]totp.Factor{
		"zero": {}, "default apps": {Apps: totp.DefaultApps()}, "no apps": {Apps: []totp.App{}},
		"all set": {Digits: 8, Algorithm: totp.SHA512, Period: time.Minute, Strict: true},
	} {
		if err := f.Validate(); err != nil {
			t.Errorf("%s: got error %v; want none", name, err)
		}
	}
}

// TestJSONOfView keeps to the fields of the API.
func TestJSONOfView(t *testing.T) {
	p := &person{t: t, user: alice(), now: start}
	s, err := p.factor.BeginEnrol(t.Context(), p.call(), p.user, nil, nil)
	if err != nil {
		t.Fatalf("BeginEnrol: got error %v; want none", err)
	}
	b, err := json.Marshal(s.View)
	if err != nil {
		t.Fatalf("encoding: %v", err)
	}
	var got map[string]string
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("decoding: %v", err)
	}
	v := s.View.(totp.View)
	want := map[string]string{"secret": v.Secret, "otpauth_url": string(v.URL), "qr_svg": v.SVG}
	if len(got) != len(want) {
		t.Errorf("got %d fields; want %d", len(got), len(want))
	}
	for k, w := range want {
		if got[k] != w || w == "" {
			t.Errorf("%s: got %q; want %q", k, got[k], w)
		}
	}
	if strings.Join(v.Groups, "") != v.Secret || len(v.Groups) != 8 || len(v.Secret) != 32 {
		t.Errorf("got groups %d, secret of %d; want 8 groups of a secret of 32", len(v.Groups), len(v.Secret))
	}
	if len(v.Apps) != len(totp.DefaultApps()) {
		t.Errorf("got %d apps; want the default ones", len(v.Apps))
	}
}

func TestSeedsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		s, err := totp.Factor{}.BeginEnrol(t.Context(), mfagate.Call{Now: start}, alice(), nil, nil)
		if err != nil {
			t.Fatalf("BeginEnrol: got error %v; want none", err)
		}
		seen[s.View.(totp.View).Secret] = true
	}
	if len(seen) != 100 {
		t.Errorf("got %d seeds; want 100", len(seen))
	}
}
