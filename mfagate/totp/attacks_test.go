package totp_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

const year = 365 * 24 * time.Hour

func TestT01Replay(t *testing.T) {
	p := enrolled(t, totp.Factor{})
	code := p.code(0)
	p.want("first use", p.types(code), nil)
	p.want("second use", p.types(code), mfagate.ErrReplayed)
	for range 6 {
		p.now = p.now.Add(step / 2)
		p.want("later use", p.types(code), mfagate.ErrRejected)
	}
}

// The code is right in every case; only its dress is not.
func TestT02Decoration(t *testing.T) {
	fresh := *enrolled(t, totp.Factor{})
	for name, dress := range map[string]func(string) string{
		"trailing newline": func(c string) string { return c + "\n" },
		"tab":              func(c string) string { return c[:3] + "\t" + c[3:] },
		"newline inside":   func(c string) string { return c[:3] + "\n" + c[3:] },
		"NBSP":             func(c string) string { return c[:3] + "\u00a0" + c[3:] },
		"leading NBSP":     func(c string) string { return "\u00a0" + c },
		"em space":         func(c string) string { return c + "\u2003" },
		"zero width space": func(c string) string { return c[:3] + "\u200b" + c[3:] },
		"minus sign":       func(c string) string { return c[:3] + "\u2212" + c[3:] },
		"plus":             func(c string) string { return "+" + c },
		"hyphen":           func(c string) string { return "-" + c },
		"last hyphen":      func(c string) string { return c + "-" },
		"exponent":         func(c string) string { return c + "e0" },
		"decimal":          func(c string) string { return c + ".0" },
		"hex":              func(c string) string { return "0x" + c },
		"leading zero":     func(c string) string { return "0" + c },
		"NUL":              func(c string) string { return c + "\x00" },
		"quoted":           func(c string) string { return `"` + c + `"` },
		"full width":       func(c string) string { return shifted(c, '０') },
		"Arabic":           func(c string) string { return shifted(c, '٠') },
		"too few":          func(c string) string { return c[1:] },
		"twice":            func(c string) string { return c + c },
		"long":             func(c string) string { return c[:3] + strings.Repeat(" ", 100) + c[3:] },
	} {
		p := fresh
		p.want(name, p.types(dress(p.code(0))), mfagate.ErrShape)
		p.want(name+", then right", p.types(p.code(0)), nil)
	}
}

func shifted(code string, zero rune) string {
	return strings.Map(func(r rune) rune { return r - '0' + zero }, code)
}

func TestPeopleGroupDigits(t *testing.T) {
	for name, dress := range map[string]func(string) string{
		"space":  func(c string) string { return c[:3] + " " + c[3:] },
		"pasted": func(c string) string { return " " + c + "  " },
		"hyphen": func(c string) string { return c[:3] + "-" + c[3:] },
		"pairs":  func(c string) string { return c[:2] + " " + c[2:4] + " " + c[4:] },
		"wide":   func(c string) string { return c[:3] + " - " + c[3:] },
	} {
		p := enrolled(t, totp.Factor{})
		p.want(name, p.types(dress(p.code(0))), nil)
		p.want(name+", replayed plain", p.types(p.code(0)), mfagate.ErrReplayed)
	}
}

func TestT04TrailingStep(t *testing.T) {
	p := enrolled(t, totp.Factor{})
	older, present, next := p.code(-step), p.code(0), p.code(step)
	p.want("present", p.types(present), nil)
	p.want("older", p.types(older), mfagate.ErrRejected)
	p.want("next", p.types(next), nil)
	p.want("present again", p.types(present), mfagate.ErrRejected)
}

// credential has the seed of RFC 6238 appendix B, and was never used.
func credential(seed string) mfagate.Credential {
	return mfagate.Credential{ID: "c", Factor: totp.Name, Data: fmt.Appendf(nil,
		`{"v":1,"seed":%q,"alg":"SHA1","digits":6,"period":30,"spent":[]}`, base64.StdEncoding.EncodeToString([]byte(seed)))}
}

const rfcSeed = "12345678901234567890"

// With this seed, two live steps have the same digits.
func TestT08SameDigits(t *testing.T) {
	for _, test := range []struct {
		first, second int64
		code          string
	}{
		{59061240, 59061241, "963181"},
		{61331809, 61331811, "768734"},
	} {
		for at := test.first - 1; at <= test.second+1; at++ {
			// A step early, so that it is the first of the two that matches.
			p := &person{t: t, user: alice(), now: time.Unix((test.first-1)*30, 0)}
			p.user.Credentials = []mfagate.Credential{credential(rfcSeed)}
			p.want("first use", p.types(test.code), nil)
			p.now = time.Unix(at*30, 0)
			p.want(fmt.Sprintf("second use at step %+d", at-test.first), p.types(test.code), mfagate.ErrReplayed)
		}
	}
}

func TestT09BrokenSeed(t *testing.T) {
	good := string(credential(rfcSeed).Data)
	for name, data := range map[string]string{
		"empty":           string(credential("").Data),
		"five bytes":      string(credential("12345").Data),
		"fifteen bytes":   string(credential("123456789012345").Data),
		"no seed":         `{"v":1,"alg":"SHA1","digits":6,"period":30}`,
		"no record":       "",
		"null":            "null",
		"half a record":   good[:40],
		"base32":          strings.Replace(good, `"seed":"`, `"seed":"!`, 1),
		"newer":           strings.Replace(good, `"v":1`, `"v":2`, 1),
		"MD5":             strings.Replace(good, "SHA1", "MD5", 1),
		"no digits":       strings.Replace(good, `"digits":6`, `"digits":0`, 1),
		"no period":       strings.Replace(good, `"period":30`, `"period":0`, 1),
		"negative period": strings.Replace(good, `"period":30`, `"period":-30`, 1),
		"wide drift":      strings.Replace(good, `"period":30`, `"period":30,"drift":20`, 1),
	} {
		p := &person{t: t, user: alice(), now: start}
		broken := credential("")
		broken.Data = []byte(data)
		p.user.Credentials = []mfagate.Credential{broken}
		for _, code := range []string{"328482", "000000", "123456"} {
			if err := p.types(code); err == nil || errors.Is(err, mfagate.ErrRejected) {
				t.Errorf("%s: got error %v; want one that does not wrap ErrRejected", name, err)
			} else if strings.Contains(err.Error(), "MTIzNDU2") {
				t.Errorf("%s: got the seed in %q; want it kept", name, err)
			}
		}
	}
}

func TestT12EnrolmentCodeAtSignIn(t *testing.T) {
	p := &person{t: t, user: alice(), now: start}
	p.enrol("")
	p.want("code of the enrolment", p.types(p.code(0)), mfagate.ErrReplayed)
	p.want("the one before", p.types(p.code(-step)), mfagate.ErrRejected)
	p.now = p.now.Add(step)
	p.want("the next one", p.types(p.code(0)), nil)
}

func TestT14ClockBack(t *testing.T) {
	for _, back := range []time.Duration{time.Minute, 10 * time.Minute, 59 * time.Minute} {
		p := enrolled(t, totp.Factor{})
		p.now = p.now.Add(24 * time.Hour)
		used := p.code(0)
		p.want("first use", p.types(used), nil)
		p.now = p.now.Add(-back)
		p.want("used code", p.types(used), mfagate.ErrRejected)
		p.want("code of an earlier step", p.types(p.code(0)), mfagate.ErrRejected)
		p.now = p.now.Add(back)
		p.want("used code when its time comes again", p.types(used), mfagate.ErrReplayed)
	}
}

// After hours and days back, no used code comes to life.
func TestT14ClockFarBack(t *testing.T) {
	p := enrolled(t, totp.Factor{})
	codes := map[time.Time]string{}
	for range 20 {
		p.now = p.now.Add(5 * time.Hour)
		codes[p.now] = p.code(0)
		p.want("first use", p.types(p.code(0)), nil)
	}
	for at, code := range codes {
		p.now = at
		p.want("used code", p.types(code), mfagate.ErrReplayed)
	}
}

func TestT15ClockForward(t *testing.T) {
	p := enrolled(t, totp.Factor{})
	p.now = p.now.Add(year)
	ahead := p.code(0)
	p.want("a year ahead", p.types(ahead), nil)
	p.now = start.Add(step)
	present := p.code(0)
	p.want("back", p.types(present), nil)
	p.want("replay after that", p.types(present), mfagate.ErrReplayed)
	for range 50 {
		p.now = p.now.Add(6 * 24 * time.Hour)
		p.want("later", p.types(p.code(0)), nil)
	}
	p.now = start.Add(year)
	p.want("the code of then, a year later", p.types(ahead), mfagate.ErrReplayed)
	p.now = p.now.Add(step)
	p.want("the one after it", p.types(p.code(0)), nil)
}

func TestT16ParameterSources(t *testing.T) {
	p := enrolled(t, totp.Factor{})
	code := p.code(0)
	for name, answer := range map[string]url.Values{
		"none":            nil,
		"no value":        {"code": {}},
		"two":             {"code": {code, code}},
		"right and wrong": {"code": {code, "000000"}},
		"other field":     {"Code": {code}, "otp": {code}},
	} {
		p.want(name, p.answer(answer), mfagate.ErrShape)
	}
	p.want("one", p.answer(url.Values{"code": {code}, "method": {"totp"}}), nil)
}

func TestUnsetClock(t *testing.T) {
	p := enrolled(t, totp.Factor{})
	for _, now := range []time.Time{{}, time.Unix(0, 0), time.Unix(100, 0), time.Unix(-1e9, 0)} {
		p.now = now
		if err := p.types("123456"); err == nil || errors.Is(err, mfagate.ErrRejected) {
			t.Errorf("at %v: got error %v; want one that does not wrap ErrRejected", now, err)
		}
	}
}

// A code of eight digits is of the wrong shape for an app that shows six, also
// after the configuration asked for eight.
func TestDigitsOfCredentialHold(t *testing.T) {
	p := enrolled(t, totp.Factor{})
	p.factor.Digits = 8
	p.want("eight digits", p.types(p.code(0)+"00"), mfagate.ErrShape)
	p.want("six digits", p.types(p.code(0)), nil)
}

// A wrong answer to one credential counts, though the other is broken or shows
// another number of digits: which of them the person meant is unknown.
func TestWrongAnswerBesideOthersCounts(t *testing.T) {
	p := enrolled(t, totp.Factor{Digits: 8})
	p.user.Credentials = append(p.user.Credentials, credential(""))
	err := p.types("000000")
	p.want("six digits beside eight and broken", err, mfagate.ErrRejected)
	if errors.Is(err, mfagate.ErrShape) {
		t.Errorf("got error %v; want no complaint of the shape", err)
	}
}

func TestUsedIsNoted(t *testing.T) {
	p := enrolled(t, totp.Factor{})
	p.want("sign-in", p.types(p.code(0)), nil)
	if got := p.user.Credentials[0].Used; !got.Equal(p.now) {
		t.Errorf("got used %v; want %v", got, p.now)
	}
}
