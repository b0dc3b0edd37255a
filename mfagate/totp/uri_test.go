package totp_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

func view(t testing.TB, issuer, account string) totp.View {
	t.Helper()
	u := mfagate.User{Subject: mfagate.Subject{Realm: "default", Name: account}, Issuer: issuer}
	s, err := totp.Factor{}.BeginEnrol(t.Context(), mfagate.Call{Now: start}, u, nil, nil)
	if err != nil {
		t.Fatalf("BeginEnrol for issuer %q, account %q: got error %v; want none", issuer, account, err)
	}
	return s.View.(totp.View)
}

// checkURL reads the URL with no help of ours.
func checkURL(t testing.TB, v totp.View) {
	t.Helper()
	link := string(v.URL)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatalf("got URL that does not parse: %v", err)
	}
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Fragment != "" || u.User != nil {
		t.Errorf("got scheme %q, host %q, fragment %q; want otpauth, totp, none", u.Scheme, u.Host, u.Fragment)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q) != 5 {
		t.Errorf("got parameters %q, error %v; want five", u.RawQuery, err)
	}
	want := url.Values{"secret": {v.Secret}, "issuer": {v.Issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	if q.Encode() != want.Encode() {
		t.Errorf("got parameters %v; want %v", q, want)
	}
	if strings.Count(strings.ToLower(link), "secret=") != 1 {
		t.Errorf("got %q; want secret= once", link)
	}
	issuer, account, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), ":")
	if issuer != v.Issuer || account != v.Account {
		t.Errorf("got label of issuer %q, account %q; want %q, %q", issuer, account, v.Issuer, v.Account)
	}
	if i := strings.IndexFunc(link, func(r rune) bool { return r <= ' ' || r >= 0x7f }); i >= 0 {
		t.Errorf("got character %q in the URL; want printable ASCII", link[i])
	}
}

func TestB07Injection(t *testing.T) {
	for _, test := range []struct{ issuer, account, wantIssuer, wantAccount string }{
		{"Example Corp", "alice@example.com", "Example Corp", "alice@example.com"},
		{"Evil:Corp?x&secret=AAAA", "a:b", "Evil-Corp?x&secret=AAAA", "a:b"},
		{"a/../b", "../../c", "a/../b", "../../c"},
		{"100% Bio", "%73ecret=x", "100% Bio", "%73ecret=x"},
		{"A#B", "c#d&issuer=Bank", "A#B", "c#d&issuer=Bank"},
		{"line\r\nbreak", "new\nline", "line break", "new line"},
		{"Größe & Söhne", "日本 太郎", "Größe & Söhne", "日本 太郎"},
		{"a+b", "c+d e", "a+b", "c+d e"},
		{"localhost:8080", `DOMAIN\bob`, "localhost-8080", `DOMAIN\bob`},
		{"\u202eevil", "x\u0000y", "evil", "xy"},
		{strings.Repeat("é", 100), strings.Repeat("x", 256), strings.Repeat("é", 32), strings.Repeat("x", 64)},
	} {
		v := view(t, test.issuer, test.account)
		if v.Issuer != test.wantIssuer || v.Account != test.wantAccount {
			t.Errorf("got issuer %q, account %q; want %q, %q", v.Issuer, v.Account, test.wantIssuer, test.wantAccount)
		}
		checkURL(t, v)
	}
}

// FuzzURL checks that names change neither the number of parameters nor their
// values, and come back as they are shown.
func FuzzURL(f *testing.F) {
	f.Add("Example Corp", "alice@example.com")
	f.Add("Evil:Corp?x&secret=AAAA", "a:b\nc")
	f.Add("Größe/&%#", "\xff\u202e+ ;=")
	f.Fuzz(func(t *testing.T, issuer, account string) {
		u := mfagate.User{Subject: mfagate.Subject{Realm: "default", Name: account}, Issuer: issuer}
		s, err := totp.Factor{}.BeginEnrol(t.Context(), mfagate.Call{Now: start}, u, nil, nil)
		if err != nil {
			if isWord(issuer) && isWord(account) {
				t.Fatalf("issuer %q, account %q: got error %v; want none", issuer, account, err)
			}
			return
		}
		v := s.View.(totp.View)
		checkURL(t, v)
		if isWord(issuer) && len(issuer) <= 64 && v.Issuer != issuer || isWord(account) && len(account) <= 64 && v.Account != account {
			t.Errorf("got issuer %q, account %q; want %q, %q", v.Issuer, v.Account, issuer, account)
		}
	})
}

// isWord tells whether s is of printable ASCII without spaces and colons, so
// that nothing has to be changed.
func isWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }) < 0
}
