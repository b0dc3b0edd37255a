package email_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/email"
	"github.com/mfagate/caddy-mfagate/mfagate/factortest"
)

type nobody struct{}

func (nobody) Send(context.Context, string, mfagate.Message) error { return nil }

// A mailbox is where codes arrive.
type mailbox struct{ address, received string }

func (m *mailbox) Tell(id string) url.Values {
	if id == "" {
		return url.Values{"to": {m.address}}
	}
	return url.Values{"credential": {id}}
}

func (m *mailbox) Receive(d mfagate.Delivery) {
	if d.To == m.address {
		m.received = d.Code
	}
}

func (m *mailbox) Enrol(t testing.TB, c mfagate.Call, view any) url.Values {
	return m.Prove(t, c, view)
}

func (m *mailbox) Prove(testing.TB, mfagate.Call, any) url.Values {
	return url.Values{"code": {m.received[:3] + " " + m.received[3:]}}
}

func (m *mailbox) Wrong(_ testing.TB, answer url.Values) url.Values {
	code := []byte(answer.Get("code"))
	code[0] = '0' + (code[0]-'0'+1)%10
	return url.Values{"code": {string(code)}}
}

func TestSuite(t *testing.T) {
	made := 0
	factortest.Run(t, email.New(email.Addresses{}, nobody{}), func(testing.TB) factortest.Device {
		made++
		return &mailbox{address: fmt.Sprintf("alice%d@example.com", made)}
	})
}

func TestAddresses(t *testing.T) {
	ours := email.Addresses{Domains: []string{"example.com"}}
	for _, test := range []struct {
		name, in  string
		addresses email.Addresses
		want      string
		err       error
	}{
		{"plain", "alice@example.com", ours, "alice@example.com", nil},
		{"with spaces around it", " Alice.B+mfa@Example.COM ", ours, "Alice.B+mfa@example.com", nil},
		{"of another domain", "alice@example.org", ours, "", mfagate.ErrBarred},
		{"of a subdomain", "alice@a.example.com", ours, "", mfagate.ErrBarred},
		{"of a longer domain", "alice@evil-example.com", ours, "", mfagate.ErrBarred},
		{"of any domain", "alice@example.org", email.Addresses{}, "alice@example.org", nil},
		{"with a name", "Alice <alice@example.com>", ours, "", mfagate.ErrAddress},
		{"two", "alice@example.com, mallory@example.com", ours, "", mfagate.ErrAddress},
		{"two with a semicolon", "alice@example.com;mallory@evil.example", ours, "", mfagate.ErrAddress},
		{"with a header", "alice@example.com\r\nBcc: mallory@evil.example", ours, "", mfagate.ErrAddress},
		{"with a line feed", "alice@example.com\nBcc:x", ours, "", mfagate.ErrAddress},
		{"with a NUL", "alice@example.com\x00", ours, "", mfagate.ErrAddress},
		{"quoted", `"alice@evil.example"@example.com`, ours, "", mfagate.ErrAddress},
		{"with a comment", "alice(x)@example.com", ours, "", mfagate.ErrAddress},
		{"routed", "alice%evil.example@example.com", ours, "", mfagate.ErrAddress},
		{"of a look-alike", "alice@exаmple.com", ours, "", mfagate.ErrAddress},
		{"an option for a program", "-oQ/tmp@example.com", ours, "", mfagate.ErrAddress},
		{"without a domain", "alice", ours, "", mfagate.ErrAddress},
		{"of this machine", "root@localhost", email.Addresses{}, "", mfagate.ErrAddress},
		{"of a literal", "root@[127.0.0.1]", email.Addresses{}, "", mfagate.ErrAddress},
		{"empty", "", ours, "", mfagate.ErrAddress},
		{"too long", strings.Repeat("a", 300) + "@example.com", ours, "", mfagate.ErrAddress},
	} {
		got, err := test.addresses.Clean(test.in)
		if got != test.want || !errors.Is(err, test.err) || errors.Is(err, mfagate.ErrBarred) != errors.Is(test.err, mfagate.ErrBarred) {
			t.Errorf("%s: got %q, error %v; want %q, error %v", test.name, got, err, test.want, test.err)
		}
	}
}

func TestMask(t *testing.T) {
	if got, want := (email.Addresses{}).Mask("alice@example.com"), "a•••@example.com"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"alice@example.com", "a@b.c", "@", "a@.b", "a..b@c.d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := (email.Addresses{}).Clean(s)
		if err != nil {
			return
		}
		if again, err := (email.Addresses{}).Clean(got); err != nil || again != got || strings.ContainsAny(got, "\r\n ,;<>\x00") {
			t.Errorf("got %q, then %q, error %v; want one address", got, again, err)
		}
	})
}
