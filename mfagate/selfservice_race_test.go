package mfagate_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// two browsers of alice, each with a fresh proof, do two things at once.
func (w *world) both(f, g func()) {
	var wg sync.WaitGroup
	wg.Go(f)
	wg.Go(g)
	wg.Wait()
}

func TestRacesOfSelfService(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, optional)
			alice := w.person("alice")
			alice.get("/.mfa/enroll").want(200)
			alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
			alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303).follow().want(200).note()
			alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
			alice.confirm()
			alice.post("/.mfa/enroll/totp", "return", "/.mfa/").want(303).follow().want(200)
			tablet := alice.elsewhere()
			tablet.body = alice.body
			tablet.scan()
			alice.post("/.mfa/enroll/totp", "code", tablet.code(0), "return", "/.mfa/").want(303).follow().want(200)
			ids := alice.ids()
			time.Sleep(time.Minute)
			b := alice.elsewhere()
			b.prove("/", 0).want(303)
			b.confirm()
			alice.get("/.mfa/").want(200)
			alice.confirm()
			w.both(func() { alice.post("/.mfa/", "action", "remove", "id", ids[0]) }, func() { b.post("/.mfa/", "action", "remove", "id", ids[1]) })
			u, err := w.gate.User(t.Context(), aliceSubject)
			if err != nil || len(u.Factors) != 1 {
				t.Fatalf("remove both at once: %v, %v; want one left", u.Factors, err)
			}
		})
	}
}

func TestDisableWhileEnrolling(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, optional)
			alice := w.person("alice")
			alice.get("/.mfa/enroll").want(200)
			alice.post("/.mfa/enroll/totp").want(303).follow().want(200).scan()
			alice.post("/.mfa/enroll/totp", "code", alice.code(0)).want(303).follow().want(200).note()
			alice.post("/.mfa/recovery-codes", "saved", "yes", "set", alice.set()).want(303)
			time.Sleep(time.Minute)
			b := alice.elsewhere()
			b.prove("/", 0).want(303)
			b.confirm()
			b.post("/.mfa/enroll/totp", "return", "/.mfa/").want(303).follow().want(200)
			tablet := b.elsewhere()
			tablet.body = b.body
			tablet.scan()
			alice.get("/.mfa/").want(200)
			alice.confirm()
			b.get("/.mfa/enroll/totp").want(200)
			w.both(func() { alice.post("/.mfa/disable", "password", "secret") }, func() { b.post("/.mfa/enroll/totp", "code", tablet.code(0), "return", "/.mfa/") })
			u, err := w.gate.User(t.Context(), aliceSubject)
			if err != nil || len(u.Factors) != 0 || u.Sessions != 0 || u.RecoveryLeft != 0 {
				t.Fatalf("disable while enrolling: %+v, %v; want nothing left", u, err)
			}
		})
	}
}
