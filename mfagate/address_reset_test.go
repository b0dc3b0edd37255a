package mfagate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

const (
	mailDisabledByOther = "Your second factor was switched off"
)

// withAddress is a person who has chosen an address and confirmed it.
func (w *world) withAddress(office *postOffice) *person {
	w.t.Helper()
	p := w.person("alice").enrol("/")
	p.asks("alice@example.com").want(303)
	p.confirms(codeIn(w.t.(*testing.T), office.delivered(), "alice@example.com")).want(303)
	office.delivered()
	return p
}

// A thief who talks the help desk into a reset, and enrols a phone of their own, is told of
// at the address that the owner has confirmed.
func TestResetIsToldAtConfirmedAddress(t *testing.T) {
	for name, order := range map[string]func(*world) error{
		mailReset: func(w *world) error {
			_, err := w.gate.Reset(t.Context(), "root", aliceSubject, "said she lost her phone", 0)
			return err
		},
		mailDisabledByOther: func(w *world) error {
			return w.gate.Disable(t.Context(), "root", aliceSubject, "said she lost her phone")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			office := new(postOffice)
			w := newNotifying(t, nil, office, asking)
			w.t = t
			w.withAddress(office)
			if err := order(w); err != nil {
				t.Fatal(err)
			}
			got := office.delivered()
			if len(got) != 1 || got[0].to != "alice@example.com" || !strings.Contains(got[0].Subject, name) {
				t.Errorf("%s: mails = %q; want one to the owner's address", name, got)
			}
			if name == mailReset {
				return // what comes next takes the ticket
			}
			w.person("alice").enrol("/")
			if got := office.delivered(); len(got) != 1 || got[0].to != "alice@example.com" {
				t.Errorf("mails = %q; want one to the owner's address, of the new factor", got)
			}
		})
	}
}

// What the owner has not read yet is not wiped out with the factors.
func TestResetKeepsMissedNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNotifying(t, nil, nil, func(c *mfagate.Config) { c.NotifyOnPage = true })
		alice := w.person("alice").enrol("/")
		alice.elsewhere().get("/").want(303).follow().
			post("/.mfa/challenge", "method", "recovery", "code", alice.codes[0], "return", "/").want(303) // a thief, with a note that was lying about
		if err := w.gate.Disable(t.Context(), "root", aliceSubject, "asked by telephone"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		again := w.person("alice").enrol("/")
		again.get("/.mfa/").want(200).wantMissed("after everything was taken away", mailDisabledByOther, mailRecovery, mailEnrolled)
	})
}

// I4: what a mail server says of a message that it refuses may quote it.
func TestCodeInTheErrorOfAMailServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var code string
		w := newNotifying(t, nil, sendingFunc(func(_ context.Context, to string, m mfagate.Message) error {
			if found := mailedCode.FindStringSubmatch(m.Text); found != nil {
				code = found[1]
			}
			return fmt.Errorf("554 5.7.1 <%s> looks like spam: %s", to, m.Text)
		}), asking, func(c *mfagate.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		alice := w.person("alice").enrol("/")
		alice.asks("alice@example.com").want(http.StatusServiceUnavailable)
		if code == "" {
			t.Fatal("no code was mailed")
		}
		if strings.Contains(log.String(), code) || strings.Contains(log.String(), "alice@example.com") {
			t.Errorf("log = %q; want neither the code nor the address in it", log.String())
		}
		if !strings.Contains(log.String(), "looks like spam") {
			t.Errorf("log = %q; want what the server said", log.String())
		}
	})
}

type sendingFunc func(context.Context, string, mfagate.Message) error

func (f sendingFunc) Send(ctx context.Context, to string, m mfagate.Message) error {
	return f(ctx, to, m)
}

// The keys of records are not sealed: nobody who has the database learns from them
// which addresses were asked for.
func TestKeysTellNoAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		office, store := new(postOffice), new(memory.Store)
		w := newNotifying(t, store, office, asking)
		alice := w.person("alice").enrol("/")
		alice.asks("alice@example.com").want(303)
		records, err := store.List(t.Context(), "", "", 0)
		if err != nil || len(records) == 0 {
			t.Fatal(errors.Join(err, errors.New("no records")))
		}
		sum := sha256.Sum256([]byte("alice@example.com"))
		for _, r := range records {
			if strings.Contains(r.Key, hex.EncodeToString(sum[:])) {
				t.Errorf("key %s names an address to whoever tries some", r.Key)
			}
		}
	})
}
