package gatetest

import (
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

const step = 30 * time.Second

// An Authenticator is the app on a person's phone. It shows each code once,
// beginning with the one of the previous half minute, which the gate still
// accepts: so that three codes can be had without waiting.
type Authenticator struct {
	Secret string // base32, as the enrolment page shows it, without spaces
	last   int64  // the step of the code that was shown last
}

// patience is how long a code must be good for when it is shown: a busy machine takes
// its time to type and to judge it.
const patience = 12 * time.Second

// Code returns the next code, waiting for it if need be: at most half a minute
// for every code after the third, and a little longer for the third.
func (a *Authenticator) Code(t testing.TB) string {
	t.Helper()
	return a.At(t, a.Next())
}

// Next is [Authenticator.Code] for whoever makes the code by other means: it returns when
// the half minute of the next code begins. A server that takes the codes of the last half
// minute and of the next one, too, takes it for as long as patience says.
func (a *Authenticator) Next() time.Time {
	now := time.Now()
	first := now.Unix()/30 - 1
	if step-now.Sub(now.Truncate(step)) < patience {
		first++
	}
	next := max(a.last+1, first)
	for next > time.Now().Unix()/30+1 {
		time.Sleep(100 * time.Millisecond)
	}
	a.last = next
	return time.Unix(next*30, 0)
}

// At returns the code of a time, noting nothing.
func (a *Authenticator) At(t testing.TB, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCodeCustom(a.Secret, at, totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// Wrong returns six digits that are no code near now.
func (a *Authenticator) Wrong(t testing.TB) string {
	t.Helper()
	near := make(map[string]bool)
	for i := -4; i <= 4; i++ {
		near[a.At(t, time.Now().Add(time.Duration(i)*step))] = true
	}
	for _, c := range []string{"000000", "111111", "222222", "333333", "444444", "555555", "666666", "777777", "888888", "999999"} {
		if !near[c] {
			return c
		}
	}
	t.Fatal("nine codes cannot be ten")
	return ""
}
