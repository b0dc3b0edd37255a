package totp_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	libtotp "github.com/pquerna/otp/totp"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

// rfcBase32 is rfcSeed.
const rfcBase32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

func rfcCode(t testing.TB, at time.Time) string {
	t.Helper()
	code, err := libtotp.GenerateCode(rfcBase32, at)
	if err != nil {
		t.Fatalf("making a code: %v", err)
	}
	return code
}

// FuzzAnswer types anything: what is accepted is six ASCII digits that are a
// live code, with nothing but spaces and hyphens between them and spaces around.
func FuzzAnswer(f *testing.F) {
	live := map[string]bool{}
	for i := time.Duration(-1); i <= 1; i++ {
		code := rfcCode(f, start.Add(i*step))
		live[code] = true
		f.Add(code)
		f.Add(code[:3] + " " + code[3:])
		f.Add(" " + code)
		f.Add("\u00a0" + code[:2] + "-" + code[2:] + "\n")
		f.Add(shifted(code, '０'))
		f.Add(code + "00")
	}
	u := alice()
	u.Credentials = []mfagate.Credential{credential(rfcSeed)}
	f.Fuzz(func(t *testing.T, typed string) {
		_, err := totp.Factor{}.FinishVerify(t.Context(), mfagate.Call{Now: start}, u, nil, url.Values{"code": {typed}})
		digits := strings.Map(func(r rune) rune {
			if r == ' ' || r == '-' {
				return -1
			}
			return r
		}, typed)
		trimmed := strings.Trim(typed, " ")
		inside := trimmed == strings.Trim(trimmed, " -") && len(typed) <= 64
		if accepted, want := err == nil, live[digits] && inside; accepted != want {
			t.Errorf("%q: got accepted %t; want %t", typed, accepted, want)
		}
		if err != nil && !errors.Is(err, mfagate.ErrRejected) {
			t.Errorf("%q: got error %v; want one wrapping ErrRejected", typed, err)
		}
	})
}

func BenchmarkFinishVerify(b *testing.B) {
	u := alice()
	u.Credentials = []mfagate.Credential{credential(rfcSeed)}
	c := mfagate.Call{Now: start}
	for name, code := range map[string]string{"right": rfcCode(b, start), "wrong": "000000"} {
		answer := url.Values{"code": {code}}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := totp.Factor{}.FinishVerify(b.Context(), c, u, nil, answer)
				if (err == nil) != (name == "right") {
					b.Fatalf("got error %v", err)
				}
			}
		})
	}
}

func BenchmarkBeginEnrol(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (totp.Factor{}).BeginEnrol(b.Context(), mfagate.Call{Now: start}, alice(), nil, nil); err != nil {
			b.Fatalf("got error %v; want none", err)
		}
	}
}
