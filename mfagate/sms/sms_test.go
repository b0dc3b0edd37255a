package sms_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/factortest"
	"github.com/mfagate/caddy-mfagate/mfagate/sms"
)

var german = sms.Numbers{Countries: []string{"DE", "AT", "CH"}}

type nobody struct{}

func (nobody) Send(context.Context, string, mfagate.Message) error { return nil }

// A phone is one that text messages are sent to.
type phone struct {
	number   string
	received string
}

func (p *phone) Tell(id string) url.Values {
	if id == "" {
		return url.Values{"to": {p.number}}
	}
	return url.Values{"credential": {id}}
}

func (p *phone) Receive(d mfagate.Delivery) {
	if d.To == strings.ReplaceAll(p.number, " ", "") {
		p.received = d.Code
	}
}

func (p *phone) Enrol(t testing.TB, c mfagate.Call, view any) url.Values { return p.Prove(t, c, view) }

func (p *phone) Prove(testing.TB, mfagate.Call, any) url.Values {
	return url.Values{"code": {p.received}}
}

func (p *phone) Wrong(_ testing.TB, answer url.Values) url.Values {
	code := []byte(answer.Get("code"))
	last := &code[len(code)-1]
	*last = '0' + (*last-'0'+1)%10
	return url.Values{"code": {string(code)}}
}

func TestSuite(t *testing.T) {
	made := 0
	factortest.Run(t, sms.New(german, nobody{}), func(testing.TB) factortest.Device {
		made++
		return &phone{number: fmt.Sprintf("+49 1511 23456%02d", made)}
	})
}

func TestNumbers(t *testing.T) {
	everywhere := sms.Numbers{Countries: []string{sms.All}}
	for _, test := range []struct {
		name, in string
		numbers  sms.Numbers
		want     string
		err      error
	}{
		{"with country code", "+49 1511 2345678", german, "+4915112345678", nil},
		{"with 00", "0049 (1511) 234-5678", german, "+4915112345678", nil},
		{"as at home", "01511 2345678", german, "+4915112345678", nil},
		{"of another allowed country", "+43 664 1234567", german, "+436641234567", nil},
		{"of a country that is not allowed", "+48 512 345 678", german, "", mfagate.ErrBarred},
		{"of anywhere", "+48 512 345 678", everywhere, "+48512345678", nil},
		{"without a country, of anywhere", "01511 2345678", everywhere, "", mfagate.ErrAddress},
		{"premium rate", "+49 900 1234567", german, "", mfagate.ErrBarred},
		{"premium rate, of anywhere", "+44 909 8790123", everywhere, "", mfagate.ErrBarred},
		{"shared cost", "+49 180 5123456", german, "", mfagate.ErrBarred},
		{"toll free", "+49 800 1234567", german, "", mfagate.ErrBarred},
		{"at a desk", "+49 30 123456", german, "", mfagate.ErrBarred},
		{"satellite", "+881 6 12345678", everywhere, "", mfagate.ErrBarred},
		{"international premium rate", "+979 123456789", everywhere, "", mfagate.ErrBarred},
		{"too short", "+49 1511", german, "", mfagate.ErrAddress},
		{"emergency", "112", german, "", mfagate.ErrAddress},
		{"too long", "+49 1511 23456789012", german, "", mfagate.ErrAddress},
		{"with an extension", "+49 1511 2345678 ext. 5", german, "", mfagate.ErrAddress},
		{"in letters", "0151-FLOWERS", german, "", mfagate.ErrAddress},
		{"two of them", "+4915112345678,+4915112345679", german, "", mfagate.ErrAddress},
		{"with a line break", "+4915112345678\r\nTo: +4990012345", german, "", mfagate.ErrAddress},
		{"with a tab", "+49\t15112345678", german, "", mfagate.ErrAddress},
		{"with a parameter", "+4915112345678&text=x", german, "", mfagate.ErrAddress},
		{"in other digits", "+49 1511 234567٨", german, "", mfagate.ErrAddress},
		{"empty", "", german, "", mfagate.ErrAddress},
		{"huge", strings.Repeat("1", 1<<20), german, "", mfagate.ErrAddress},
		{"where none is allowed", "+49 1511 2345678", sms.Numbers{}, "", mfagate.ErrAddress},
	} {
		got, err := test.numbers.Clean(test.in)
		if got != test.want || !errors.Is(err, test.err) || errors.Is(err, mfagate.ErrBarred) != errors.Is(test.err, mfagate.ErrBarred) {
			t.Errorf("%s: got %q, error %v; want %q, error %v", test.name, got, err, test.want, test.err)
		}
		if err != nil && len(test.in) > 5 && strings.Contains(err.Error(), test.in) {
			t.Errorf("%s: got an error that tells the number; want none: %.80v", test.name, err)
		}
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{"+4915112345678": "•• 78", "7": "•• 7", "": "•• "} {
		if got := german.Mask(in); got != want {
			t.Errorf("%q: got %q; want %q", in, got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		countries []string
		good      bool
	}{
		{[]string{"DE"}, true}, {[]string{sms.All}, true}, {nil, false}, {[]string{"de"}, false},
		{[]string{"XX"}, false}, {[]string{"DE", sms.All}, false}, {[]string{sms.All, "DE"}, false}, {[]string{"49"}, false},
	} {
		if err := (sms.Numbers{Countries: test.countries}).Validate(); (err == nil) != test.good {
			t.Errorf("%q: got error %v; want one: %v", test.countries, err, !test.good)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"+49 1511 2345678", "01511 2345678", "+1 202 555 0123", "((((", "+", "...."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := german.Clean(s)
		if err != nil {
			return
		}
		if again, err := german.Clean(got); err != nil || again != got || !strings.HasPrefix(got, "+4") || strings.Trim(got, "+0123456789") != "" {
			t.Errorf("got %q, then %q, error %v; want the same number in E.164", got, again, err)
		}
	})
}
