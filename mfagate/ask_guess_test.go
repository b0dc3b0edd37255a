package mfagate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

// from makes the requests of a block come from the address in a header.
func from(c *mfagate.BlockConfig) {
	c.Site.Client = func(r *http.Request) mfagate.Client {
		addr, _ := netip.ParseAddr(r.Header.Get("From-Address"))
		return mfagate.Client{Addr: addr, Secure: true}
	}
}

// One customer has a whole /64 of addresses, and is one guesser all the same.
func TestAskFloodFromOneNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newAskingWorld(t, nil, from)
		p := w.person("")
		p.header.Set("From-Address", "2001:db8::1")
		p.get(resetLink).follow()
		for i := range 20 {
			p.header.Set("From-Address", fmt.Sprintf("2001:db8::%x:1", i+1))
			p.post("/.mfa/ask", "user", fmt.Sprintf("name%d", i), "code", "000000").want(401)
		}
		p.header.Set("From-Address", "2001:db8::ffff")
		p.post("/.mfa/ask", "user", "other", "code", "000000").want(429)
		p.header.Set("From-Address", "2001:db8:0:1::1")
		p.post("/.mfa/ask", "user", "other", "code", "000000").want(401)
	})
}

// Somebody who sends any text as the cookie of a browser that has proved gets no part of
// what is kept for the owner's browsers.
func TestMadeUpBrowserHasNoShareWhereItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newAskingWorld(t, nil)
		w.person("alice").enrol("/")
		guesser, judged := w.person(""), 0
		guesser.cookies["mfagate_browser"] = madeUp
		for range 24 {
			if guesser.answers("alice", "000000"); guesser.last.Code == 401 {
				judged++
			}
			time.Sleep(time.Hour - time.Minute)
		}
		if judged > 7 {
			t.Errorf("%d guesses of a day were judged; want 7 at most", judged)
		}
	})
}

// Guesses at tickets find an end, too.
func TestTicketFloodFromOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		ticket := w.ticket("alice")
		p := w.person("")
		p.get("/.mfa/enroll").want(200)
		for range 20 {
			p.post("/.mfa/enroll", "user", "alice", "ticket", "7ZK3M9QXT4BN8WRC5VHJ2PDGAE").want(401)
		}
		p.post("/.mfa/enroll", "user", "alice", "ticket", ticket).want(429)
		time.Sleep(16 * time.Minute)
		p.get("/.mfa/enroll").post("/.mfa/enroll", "user", "alice", "ticket", ticket).want(303, "/.mfa/enroll")
	})
}

// What is not right is answered at the beat, however soon it was known.
func TestWrongAnswersWaitForTheBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		p := w.person("")
		for _, try := range []struct{ page, code string }{{"ask", "code"}, {"enroll", "ticket"}} {
			p.get("/.mfa/" + try.page).want(200)
			begin := time.Now()
			p.post("/.mfa/"+try.page, "user", "nobody", try.code, "000000").want(401)
			if took := time.Since(begin); took < time.Second {
				t.Errorf("%s: a wrong answer took %v; want a second", try.page, took)
			}
		}
	})
}

// Of two people at one browser the second is himself there, and has nothing of the first's.
func TestProofWhereItIsAskedIsOfTheNameThatWasTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var passed []string
		w := newFrontWorld(t, func(c *mfagate.BlockConfig) { c.Policy.MaxAge = 5 * time.Minute })
		block := w.block(func(c *mfagate.BlockConfig) {
			c.Source, c.Ask, c.AskLifetime, c.Policy.MaxAge = nil, true, 8*time.Hour, 5*time.Minute
		})
		w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_ = block.Serve(rw, r, func(_ http.ResponseWriter, _ *http.Request, d mfagate.Decision) error {
				passed = append(passed, d.Subject.Name)
				return nil
			})
		})
		alice := w.person("").enrolsWith("alice", w.ticket("alice"))
		eve := w.person("").enrolsWith("eve", w.ticket("eve"))
		time.Sleep(time.Minute)
		shared := w.person("").comesIn("alice", alice.code(0)).want(303, "/work").follow().want(200)
		time.Sleep(6 * time.Minute)
		shared.comesIn("alice", eve.code(0)).want(401)
		shared.get("/work").want(303, "/.mfa/ask")
		shared.comesIn("eve", eve.code(0)).want(303, "/work").follow().want(200)
		if got, want := fmt.Sprint(passed), "[alice eve]"; got != want {
			t.Errorf("passed %s; want %s", got, want)
		}
	})
}

// A code that the policy does not take is not used up for nothing.
func TestAskLeavesAloneWhatItsPolicyDoesNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newAskingWorld(t, nil, func(c *mfagate.BlockConfig) {
			if c.Ask {
				c.Policy.Factors = []string{"totp"}
			}
		})
		alice := w.person("alice").enrol("/")
		w.person("").answers("alice", alice.codes[0])
		time.Sleep(time.Minute)
		other := alice.elsewhere()
		other.get("/").want(303, "/.mfa/challenge").follow().want(200)
		other.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0]).want(303)
	})
}

// A brokenFactor can tell nothing.
type brokenFactor struct{ totp.Factor }

func (*brokenFactor) Name() string { return "broken" }

func (*brokenFactor) FinishVerify(context.Context, mfagate.Call, mfagate.User, []byte, url.Values) (mfagate.Credential, error) {
	return mfagate.Credential{}, errors.New("the device is out of order")
}

// What a factor cannot tell is no proof where it is asked, and no reason to say more than
// of a wrong code.
func TestFactorOutOfOrderProvesNothingWhereItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newAskingWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		gate, err := mfagate.New(mfagate.Config{
			Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{new(brokenFactor), new(totp.Factor)}, Recovery: &recovery.Factor{}, Issuer: "Example",
		})
		if err != nil {
			t.Fatal(err)
		}
		w.gate = gate
		w.handler = w.block(func(c *mfagate.BlockConfig) { c.Source, c.Ask = nil, true }).Handler(http.HandlerFunc(w.app))
		w.person("").answers("alice", "000000").want(401)
		w.person("").answers("alice", alice.code(0)).want(303, resetLink).follow().want(200)
	})
}
