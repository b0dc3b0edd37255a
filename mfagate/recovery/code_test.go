package recovery

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// FuzzParse checks that whatever is accepted is sixteen symbols of the alphabet
// which, shown and typed again, mean the same.
func FuzzParse(f *testing.F) {
	f.Add("0123-4567-89AB-CDEF")
	f.Add("ol1i 4567 89ab cdef")
	f.Add("UUUU-UUUU-UUUU-UUUU")
	f.Add("\uff10123-4567-89AB-CDEF")
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := parse(url.Values{"code": {typed}})
		if err != nil {
			if !errors.Is(err, mfagate.ErrShape) || got != "" {
				t.Errorf("%q: got %q, error %v; want one wrapping ErrShape", typed, got, err)
			}
			return
		}
		if len(got) != length || strings.Trim(got, alphabet) != "" {
			t.Errorf("%q: got %q; want sixteen symbols", typed, got)
		}
		if again, err := parse(url.Values{"code": {shown(got)}}); again != got || err != nil {
			t.Errorf("%q: got %q, error %v when typed as shown; want %q", typed, again, err, got)
		}
		plain := strings.NewReplacer("O", "0", "I", "1", "L", "1", " ", "", "-", "").Replace(strings.ToUpper(typed))
		if plain != got {
			t.Errorf("%q: got %q; want %q", typed, got, plain)
		}
	})
}

// With all places taken, a try waits; whoever gives up is not blamed, and a
// place that comes free is used.
func TestRC06HashingIsBounded(t *testing.T) {
	f := Factor{Hashed: true, Count: 1}
	cred, codes, err := f.Issue(t.Context(), mfagate.Call{}, mfagate.User{})
	if err != nil {
		t.Fatalf("Issue: got error %v; want none", err)
	}
	u := mfagate.User{Credentials: []mfagate.Credential{cred}}
	answer := url.Values{"code": codes}
	for range cap(hashing) {
		hashing <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = f.FinishVerify(ctx, mfagate.Call{}, u, nil, answer)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mfagate.ErrRejected) {
		t.Errorf("all places taken: got error %v; want that of the context", err)
	}
	for range cap(hashing) {
		<-hashing
	}
	if _, err := f.FinishVerify(t.Context(), mfagate.Call{}, u, nil, answer); err != nil {
		t.Errorf("places free: got error %v; want none", err)
	}
}

func BenchmarkFinishVerify(b *testing.B) {
	for name, f := range map[string]Factor{"kept": {}, "hashed": {Hashed: true}} {
		b.Run(name, func(b *testing.B) {
			cred, codes, err := f.Issue(b.Context(), mfagate.Call{}, mfagate.User{})
			if err != nil {
				b.Fatal(err)
			}
			u := mfagate.User{Credentials: []mfagate.Credential{cred}}
			answer := url.Values{"code": {codes[9]}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.FinishVerify(b.Context(), mfagate.Call{}, u, nil, answer); err != nil {
					b.Fatalf("got error %v; want none", err)
				}
			}
		})
	}
}
