package factortest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// A suite is one test's gate: it keeps time, users and their credentials.
type suite struct {
	factor mfagate.Factor
	device func(testing.TB) Device
	call   mfagate.Call
	ids    map[Device]string // of the credentials that were enrolled
}

func newSuite(f mfagate.Factor, device func(testing.TB) Device) *suite {
	return &suite{factor: f, device: device, ids: make(map[Device]string), call: mfagate.Call{
		Origin:   "https://app.example.com",
		Host:     "app.example.com",
		Language: "en",
		ClientIP: netip.MustParseAddr("192.0.2.1"),
		Now:      time.Date(2026, time.March, 1, 12, 0, 7, 0, time.UTC),
	}}
}

// next returns the call of the next conversation.
func (s *suite) next() mfagate.Call {
	s.call.Now = s.call.Now.Add(90 * time.Second)
	return s.call
}

func user(name string) mfagate.User {
	return mfagate.User{
		Subject: mfagate.Subject{Realm: "default", Name: name},
		Handle:  bytes.Repeat([]byte(name[:1]), 64),
		Email:   name + "@example.com",
		Phone:   "+4915112345678",
		Issuer:  "Example Corp",
	}
}

func (s *suite) beginEnrol(t *testing.T, c mfagate.Call, u mfagate.User, d Device) mfagate.Step {
	t.Helper()
	step, err := s.factor.BeginEnrol(t.Context(), c, u, nil, s.told(d, ""))
	if err != nil {
		t.Fatalf("BeginEnrol: got error %v; want none", err)
	}
	return s.sent(t, step, d)
}

func (s *suite) beginVerify(t *testing.T, c mfagate.Call, u mfagate.User, d Device) mfagate.Step {
	t.Helper()
	step, err := s.factor.BeginVerify(t.Context(), c, u, nil, s.told(d, s.ids[d]))
	if err != nil {
		t.Fatalf("BeginVerify: got error %v; want none", err)
	}
	return s.sent(t, step, d)
}

// told is what the person with a device tells before a conversation.
func (s *suite) told(d Device, id string) url.Values {
	if r, ok := d.(Receiver); ok {
		return r.Tell(id)
	}
	return url.Values{}
}

// sent brings a code that a factor sends to the device.
func (s *suite) sent(t *testing.T, step mfagate.Step, d Device) mfagate.Step {
	t.Helper()
	r, ok := d.(Receiver)
	if ok != (step.Send != nil) {
		t.Fatalf("got something sent: %v; want %v", step.Send != nil, ok)
	}
	if ok {
		if _, restricted := s.factor.(mfagate.Restricted); !restricted {
			t.Error("got a factor that sends codes and is not Restricted; want it to be")
		}
		r.Receive(*step.Send)
	}
	return step
}

// enrol enrols a new device for u and returns it, with its answer.
func (s *suite) enrol(t *testing.T, u *mfagate.User) (Device, url.Values) {
	t.Helper()
	d, c := s.device(t), s.next()
	step := s.beginEnrol(t, c, *u, d)
	answer := d.Enrol(t, c, step.View)
	cred, err := s.factor.FinishEnrol(t.Context(), c, *u, step.State, answer)
	if err != nil {
		t.Fatalf("FinishEnrol with the right answer: got error %v; want none", err)
	}
	s.checkNew(t, c, cred)
	cred.ID = fmt.Sprintf("credential-%d", len(s.ids)+1)
	s.ids[d] = cred.ID
	u.Credentials = append(u.Credentials, stored(t, cred))
	return d, answer
}

func (s *suite) checkNew(t *testing.T, c mfagate.Call, cred mfagate.Credential) {
	t.Helper()
	if cred.ID != "" || cred.Factor != s.factor.Name() {
		t.Errorf("got ID %q, factor %q; want no ID, factor %q", cred.ID, cred.Factor, s.factor.Name())
	}
	if len(cred.Label) > 64 {
		t.Errorf("got label of %d bytes; want at most 64", len(cred.Label))
	}
	if !cred.Created.Equal(c.Now) {
		t.Errorf("got created %v; want %v", cred.Created, c.Now)
	}
}

// stored returns a credential as the store gives it back.
func stored(t *testing.T, cred mfagate.Credential) mfagate.Credential {
	t.Helper()
	b, err := json.Marshal(cred)
	if err != nil {
		t.Fatalf("encoding a credential: %v", err)
	}
	var got mfagate.Credential
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("decoding a credential: %v", err)
	}
	return got
}

// swap puts a proved credential in place of the one that u holds.
func swap(t *testing.T, u *mfagate.User, cred mfagate.Credential) {
	t.Helper()
	for i := range u.Credentials {
		if u.Credentials[i].ID == cred.ID {
			u.Credentials[i] = stored(t, cred)
			return
		}
	}
	t.Fatalf("got credential %q; want one of the user's", cred.ID)
}

func (s *suite) finish(t *testing.T, c mfagate.Call, u mfagate.User, step mfagate.Step, answer url.Values) (mfagate.Credential, error) {
	t.Helper()
	return s.factor.FinishVerify(t.Context(), c, u, step.State, answer)
}

// verify proves u with a device and swaps the credential in.
func (s *suite) verify(t *testing.T, u *mfagate.User, d Device) (mfagate.Credential, url.Values) {
	t.Helper()
	c := s.next()
	step := s.beginVerify(t, c, *u, d)
	answer := d.Prove(t, c, step.View)
	cred, err := s.finish(t, c, *u, step, answer)
	if err != nil {
		t.Fatalf("FinishVerify with the right answer: got error %v; want none", err)
	}
	swap(t, u, cred)
	return cred, answer
}

func wantRejected(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, mfagate.ErrRejected) {
		t.Errorf("%s: got error %v; want one wrapping ErrRejected", what, err)
	}
}

func wantTrouble(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || errors.Is(err, mfagate.ErrRejected) {
		t.Errorf("%s: got error %v; want one that does not wrap ErrRejected", what, err)
	}
}
