package mfagate_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

// T-06: malformed answers are given back. Those under way beside real guesses
// must not give back theirs, nor end the delay that they brought.
func TestMalformedAnswersBuyNoGuess(t *testing.T) {
	w := newWorld(t, nil)
	w.person("alice").enrol("/")
	var guesses atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		thief := w.person("alice")
		thief.get("/").want(303).follow().want(200)
		wg.Go(func() {
			for range 20 {
				code := "000000"
				if i%2 == 0 {
					code = "12"
				}
				page := thief.token()
				form := url.Values{"form_token": {page}, "method": {"totp"}, "code": {code}}
				thief.send(thief.request("POST", "/.mfa/challenge", "application/x-www-form-urlencoded", form.Encode()))
				if thief.last.Code == http.StatusUnauthorized && code != "12" {
					guesses.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := guesses.Load(); n > 5 || n == 0 {
		t.Errorf("%d guesses reached the verifier among malformed ones; want 1 to 5", n)
	}
}

// A counted is a factor that counts how often it was asked, and then loses its
// client.
type counted struct {
	mfagate.Factor
	asked int
	leave func()
}

func (c *counted) FinishVerify(ctx context.Context, call mfagate.Call, u mfagate.User, state []byte, answer url.Values) (mfagate.Credential, error) {
	c.asked++
	cred, err := c.Factor.FinishVerify(ctx, call, u, state, answer)
	if c.leave != nil {
		c.leave()
	}
	return cred, err
}

// T-07: who hangs up before the answer has paid for the attempt all the same,
// whether by the page or by the API, from however many sessions.
func TestLeavingBuysNoGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		f := &counted{Factor: &totp.Factor{}}
		gate, err := mfagate.New(mfagate.Config{Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{f}})
		if err != nil {
			t.Fatal(err)
		}
		w.gate = gate
		w.handler = w.block().Handler(http.HandlerFunc(w.app))
		w.person("alice").get("/").follow().post("/.mfa/enroll/totp").follow().scan().enrolCode()
		time.Sleep(time.Hour)
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			f.leave = cancel
			thief := w.person("alice")
			r := thief.request("POST", "/.mfa/api/v1/challenge", "application/json", `{"method":"totp","code":"000000"}`)
			thief.send(r.WithContext(ctx))
		}
		if f.asked != 5 {
			t.Errorf("the factor was asked %d times; want 5", f.asked)
		}
	})
}

// enrolCode ends an enrolment.
func (p *person) enrolCode() *person {
	p.w.t.Helper()
	return p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303)
}

// M-01, M-03: a further phone takes the fresh proof until its last step, of the
// session that made it and no other.
func TestFurtherPhoneOnALapsedProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		alice.get("/.mfa/challenge?purpose=settings").want(200)
		alice.post("/.mfa/challenge", "method", "totp", "code", alice.code(0), "purpose", "settings", "return", "/.mfa/").want(303).follow()
		phone := alice.elsewhere()
		phone.cookies = alice.cookies
		phone.get("/.mfa/enroll").want(200).post("/.mfa/enroll/totp").want(303).follow().want(200).scan()

		time.Sleep(time.Minute)
		other := alice.elsewhere() // signed in too, without that proof
		other.prove("/", 0).want(303, "/")
		other.get("/.mfa/").want(200)
		other.post("/.mfa/enroll/totp").want(303, "/.mfa/challenge")

		time.Sleep(5 * time.Minute)
		phone.post("/.mfa/enroll/totp", "code", phone.code(0)).want(303, "/.mfa/challenge")
		status, err := w.gate.User(t.Context(), mfagate.Subject{Realm: "default", Name: "alice"})
		if err != nil || len(status.Factors) != 1 {
			t.Errorf("alice has %d factors, %v; want 1", len(status.Factors), err)
		}
	})
}
