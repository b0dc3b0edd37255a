package mfagate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// newFrontWorld is an app whose login nobody can watch: the whole of it is behind a block that asks.
func newFrontWorld(t testing.TB, change ...func(*mfagate.BlockConfig)) *world {
	t.Helper()
	return newWorld(t, nil, append([]func(*mfagate.BlockConfig){func(c *mfagate.BlockConfig) {
		c.Source, c.Ask, c.AskLifetime, c.AskIdle = nil, true, 8*time.Hour, 30*time.Minute
	}}, change...)...)
}

// ticket has an administrator issue one.
func (w *world) ticket(name string) string {
	w.t.Helper()
	ticket, err := w.gate.IssueTicket(w.t.Context(), "root", mfagate.Subject{Realm: "default", Name: name}, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return ticket.Code
}

// enrolsWith follows the link of a ticket, gives the name and goes through the wizard.
func (p *person) enrolsWith(name, ticket string) *person {
	p.w.t.Helper()
	p.get("/.mfa/enroll?ticket=" + ticket).want(200)
	p.post("/.mfa/enroll", "user", name, "ticket", ticket).want(303, "/.mfa/enroll").follow().want(200)
	p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow().want(200).scan()
	p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
	return p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set()).want(303, "/")
}

// comesIn answers what the block asks before the app.
func (p *person) comesIn(name, code string) *person {
	p.w.t.Helper()
	p.get("/work").want(303, "/.mfa/ask?return=%2Fwork").follow().want(200)
	return p.post("/.mfa/ask", "user", name, "code", code, "return", "/work")
}

// Somebody enrols with a ticket, works for a day, and signs out.
func TestAskBeforeAWholeApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		alice := w.person("")
		alice.get("/").want(303, "/.mfa/ask").follow().want(200)
		if !strings.Contains(alice.body, `href="/.mfa/enroll"`) {
			t.Error("the page does not lead those who have a ticket on")
		}
		alice.enrolsWith("Alice", w.ticket("alice"))
		alice.get("/").want(200)
		for range 15 { // hours of work
			time.Sleep(25 * time.Minute)
			alice.get("/").want(200)
		}
		time.Sleep(31 * time.Minute)
		alice.comesIn("alice", alice.code(0)).want(303, "/work").follow().want(200)
		for range 19 {
			time.Sleep(25 * time.Minute)
			alice.get("/").want(200)
		}
		time.Sleep(25 * time.Minute) // eight hours and twenty minutes
		alice.comesIn("alice", alice.code(0)).want(303, "/work")
		old := alice.cookies["mfagate_ask"]
		alice.get("/.mfa/sign-out").want(200)
		alice.post("/.mfa/sign-out").want(200)
		alice.cookies["mfagate_ask"] = old
		alice.get("/").want(303, "/.mfa/ask")
	})
}

// Nobody enrols without a ticket, with that of somebody else, with one that was used, or by
// guessing; and who tries learns nothing of names.
func TestEnrolmentWhereNobodyIsKnownTakesTheTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		ticket, second := w.ticket("alice"), w.ticket("alice")
		eve := w.person("")
		var want string
		for _, try := range []struct{ name, ticket string }{
			{"eve", ticket}, {"alice", "7ZK3M9QXT4BN8WRC5VHJ2PDGAE"}, {"nobody", "7ZK3M9QXT4BN8WRC5VHJ2PDGAE"}, {"alice", ""}, {"", ticket}, {"a\x00lice", ticket},
		} {
			eve.get("/.mfa/enroll").want(200)
			token, begin := eve.token(), time.Now()
			eve.post("/.mfa/enroll", "user", try.name, "ticket", try.ticket).want(401)
			got := fmt.Sprint(time.Since(begin), " ", strings.NewReplacer(`value="`+try.name+`"`, "", `value="`+try.ticket+`"`, "", token, "", " autofocus", "").Replace(eve.body))
			if want == "" {
				want = got
			}
			if try.name != "" && !strings.Contains(try.name, "\x00") && got != want {
				t.Errorf("%q with %q: got %s\nwant %s", try.name, try.ticket, got, want)
			}
			eve.get("/.mfa/enroll/totp").want(303, "/.mfa/ask")
		}
		eve.get("/.mfa/enroll").post("/.mfa/enroll/totp").want(303, "/.mfa/ask")
		alice := w.person("").enrolsWith("alice", ticket)
		eve.get("/.mfa/enroll?ticket="+ticket).post("/.mfa/enroll", "user", "alice", "ticket", ticket).want(401)              // used
		eve.get("/.mfa/enroll?ticket="+second).post("/.mfa/enroll", "user", "alice", "ticket", second).want(303, "/.mfa/ask") // she has a factor
		eve.get("/").want(303, "/.mfa/ask")
		alice.get("/").want(200)
	})
}

// A ticket opens the set-up, and not the app.
func TestTicketAloneOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		ticket := w.ticket("alice")
		p := w.person("")
		p.get("/.mfa/enroll?ticket="+ticket).post("/.mfa/enroll", "user", "alice", "ticket", ticket).want(303, "/.mfa/enroll")
		p.get("/").want(303, "/.mfa/ask")
		p.get("/.mfa/enroll").want(200)
		p.post("/.mfa/enroll/totp").want(303).follow().scan()
		p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes")
		p.get("/").want(303, "/.mfa/recovery-codes") // which are to be saved first
		if w.hit() != 0 {
			t.Errorf("%d requests reached the app", w.hit())
		}
	})
}

// A colleague is himself there, whoever he says he is to the app: the app's password is not the
// gate's to check. What he has not is her code.
func TestColleagueAtABlockThatAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		w.person("").enrolsWith("alice", w.ticket("alice"))
		bob := w.person("").enrolsWith("bob", w.ticket("bob"))
		time.Sleep(time.Minute)
		other := w.person("")
		other.comesIn("alice", bob.code(0)).want(401)
		other.comesIn("alice", bob.codes[0]).want(401)
		other.get("/work").want(303, "/.mfa/ask")
		other.comesIn("bob", bob.codes[0]).want(303, "/work")
		events := w.kinds()
		if got := events[len(events)-1]; got != mfagate.EventPassed {
			t.Errorf("last event = %s; want that bob came in", got)
		}
	})
}

// What it opens is the site's blocks that ask, and neither settings nor blocks that know the user.
func TestAskedSessionOfAnAppOpensNoSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		front := w.handler
		alice := w.person("").enrolsWith("alice", w.ticket("alice"))
		for _, path := range []string{"/.mfa/", "/.mfa/challenge", "/.mfa/challenge?purpose=settings"} {
			alice.get(path).want(303, "/.mfa/ask").follow().want(303, "/")
		}
		for _, path := range []string{"disable", "browsers", "help", "address", "notices", "admin/", "reset-request", "api/v1/session", "api/v1/credentials"} {
			alice.get("/.mfa/" + path).want(404)
		}
		alice.get("/.mfa/enroll").want(303, "/.mfa/ask")
		alice.get("/.mfa/enroll/totp").want(303, "/.mfa/ask")
		alice.get("/.mfa/sign-out").post("/.mfa/recovery-codes", "action", "view").want(303, "/.mfa/challenge")
		alice.get("/.mfa/sign-out").post("/.mfa/recovery-codes", "action", "new").want(303, "/.mfa/challenge")
		alice.get("/.mfa/sign-out").post("/.mfa/sign-out", "everywhere", "1")
		if alice.last.Code == 200 {
			t.Error("it ends sessions elsewhere")
		}
		w.handler = w.block().Handler(http.HandlerFunc(w.app)) // of the same site, knowing the user
		alice.name = "alice"
		alice.cookies["mfagate"] = alice.cookies["mfagate_ask"]
		alice.get("/").want(303, "/.mfa/challenge")
		w.handler = w.block(func(c *mfagate.BlockConfig) {
			c.Source, c.Ask, c.AskLifetime, c.Site.Name = nil, true, time.Hour, "another"
		}).Handler(http.HandlerFunc(w.app))
		alice.get("/").want(303, "/.mfa/ask")
		w.handler = front
		alice.get("/").want(200)
	})
}

// A whole office behind one address signs in, and somebody who guesses there finds an end; and
// locks nobody out of a browser that they have used.
func TestManyComeInFromOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		var people []*person
		for i := range 30 {
			name := fmt.Sprintf("user%02d", i)
			p := w.person("").enrolsWith(name, w.ticket(name))
			p.name = ""
			people = append(people, p)
		}
		time.Sleep(9 * time.Hour)
		for i, p := range people {
			p.comesIn(fmt.Sprintf("user%02d", i), p.code(0)).want(303, "/work")
		}
		time.Sleep(9 * time.Hour)
		judged := 0
		for day := range 30 {
			for try := range 30 {
				if p := w.person("").comesIn("user00", fmt.Sprintf("%03d%03d", day, try)); p.last.Code == 401 {
					judged++
				}
				time.Sleep(20 * time.Minute)
			}
			time.Sleep(14 * time.Hour)
		}
		if judged < 20 || judged > 30 {
			t.Errorf("%d guesses were judged in 30 days; want at most 30", judged)
		}
		people[0].comesIn("user00", people[0].code(0)).want(303, "/work")
	})
}

// What is with the app ends with the session, as a WebSocket does.
func TestStreamBehindABlockThatAsksEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		alice := w.person("").enrolsWith("alice", w.ticket("alice"))
		w.handler = w.block(func(c *mfagate.BlockConfig) {
			c.Source, c.Ask, c.AskLifetime, c.AskIdle = nil, true, 8*time.Hour, 30*time.Minute
		}).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/socket" {
				<-r.Context().Done()
			}
		}))
		var all sync.WaitGroup
		var took time.Duration
		all.Go(func() {
			begin := time.Now()
			w.handler.ServeHTTP(httptest.NewRecorder(), alice.request("GET", "/socket", "", ""))
			took = time.Since(begin)
		})
		time.Sleep(5 * time.Minute)
		alice.get("/.mfa/sign-out").want(200).post("/.mfa/sign-out").want(200)
		all.Wait()
		if took < 5*time.Minute || took > 5*time.Minute+2*time.Second {
			t.Errorf("it ended after %v; want a second after the sign-out", took)
		}
	})
}

// The ticket's form is ours, and from here.
func TestTicketForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		ticket := w.ticket("alice")
		p := w.person("")
		p.post("/.mfa/enroll", "user", "alice", "ticket", ticket).want(403) // no token
		p.get("/.mfa/enroll?ticket=" + ticket).want(200)
		if got := p.last.Header().Get("Referrer-Policy"); got != "no-referrer" && got != "same-origin" {
			t.Errorf("Referrer-Policy = %q of a page whose address has the ticket", got)
		}
		p.header.Set("Sec-Fetch-Site", "cross-site")
		p.post("/.mfa/enroll", "user", "alice", "ticket", ticket).want(403)
		p.header.Del("Sec-Fetch-Site")
		p.get("/.mfa/enroll?ticket=%22%3E%3Cscript%3E").want(200)
		if strings.Contains(p.body, "<script>") {
			t.Error("the page has the markup of its address")
		}
	})
}

// Two browsers with one ticket: one of them enrols.
func TestOneTicketTwoBrowsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		ticket := w.ticket("alice")
		first, second := w.person(""), w.person("")
		for _, p := range []*person{first, second} {
			p.get("/.mfa/enroll?ticket=" + ticket).want(200)
			p.post("/.mfa/enroll", "user", "alice", "ticket", ticket).want(303, "/.mfa/enroll").follow().want(200)
			p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow().want(200).scan()
		}
		first.post("/.mfa/enroll/totp", "code", first.code(0)).want(303, "/.mfa/recovery-codes")
		second.post("/.mfa/enroll/totp", "code", second.code(0)).want(303, "/.mfa/ask")
		second.get("/").want(303, "/.mfa/ask")
	})
}

// A reset link keeps its quarter of an hour, and has none of these pages.
func TestResetLinkHasNoPagesOfAnApp(t *testing.T) {
	w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Source, c.Ask = nil, true })
	p := w.person("")
	for _, path := range []string{"", "challenge", "enroll", "enroll/totp", "recovery-codes", "sign-out"} {
		p.get("/.mfa/" + path).want(404)
	}
}

func TestTimesOfBlocksThatAsk(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []mfagate.BlockConfig{
		{Ask: true, AskLifetime: 25 * time.Hour}, {Ask: true, AskLifetime: -1}, {Ask: true, AskIdle: time.Minute},
		{Ask: true, AskLifetime: time.Hour, AskIdle: 2 * time.Hour}, {Source: mfagate.SourceFunc(firstFactor), AskLifetime: time.Hour},
	} {
		if _, err := w.gate.Block(c); err == nil {
			t.Errorf("%+v: Block = nil; want an error", c)
		}
	}
}

// The recovery codes come before or in the midst of the set-up, if the operator says so.
func TestTicketWithOtherOrdersOfTheWizard(t *testing.T) {
	for name, order := range map[string]mfagate.CodesOrder{"before": mfagate.CodesBefore, "confirm": mfagate.CodesConfirm} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := ordered(t, order)
				w.handler = w.block(func(c *mfagate.BlockConfig) {
					c.Source, c.Ask, c.AskLifetime = nil, true, time.Hour
				}).Handler(http.HandlerFunc(w.app))
				ticket := w.ticket("alice")
				p := w.person("")
				p.get("/.mfa/enroll?ticket="+ticket).post("/.mfa/enroll", "user", "alice", "ticket", ticket).want(303).follow().want(200)
				p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow()
				if order == mfagate.CodesBefore {
					p.want(303, "/.mfa/recovery-codes").follow().want(200)
					p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set()).want(303, "/.mfa/enroll/totp").follow()
				}
				p.want(200).scan()
				p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303)
				if order == mfagate.CodesConfirm {
					p.follow().want(200)
					p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set()).want(303, "/")
				}
				p.get("/").want(200)
			})
		})
	}
}

// Who left before the codes were saved gets new ones at the next sign-in, and not the app.
func TestCodesThatWereNotSavedBeforeAnApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFrontWorld(t)
		ticket := w.ticket("alice")
		p := w.person("")
		p.get("/.mfa/enroll?ticket="+ticket).post("/.mfa/enroll", "user", "alice", "ticket", ticket).want(303).follow()
		p.post("/.mfa/enroll/totp").want(303).follow().scan()
		p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
		time.Sleep(time.Minute)
		q := w.person("").comesIn("alice", p.code(0)).want(303, "/work").follow().want(303, "/.mfa/recovery-codes")
		if w.hit() != 0 {
			t.Error("it reached the app")
		}
		q.follow().want(200).note()
		q.post("/.mfa/recovery-codes", "saved", "yes", "set", q.set(), "return", "/work").want(303, "/work").follow().want(200)
		time.Sleep(9 * time.Hour)
		w.person("").comesIn("alice", p.codes[0]).want(401) // of the first set
		w.person("").comesIn("alice", q.codes[0]).want(303, "/work").follow().want(200)
	})
}
