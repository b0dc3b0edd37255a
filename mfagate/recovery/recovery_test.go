package recovery_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
)

var _ mfagate.Recovery = recovery.Factor{}

var call = mfagate.Call{Now: time.Unix(1_772_366_415, 0)}

func both(t *testing.T, test func(*testing.T, recovery.Factor)) {
	t.Run("kept", func(t *testing.T) { test(t, recovery.Factor{}) })
	t.Run("hashed", func(t *testing.T) { test(t, recovery.Factor{Hashed: true}) })
}

// issued returns a user with a set of codes, as the store gives it back.
func issued(t testing.TB, f recovery.Factor, name string) (mfagate.User, []string) {
	t.Helper()
	u := mfagate.User{Subject: mfagate.Subject{Realm: "default", Name: name}}
	cred, codes, err := f.Issue(t.Context(), call, u)
	if err != nil {
		t.Fatalf("Issue: got error %v; want none", err)
	}
	b, err := json.Marshal(cred)
	if err != nil {
		t.Fatalf("encoding: %v", err)
	}
	u.Credentials = make([]mfagate.Credential, 1)
	if err := json.Unmarshal(b, &u.Credentials[0]); err != nil {
		t.Fatalf("decoding: %v", err)
	}
	return u, codes
}

func types(f recovery.Factor, u mfagate.User, code string) (mfagate.Credential, error) {
	return f.FinishVerify(context.Background(), call, u, nil, url.Values{"code": {code}})
}

func wantLeft(t *testing.T, f recovery.Factor, c mfagate.Credential, want int) {
	t.Helper()
	if got, err := f.Left(c); got != want || err != nil {
		t.Errorf("got %d codes left, error %v; want %d", got, err, want)
	}
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: got error %v; want %v", what, got, want)
	}
}

func TestIssue(t *testing.T) {
	for count, want := range map[int]int{0: 10, 1: 1, 20: 20} {
		f := recovery.Factor{Count: count}
		u, codes := issued(t, f, "alice")
		if len(codes) != want {
			t.Errorf("count %d: got %d codes; want %d", count, len(codes), want)
		}
		wantLeft(t, f, u.Credentials[0], want)
		for _, c := range codes {
			if !regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$`).MatchString(c) {
				t.Errorf("got code %q; want four groups of four", c)
			}
		}
		if c := u.Credentials[0]; c.ID != "" || c.Factor != "recovery" || c.Label == "" || !c.Created.Equal(call.Now) {
			t.Errorf("got credential %q, %q, %q, %v; want one of now without ID", c.ID, c.Factor, c.Label, c.Created)
		}
	}
	for _, count := range []int{-1, 21} {
		if _, _, err := (recovery.Factor{Count: count}).Issue(t.Context(), call, mfagate.User{}); err == nil {
			t.Errorf("count %d: got no error; want one", count)
		}
	}
}

func TestRC01Reuse(t *testing.T) {
	both(t, func(t *testing.T, f recovery.Factor) {
		u, codes := issued(t, f, "alice")
		for i, code := range codes {
			got, err := types(f, u, code)
			wantError(t, "first use", err, nil)
			if !got.Used.Equal(call.Now) {
				t.Errorf("got used %v; want %v", got.Used, call.Now)
			}
			wantLeft(t, f, u.Credentials[0], len(codes)-i)
			u.Credentials = []mfagate.Credential{got}
			wantLeft(t, f, got, len(codes)-i-1)
			_, err = types(f, u, code)
			wantError(t, "second use", err, mfagate.ErrRejected)
		}
	})
}

func TestRC03SomeoneElsesCode(t *testing.T) {
	both(t, func(t *testing.T, f recovery.Factor) {
		vic, _ := issued(t, f, "vic")
		_, codes := issued(t, f, "eve")
		for _, c := range codes[:3] {
			_, err := types(f, vic, c)
			wantError(t, "eve's code for vic", err, mfagate.ErrRejected)
		}
		wantLeft(t, f, vic.Credentials[0], 10)
	})
}

func TestRC10Randomness(t *testing.T) {
	const sets = 100_000 / 20
	f := recovery.Factor{Count: 20}
	seen := make(map[string]bool, sets*20)
	var symbols [256]int
	for range sets {
		_, codes, err := f.Issue(t.Context(), call, mfagate.User{})
		if err != nil {
			t.Fatalf("Issue: got error %v; want none", err)
		}
		for _, c := range codes {
			seen[c] = true
			for _, b := range []byte(strings.ReplaceAll(c, "-", "")) {
				symbols[b]++
			}
		}
	}
	if len(seen) != sets*20 {
		t.Errorf("got %d different codes; want %d", len(seen), sets*20)
	}
	// 50,000 of each symbol are expected, with a standard deviation of 220.
	for _, b := range []byte("0123456789ABCDEFGHJKMNPQRSTVWXYZ") {
		if symbols[b] < 48_500 || symbols[b] > 51_500 {
			t.Errorf("symbol %c: got %d; want about 50,000", b, symbols[b])
		}
	}
}

func TestInput(t *testing.T) {
	f := recovery.Factor{}
	u, codes := issued(t, f, "alice")
	code := codes[0]
	for name, typed := range map[string]string{
		"lower case":  strings.ToLower(code),
		"no hyphens":  strings.ReplaceAll(code, "-", ""),
		"spaces":      " " + strings.ReplaceAll(code, "-", "  ") + " ",
		"letter O":    strings.ReplaceAll(code, "0", "O"),
		"letter o":    strings.ReplaceAll(code, "0", "o"),
		"letter I":    strings.ReplaceAll(code, "1", "I"),
		"letter l":    strings.ReplaceAll(code, "1", "l"),
		"many dashes": strings.ReplaceAll(code, "-", " -- "),
	} {
		_, err := types(f, u, typed)
		wantError(t, name, err, nil)
	}
	for name, typed := range map[string]string{
		"empty":      "",
		"only signs": " - - ",
		"short":      code[:len(code)-1],
		"long":       code + "0",
		"U":          "U" + code[1:],
		"newline":    code + "\n",
		"NBSP":       code + "\u00a0",
		"NUL":        code + "\x00",
		"en dash":    strings.ReplaceAll(code, "-", "\u2013"),
		"full width": "\uff10" + code[1:],
		"dotless i":  "\u0131" + code[1:],
		"two codes":  codes[0] + " " + codes[1],
		"huge":       strings.Repeat("0", 1<<20),
		"all spaces": code + strings.Repeat(" ", 1<<20),
	} {
		_, err := types(f, u, typed)
		wantError(t, name, err, mfagate.ErrShape)
	}
	for name, answer := range map[string]url.Values{
		"nil": nil, "none": {"code": {}}, "two": {"code": {code, code}}, "other": {"Code": {code}},
	} {
		_, err := f.FinishVerify(t.Context(), call, u, nil, answer)
		wantError(t, name, err, mfagate.ErrShape)
	}
}

func TestReveal(t *testing.T) {
	f := recovery.Factor{}
	u, codes := issued(t, f, "alice")
	got, err := f.Reveal(u.Credentials[0])
	if err != nil || !slices.Equal(got, codes) {
		t.Errorf("got %d codes, error %v; want those issued", len(got), err)
	}
	cred, err := types(f, u, codes[3])
	wantError(t, "use", err, nil)
	got, err = f.Reveal(cred)
	if want := slices.Delete(slices.Clone(codes), 3, 4); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %d codes, error %v; want those not used", len(got), err)
	}
	u, codes = issued(t, recovery.Factor{Hashed: true}, "alice")
	_, err = f.Reveal(u.Credentials[0])
	wantError(t, "hashed", err, recovery.ErrHashed)
	for _, c := range codes {
		if strings.Contains(string(u.Credentials[0].Data), strings.ReplaceAll(c, "-", "")) {
			t.Error("got a code in the data of a hashed set; want its hash")
		}
	}
}

// A set keeps its kind when the configuration changes.
func TestKindOfSetHolds(t *testing.T) {
	for _, made := range []bool{false, true} {
		u, codes := issued(t, recovery.Factor{Hashed: made}, "alice")
		_, err := types(recovery.Factor{Hashed: !made}, u, codes[0])
		wantError(t, "use", err, nil)
	}
}

func TestBrokenSet(t *testing.T) {
	f := recovery.Factor{}
	u, codes := issued(t, f, "alice")
	good := u.Credentials[0]
	for name, data := range map[string]string{
		"empty": "", "null": "null", "no version": "{}", "newer": `{"v":2,"codes":[]}`,
		"half": string(good.Data[:30]), "short code": `{"v":1,"codes":["AB"]}`, "empty code": `{"v":1,"codes":[""]}`,
		"short salt": `{"v":1,"salt":"AAAA","hashes":[]}`, "unsalted": `{"v":1,"hashes":["AAAA"]}`,
		"empty salt": `{"v":1,"salt":"","hashes":[""]}`,
	} {
		bad := good
		bad.Data = []byte(data)
		u.Credentials = []mfagate.Credential{bad}
		if _, err := types(f, u, codes[0]); err == nil || errors.Is(err, mfagate.ErrRejected) {
			t.Errorf("%s: got error %v; want one that does not wrap ErrRejected", name, err)
		}
		if _, err := f.Left(bad); err == nil {
			t.Errorf("%s: got Left without error; want one", name)
		}
		if _, err := f.Reveal(bad); err == nil {
			t.Errorf("%s: got Reveal without error; want one", name)
		}
		u.Credentials = []mfagate.Credential{good, bad}
		_, err := types(f, u, "0000-0000-0000-0000")
		wantError(t, name+", wrong code beside a good set", err, mfagate.ErrRejected)
	}
}

func TestNothingIssued(t *testing.T) {
	f := recovery.Factor{}
	u, codes := issued(t, f, "alice")
	u.Credentials[0].Factor = "totp"
	_, err := types(f, u, codes[0])
	wantError(t, "another factor's credential", err, mfagate.ErrRejected)
	for _, begin := range []func() error{
		func() error { _, err := f.BeginEnrol(t.Context(), call, u, nil, nil); return err },
		func() error { _, err := f.View(t.Context(), call, u, nil); return err },
		func() error { _, err := f.FinishEnrol(t.Context(), call, u, nil, nil); return err },
	} {
		if err := begin(); err == nil || errors.Is(err, mfagate.ErrRejected) {
			t.Errorf("got error %v; want one that says that the gate issues codes", err)
		}
	}
	if _, err := f.BeginVerify(t.Context(), call, u, nil, nil); err != nil {
		t.Errorf("BeginVerify: got error %v; want none", err)
	}
}

func TestConcurrent(t *testing.T) {
	both(t, func(t *testing.T, f recovery.Factor) {
		u, codes := issued(t, f, "alice")
		before := string(u.Credentials[0].Data)
		var wg sync.WaitGroup
		for _, code := range codes {
			wg.Go(func() {
				got, err := types(f, u, code)
				if err != nil {
					t.Errorf("got error %v; want none", err)
				}
				clear(got.Data)
			})
		}
		wg.Wait()
		if string(u.Credentials[0].Data) != before {
			t.Error("got the user's set changed; want it left alone")
		}
	})
}
