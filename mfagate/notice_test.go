package mfagate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
	"github.com/mfagate/caddy-mfagate/pages"
	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/memory"
	"github.com/mfagate/caddy-mfagate/storage/storagetest"
)

// A postOffice is a sender that keeps what it is given.
type postOffice struct {
	mu    sync.Mutex
	fault error // what it answers; nil means that it takes the message
	hangs bool  // until the context is done
	tries []time.Time
	mails []mail
}

type mail struct {
	to string
	mfagate.Message
}

func (o *postOffice) Send(ctx context.Context, to string, m mfagate.Message) error {
	o.mu.Lock()
	o.tries = append(o.tries, time.Now())
	fault, hangs := o.fault, o.hangs
	if fault == nil && !hangs {
		o.mails = append(o.mails, mail{to, m})
	}
	o.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return fault
}

func (o *postOffice) set(fault error, hangs bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault, o.hangs = fault, hangs
}

func (o *postOffice) tried() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.tries)
}

// delivered waits until nothing more happens and returns what was sent since the
// last time.
func (o *postOffice) delivered() []mail {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	mails := o.mails
	o.mails = nil
	return mails
}

// subjects are those of the mails to an address, or to all, without the name of the app.
func subjects(mails []mail, to ...string) (list []string) {
	for _, m := range mails {
		if len(to) == 0 || slices.Contains(to, m.to) {
			_, subject, _ := strings.Cut(m.Subject, ": ")
			list = append(list, subject)
		}
	}
	return list
}

const (
	mailEnrolled = "A way to confirm your sign-in was added"
	mailCodes    = "New recovery codes were made"
	mailRecovery = "A recovery code was used"
	mailLocked   = "Many wrong codes"
	mailReset    = "Your second factor was reset"
	mailSignOut  = "You were signed out everywhere"
)

// newNotifying is newWorld with a sender. change may alter the configuration.
func newNotifying(t testing.TB, store storage.Store, sender mfagate.Sender, change ...func(*mfagate.Config)) *world {
	t.Helper()
	if store == nil {
		store = new(memory.Store)
	}
	w := &world{t: t, store: store}
	var err error
	if w.records, err = mfagate.OpenRecords(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.records.Close() })
	c := mfagate.Config{
		Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}, Recovery: &recovery.Factor{}, Issuer: "Example",
		Notify: sender, Support: pages.Support{Text: "Ask the help desk, 4711", URL: "https://help.example"},
		OnEvent: func(_ context.Context, e mfagate.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
	for _, f := range change {
		f(&c)
	}
	if w.gate, err = mfagate.New(c); err != nil {
		t.Fatal(err)
	}
	w.handler = w.block(mailing).Handler(http.HandlerFunc(w.app))
	return w
}

// mailing makes the source tell e-mail addresses.
func mailing(c *mfagate.BlockConfig) {
	c.Site.Name = "app.example.com"
	c.Source = mfagate.SourceFunc(func(r *http.Request) (mfagate.Identity, error) {
		id, err := firstFactor(r)
		id.Email = r.Header.Get("First-Email")
		return id, err
	})
}

func (w *world) mailed(name string) *person {
	p := w.person(name)
	p.header.Set("First-Email", name+"@example.com")
	return p
}

func (p *person) settings() *person {
	p.w.t.Helper()
	time.Sleep(time.Minute)
	p.get("/.mfa/challenge?purpose=settings").want(200)
	return p.post("/.mfa/challenge", "method", "totp", "code", p.code(0), "purpose", "settings").want(303)
}

func wantSubjects(t *testing.T, what string, got []mail, want ...string) {
	t.Helper()
	if list := subjects(got); !slices.Equal(list, want) {
		t.Errorf("%s: mails = %q; want %q", what, list, want)
	}
}

// keeping remembers all that was sent.
type keeping struct {
	postOffice
	all strings.Builder
}

func (k *keeping) Send(ctx context.Context, to string, m mfagate.Message) error {
	k.mu.Lock()
	fmt.Fprintln(&k.all, to, m)
	k.mu.Unlock()
	return k.postOffice.Send(ctx, to, m)
}

func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(keeping)
		w := newNotifying(t, nil, office)
		alice := w.mailed("alice").enrol("/")
		got := office.delivered()
		wantSubjects(t, "enrolment", got, mailEnrolled)
		if got[0].to != "alice@example.com" || got[0].Subject != "Example: "+mailEnrolled || got[0].Language != "en" {
			t.Errorf("mail = %q; want it to alice, in English", got[0])
		}
		for _, want := range []string{"Hello alice,", "1 January 2000, 00:00 UTC", "app.example.com", "127.0.0.1", "Authenticator app", "4711", "https://help.example"} {
			if !strings.Contains(got[0].Text, want) || !strings.Contains(got[0].HTML, want) {
				t.Errorf("mail lacks %q:\n%s\n%s", want, got[0].Text, got[0].HTML)
			}
		}

		alice.settings()
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/recovery-codes", "action", "new").want(303).follow().want(200).note()
		wantSubjects(t, "new codes", office.delivered(), mailCodes)
		alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set())

		mallory := alice.elsewhere()
		mallory.header = alice.header
		mallory.get("/").want(303, "/.mfa/challenge").follow().want(200)
		mallory.post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0]).want(303)
		got = office.delivered()
		wantSubjects(t, "recovery code", got, mailRecovery)
		if !strings.Contains(got[0].Text, "9 codes left") {
			t.Errorf("text = %q; want the number of codes left", got[0].Text)
		}

		alice.get("/").want(200)
		alice.get("/.mfa/sign-out").post("/.mfa/sign-out", "everywhere", "yes")
		wantSubjects(t, "own sign-out", office.delivered())

		if _, err := w.gate.SignOut(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "alice"}); err != nil {
			t.Fatal(err)
		}
		wantSubjects(t, "sign-out by root", office.delivered(), mailSignOut)
		ticket, err := w.gate.Reset(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "alice"}, "internal remark", 0)
		if err != nil {
			t.Fatal(err)
		}
		got = office.delivered()
		wantSubjects(t, "reset", got, mailReset)
		if strings.Contains(got[0].Text+got[0].HTML, "internal remark") || strings.Contains(got[0].Text, "root") {
			t.Errorf("the mail tells what is for the history only: %s", got[0].Text)
		}
		secrets := append(slices.Clone(alice.codes), alice.secret, ticket.Code, "ticket=", "/.mfa/")
		for _, token := range alice.cookies {
			secrets = append(secrets, token)
		}
		for _, s := range secrets {
			if s == "" || strings.Contains(office.all.String(), s) {
				t.Errorf("a mail holds %q", s)
			}
		}
	})
}

// Codes that are made again and again are told once in ten minutes.
func TestNoticeOfManySets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office)
		alice := w.mailed("alice").enrol("/")
		office.delivered()
		for _, want := range [][]string{{mailCodes}, nil, {mailCodes}} {
			alice.settings()
			for range 3 {
				alice.get("/.mfa/").want(200)
				alice.post("/.mfa/recovery-codes", "action", "new").want(303)
				alice.get("/.mfa/recovery-codes").want(200)
				alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
			}
			wantSubjects(t, "three sets", office.delivered(), want...)
			time.Sleep(5 * time.Minute)
		}
	})
}

// Many wrong codes are told once a day, however many there are.
func TestNoticeOfWrongCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office)
		alice := w.mailed("alice").enrol("/")
		office.delivered()
		thief := alice.elsewhere()
		thief.header = alice.header
		guess := func() {
			thief.get("/").follow()
			thief.post("/.mfa/challenge", "method", "totp", "code", "000000")
		}
		for range 4 {
			guess()
		}
		wantSubjects(t, "four wrong codes", office.delivered())
		for range 20 {
			guess()
			time.Sleep(30 * time.Minute)
		}
		wantSubjects(t, "a day of wrong codes", office.delivered(), mailLocked)
		time.Sleep(15 * time.Hour)
		guess()
		wantSubjects(t, "the next day", office.delivered(), mailLocked)
	})
}

func TestNoticeLanguageAndAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office, func(c *mfagate.Config) { c.NotifyAddress = "{user}@template.example" })
		// The source tells the address on the app's pages only.
		w.handler = w.block(mailing, func(c *mfagate.BlockConfig) {
			inner := c.Source
			c.Source = mfagate.SourceFunc(func(r *http.Request) (mfagate.Identity, error) {
				if strings.HasPrefix(r.URL.Path, "/.mfa/") {
					return mfagate.Identity{}, mfagate.ErrNoIdentity
				}
				return inner.Identify(r)
			})
		}).Handler(http.HandlerFunc(w.app))
		alice := w.mailed("alice")
		alice.header.Set("Accept-Language", "de-AT")
		alice.enrol("/")
		got := office.delivered()
		if len(got) != 1 || got[0].to != "alice@example.com" || got[0].Language != "de" || !strings.Contains(got[0].Text, "Guten Tag alice") {
			t.Fatalf("mails = %q; want one to alice in German", got)
		}
		if _, err := w.gate.SignOut(t.Context(), "root", mfagate.Subject{Realm: "default", Name: "alice"}); err != nil {
			t.Fatal(err)
		}
		if got := office.delivered(); len(got) != 1 || got[0].to != "alice@example.com" || got[0].Language != "de" {
			t.Errorf("mails = %q; want one to alice, still in German", got)
		}

		alice.header.Set("First-Email", "thief@example.com")
		time.Sleep(time.Minute)
		alice.cookies = map[string]string{}
		alice.header.Del("Accept-Language") // a program; the language of the last page stays
		alice.prove("/", 0).want(303)
		got = office.delivered()
		const changed = "Nachrichten gehen an eine andere Adresse"
		wantSubjects(t, "a new address", got, changed, changed)
		if old, now := subjects(got, "alice@example.com"), subjects(got, "thief@example.com"); len(old) != 1 || len(now) != 1 {
			t.Errorf("mails = %q; want one to each address", got)
		}

		w.person("bob").enrol("/")
		if got := office.delivered(); len(got) != 1 || got[0].to != "bob@template.example" {
			t.Errorf("mails = %q; want one to bob by the template", got)
		}
		for _, name := range []string{"x@evil.example", "carol jones", `"q"`, "a,b", "a<b>", "a(b", "a;b"} {
			w.person(name).enrol("/")
			if got := office.delivered(); len(got) != 0 {
				t.Errorf("user %q: mails = %q; want none, since the name makes no address", name, got)
			}
		}
	})
}

// Without an address, or without a sender, the event stands all the same.
func TestNoNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, nil, office)
		for name, email := range map[string]string{
			"none": "", "two": "a@example.com, b@example.com", "named": "Bob <bob@example.com>", "none-at": "bob", "two-ats": "a@b@example.com",
			"line": "bob@example.com\r\nBcc: all@example.com", "long": strings.Repeat("a", 250) + "@example.com",
		} {
			p := w.person(name)
			p.header.Set("First-Email", email)
			p.enrol("/")
			if got := office.delivered(); len(got) != 0 {
				t.Errorf("address %q: mails = %q; want none", email, got)
			}
			events, err := w.gate.Events(t.Context(), mfagate.Subject{Realm: "default", Name: name}, 10)
			if err != nil || len(events) != 3 {
				t.Errorf("address %q: events = %v, %v; want three", email, events, err)
			}
		}
	})
}

func outbox(t *testing.T, s storage.Store) []string {
	t.Helper()
	records, err := s.List(t.Context(), "outbox/", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	return keys
}

// A server that is down delays nobody, and gets the notice when it is up again.
func TestNoticeRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := &postOffice{fault: errors.New("connection refused")}
		store := new(memory.Store)
		w := newNotifying(t, store, office)
		start := time.Now()
		w.mailed("alice").enrol("/").follow().want(200)
		if d := time.Since(start); d != 0 {
			t.Errorf("the enrolment took %v; want no wait for the mail", d)
		}
		time.Sleep(10 * time.Hour)
		var waits []time.Duration
		for i := 1; i < office.tried(); i++ {
			waits = append(waits, office.tries[i].Sub(office.tries[i-1]).Round(time.Second))
		}
		want := []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour}
		if len(waits) < len(want) || !slices.Equal(waits[:len(want)], want) {
			t.Errorf("waits = %v; want them to begin with %v", waits, want)
		}
		office.set(nil, false)
		time.Sleep(time.Hour)
		wantSubjects(t, "server is up again", office.delivered(), mailEnrolled)
		if keys := outbox(t, store); len(keys) != 0 {
			t.Errorf("outbox = %q; want nothing left", keys)
		}
	})
}

func TestNoticeGivenUp(t *testing.T) {
	for _, tt := range []struct {
		fault error
		tries int // at most
		after time.Duration
	}{
		{errors.New("temporary\r\nforged line"), 60, 49 * time.Hour},
		{fmt.Errorf("%w: no such mailbox", mfagate.ErrUndeliverable), 1, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			office := &postOffice{fault: tt.fault}
			store := new(memory.Store)
			w := newNotifying(t, store, office)
			w.mailed("alice").enrol("/")
			time.Sleep(tt.after)
			if keys := outbox(t, store); len(keys) != 0 {
				t.Errorf("%v: outbox = %q; want nothing left", tt.fault, keys)
			}
			if n := office.tried(); n > tt.tries {
				t.Errorf("%v: %d tries; want at most %d", tt.fault, n, tt.tries)
			}
			events, err := w.gate.Events(t.Context(), mfagate.Subject{Realm: "default", Name: "alice"}, 10)
			if err != nil || !slices.ContainsFunc(events, func(e mfagate.Event) bool {
				return e.Kind == mfagate.EventNoticeFailed && strings.HasPrefix(e.Detail, "enrolled: ") && !strings.ContainsAny(e.Detail, "\r\n")
			}) {
				t.Errorf("%v: events = %v, %v; want notice_failed, in one line", tt.fault, events, err)
			}
			if !slices.Contains(w.kinds(), mfagate.EventNoticeFailed) {
				t.Errorf("%v: OnEvent was not told", tt.fault)
			}
		})
	}
}

// A server that hangs holds up other notices for a minute at most, and Close for
// no time at all.
func TestNoticeServerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := &postOffice{hangs: true}
		w := newNotifying(t, nil, office)
		w.mailed("alice").enrol("/").follow().want(200)
		synctest.Wait()
		office.set(nil, false)
		w.mailed("bob").enrol("/").follow().want(200)
		if got := office.delivered(); len(got) != 0 {
			t.Errorf("mails = %q while the server hangs; want none", got)
		}
		time.Sleep(time.Minute)
		wantSubjects(t, "the next one", office.delivered(), mailEnrolled)
		time.Sleep(2 * time.Minute)
		wantSubjects(t, "the one that hung", office.delivered(), mailEnrolled)

		office.set(nil, true)
		w.mailed("carol").enrol("/")
		synctest.Wait()
		start := time.Now()
		w.gate.Close()
		if err := w.records.Close(); err != nil || time.Since(start) != 0 {
			t.Errorf("Close took %v: %v; want it at once", time.Since(start), err)
		}
	})
}

// A gate that dies while it sends leaves a lease: another one sends the notice
// after it, not before.
func TestNoticeSurvivesADeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &immortal{Store: new(memory.Store)}
		dead := &postOffice{hangs: true}
		first := newNotifying(t, store, dead)
		first.mailed("alice").enrol("/")
		synctest.Wait()
		if dead.tried() != 1 {
			t.Fatalf("%d tries; want one", dead.tried())
		}
		first.records.Close() // in the middle of the sending
		office := new(postOffice)
		newNotifying(t, store, office)
		time.Sleep(time.Minute)
		wantSubjects(t, "under the lease", office.delivered())
		time.Sleep(2 * time.Minute)
		wantSubjects(t, "after the lease", office.delivered(), mailEnrolled)
		time.Sleep(time.Hour)
		wantSubjects(t, "later", office.delivered())
	})
}

// immortal is a store that outlives the gates over it.
type immortal struct{ storage.Store }

func (immortal) Close() error { return nil }

// Gates over one store do not send twice, and one that has no sender leaves the
// notices to others.
func TestNoticeOfSeveralGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &immortal{Store: new(memory.Store)}
		office := new(postOffice)
		a, b := newNotifying(t, store, office), newNotifying(t, store, office)
		for i := range 20 {
			w := []*world{a, b}[i%2]
			w.mailed(fmt.Sprintf("user%d", i)).enrol("/")
		}
		time.Sleep(time.Hour)
		if got := office.delivered(); len(got) != 20 {
			t.Errorf("%d mails for 20 enrolments; want 20", len(got))
		}
		a.gate.Close()
		a.mailed("late").enrol("/")
		time.Sleep(time.Minute)
		wantSubjects(t, "recorded by one gate, sent by the other", office.delivered(), mailEnrolled)
	})
}

// Whatever call of the store fails, the notice is sent, and the outbox is empty in
// the end. Only a failure after the sending may lead to a second one.
func TestNoticeWithStoreFaults(t *testing.T) {
	for _, fault := range []error{errDisk, storage.ErrConflict, storage.ErrUnknown} {
		for _, applied := range []bool{false, true} {
			if applied && !errors.Is(fault, storage.ErrUnknown) {
				continue
			}
			for call := 1; call <= 12; call++ {
				synctest.Test(t, func(t *testing.T) {
					store := &immortal{Store: new(memory.Store)}
					quiet := newNotifying(t, store, new(postOffice))
					quiet.gate.Close() // records, and sends nothing
					quiet.mailed("alice").enrol("/")
					opening := &storagetest.Faulty{Store: store}
					records, err := mfagate.OpenRecords(t.Context(), opening)
					if err != nil {
						t.Fatal(err)
					}
					defer records.Close()
					faulty := &storagetest.Faulty{Store: store, Err: fault, Applied: applied, Call: opening.Calls() + call}
					office := new(postOffice)
					newNotifying(t, faulty, office)
					time.Sleep(10 * time.Minute)
					got := len(office.delivered())
					if keys := outbox(t, store); got < 1 || got > 2 || len(keys) != 0 {
						t.Errorf("%v, applied %v, call %d: %d mails, outbox %q; want one, or two, and nothing left", fault, applied, call, got, keys)
					}
				})
			}
		}
	}
}

func TestNoticeConfiguration(t *testing.T) {
	records, err := mfagate.OpenRecords(t.Context(), new(memory.Store))
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	for _, bad := range []string{"admin@example.com", "{user}", "x@{user}.example.com", "{user}@", "{user}@a@b", "{user}@example.com\r\nBcc: x@y.z", "A <{user}@example.com>", "{user}@{x}"} {
		_, err := mfagate.New(mfagate.Config{Records: records, Factors: []mfagate.Factor{&totp.Factor{}}, Notify: new(postOffice), NotifyAddress: bad})
		if err == nil {
			t.Errorf("address %q was accepted", bad)
		}
	}
}

// Nothing runs on after the records were closed, with or without Gate.Close.
func TestOutboxEnds(t *testing.T) {
	for _, closeGate := range []bool{true, false} {
		before := goleak.IgnoreCurrent()
		records, err := mfagate.OpenRecords(t.Context(), new(memory.Store))
		if err != nil {
			t.Fatal(err)
		}
		g, err := mfagate.New(mfagate.Config{
			Records: records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}, Notify: new(postOffice), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		if closeGate {
			g.Close()
		}
		if err := records.Close(); err != nil {
			t.Fatal(err)
		}
		goleak.VerifyNone(t, before)
	}
}

// stampless is a sender with a fault of its own, once.
type stampless struct {
	*postOffice
	once sync.Once
}

func (p *stampless) Send(ctx context.Context, to string, m mfagate.Message) error {
	p.once.Do(func() { panic("no stamps") })
	return p.postOffice.Send(ctx, to, m)
}

// A sender that panics takes nothing with it: the notice is tried again.
func TestNoticeOfAPanickingSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office := new(postOffice)
		w := newNotifying(t, new(memory.Store), &stampless{postOffice: office})
		w.mailed("alice").enrol("/").follow().want(200)
		time.Sleep(2 * time.Minute)
		wantSubjects(t, "the second try", office.delivered(), mailEnrolled)
	})
}
