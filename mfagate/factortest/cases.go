package factortest

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func testName(t *testing.T, s *suite) {
	if got := s.factor.Name(); !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(got) {
		t.Errorf("got name %q; want [a-z0-9_]+", got)
	}
}

func testEnrolThenVerify(t *testing.T, s *suite) {
	u := user("alice")
	d, _ := s.enrol(t, &u)
	for range 5 {
		before := u.Credentials[0]
		got, _ := s.verify(t, &u, d)
		if got.ID != before.ID || got.Factor != before.Factor || got.Label != before.Label || !got.Created.Equal(before.Created) {
			t.Errorf("got credential %q, %q, %q, %v; want %q, %q, %q, %v as enrolled", got.ID, got.Factor, got.Label,
				got.Created, before.ID, before.Factor, before.Label, before.Created)
		}
	}
}

// testView asks for the page twice: a reload must not show another secret.
func testView(t *testing.T, s *suite) {
	u, c := user("alice"), s.next()
	step := s.beginEnrol(t, c, u, s.device(t))
	view, err := s.factor.View(t.Context(), s.next(), u, step.State)
	if err != nil {
		t.Fatalf("View: got error %v; want none", err)
	}
	got, err := json.Marshal(view)
	want, err2 := json.Marshal(step.View)
	if err := errors.Join(err, err2); err != nil {
		t.Fatalf("encoding the view for the API: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Error("got a View other than that of BeginEnrol; want the same")
	}
}

// testGoesOn opens the page of an enrolment again: it must stay the one that counts.
func testGoesOn(t *testing.T, s *suite) {
	u, c, d := user("alice"), s.next(), s.device(t)
	step := s.beginEnrol(t, c, u, d)
	again, err := s.factor.BeginEnrol(t.Context(), c, u, step.State, url.Values{})
	if err != nil {
		t.Fatalf("BeginEnrol, again: got error %v; want none", err)
	}
	if !bytes.Equal(again.State, step.State) || again.Send != nil {
		t.Error("got another conversation; want the one that is open, and nothing sent")
	}
}

// testNothingSentUnasked shows the page of a challenge, as a browser does that
// fetches pages in advance.
func testNothingSentUnasked(t *testing.T, s *suite) {
	u := user("alice")
	d, _ := s.enrol(t, &u)
	open := s.beginVerify(t, s.next(), u, d)
	for _, prior := range [][]byte{nil, open.State} {
		step, err := s.factor.BeginVerify(t.Context(), s.next(), u, prior, nil)
		if err != nil {
			t.Fatalf("BeginVerify: got error %v; want none", err)
		}
		if step.Send != nil {
			t.Error("got something sent; want nothing")
		}
	}
}

func testWrongAtEnrolment(t *testing.T, s *suite) {
	u, c, d := user("alice"), s.next(), s.device(t)
	step := s.beginEnrol(t, c, u, d)
	answer := d.Enrol(t, c, step.View)
	_, err := s.factor.FinishEnrol(t.Context(), c, u, step.State, d.Wrong(t, answer))
	wantRejected(t, "wrong answer", err)
	if _, err := s.factor.FinishEnrol(t.Context(), c, u, step.State, answer); err != nil {
		t.Errorf("right answer after a wrong one: got error %v; want none", err)
	}
}

func testWrongAtVerification(t *testing.T, s *suite) {
	u := user("alice")
	d, _ := s.enrol(t, &u)
	c := s.next()
	step := s.beginVerify(t, c, u, d)
	answer := d.Prove(t, c, step.View)
	_, err := s.finish(t, c, u, step, d.Wrong(t, answer))
	wantRejected(t, "wrong answer", err)
	if _, err := s.finish(t, c, u, step, answer); err != nil {
		t.Errorf("right answer after a wrong one: got error %v; want none", err)
	}
}

// spoiled returns answers that must be rejected, whatever the factor.
func spoiled(answer url.Values) map[string]url.Values {
	all := map[string]url.Values{"nil": nil, "empty": {}}
	huge := strings.Repeat("1", 1<<20)
	for field, right := range answer {
		for name, values := range map[string][]string{
			"missing": nil,
			"blank":   {""},
			"doubled": append(slices.Clone(right), right...),
			"both":    append([]string{"0"}, right...),
			"huge":    {huge},
			"longer":  {right[0] + huge},
			"NUL":     {right[0] + "\x00"},
			"invalid": {"\xff\xfe"},
		} {
			bad := url.Values{}
			maps.Copy(bad, answer)
			bad[field] = values
			all[name+" "+field] = bad
		}
	}
	return all
}

func testFields(t *testing.T, s *suite) {
	u := user("alice")
	d, _ := s.enrol(t, &u)
	c := s.next()
	step := s.beginVerify(t, c, u, d)
	for name, answer := range spoiled(d.Prove(t, c, step.View)) {
		_, err := s.finish(t, c, u, step, answer)
		wantRejected(t, "verification, "+name, err)
	}
	d, c = s.device(t), s.next()
	step = s.beginEnrol(t, c, u, d)
	for name, answer := range spoiled(d.Enrol(t, c, step.View)) {
		_, err := s.factor.FinishEnrol(t.Context(), c, u, step.State, answer)
		wantRejected(t, "enrolment, "+name, err)
	}
}

// testStateOfAnotherUser hands bob what alice's enrolment left behind. The gate
// never does; if it ever did, alice's device must not become bob's.
func testStateOfAnotherUser(t *testing.T, s *suite) {
	alice, bob, c, d := user("alice"), user("bob"), s.next(), s.device(t)
	step := s.beginEnrol(t, c, alice, d)
	answer := d.Enrol(t, c, step.View)
	if _, err := s.factor.FinishEnrol(t.Context(), c, bob, step.State, answer); err == nil {
		t.Error("got no error; want one")
	}
	if _, err := s.factor.View(t.Context(), c, bob, step.State); err == nil {
		t.Error("View: got no error; want one")
	}
}

func testAnswerOfAnotherUser(t *testing.T, s *suite) {
	alice, bob := user("alice"), user("bob")
	hers, _ := s.enrol(t, &alice)
	d, _ := s.enrol(t, &bob)
	c := s.next()
	step := s.beginVerify(t, c, bob, d)
	answer := d.Prove(t, c, step.View)
	_, err := s.finish(t, c, alice, s.beginVerify(t, c, alice, hers), answer)
	wantRejected(t, "bob's answer for alice", err)
}

func testBrokenState(t *testing.T, s *suite) {
	u, c, d := user("alice"), s.next(), s.device(t)
	step := s.beginEnrol(t, c, u, d)
	answer := d.Enrol(t, c, step.View)
	for _, state := range [][]byte{nil, {}, []byte("null"), []byte("{}"), step.State[:len(step.State)/2]} {
		_, err := s.factor.FinishEnrol(t.Context(), c, u, state, answer)
		wantTrouble(t, "broken state", err)
	}
}

// testSingleUse gives an answer a second time, to a new challenge: that the
// state of one challenge is used once is the gate's business.
func testSingleUse(t *testing.T, s *suite) {
	u := user("alice")
	d, _ := s.enrol(t, &u)
	_, answer := s.verify(t, &u, d)
	_, err := s.finish(t, s.call, u, s.beginVerify(t, s.call, u, d), answer)
	wantRejected(t, "same answer, at the same time", err)
	c := s.next()
	_, err = s.finish(t, c, u, s.beginVerify(t, c, u, d), answer)
	wantRejected(t, "same answer, later", err)
}

func testEnrolmentAnswerDoesNotVerify(t *testing.T, s *suite) {
	u := user("alice")
	d, answer := s.enrol(t, &u)
	_, err := s.finish(t, s.call, u, s.beginVerify(t, s.call, u, d), answer)
	wantRejected(t, "answer of the enrolment", err)
}

func testTwoDevices(t *testing.T, s *suite) {
	u := user("alice")
	first, _ := s.enrol(t, &u)
	second, _ := s.enrol(t, &u)
	for i, d := range []Device{first, second, first} {
		got, _ := s.verify(t, &u, d)
		if want := u.Credentials[i%2].ID; got.ID != want {
			t.Errorf("proof %d: got credential %q; want %q", i, got.ID, want)
		}
	}
}

func testNothingEnrolled(t *testing.T, s *suite) {
	alice, bob := user("alice"), user("bob")
	d, _ := s.enrol(t, &alice)
	c := s.next()
	step := s.beginVerify(t, c, alice, d)
	answer := d.Prove(t, c, step.View)
	if _, err := s.finish(t, c, bob, step, answer); err == nil {
		t.Error("user without credentials: got no error; want one")
	}
	bob.Credentials = slices.Clone(alice.Credentials)
	bob.Credentials[0].Factor = "other"
	if _, err := s.finish(t, c, bob, step, answer); err == nil {
		t.Error("user with another factor's credential: got no error; want one")
	}
}

// testBrokenData checks that a record that cannot be read neither proves anybody
// nor counts against them, and that it does not hide a good one.
func testBrokenData(t *testing.T, s *suite) {
	u := user("alice")
	d, _ := s.enrol(t, &u)
	c := s.next()
	step := s.beginVerify(t, c, u, d)
	answer := d.Prove(t, c, step.View)
	good := u.Credentials[0]
	for _, data := range [][]byte{nil, []byte("null"), []byte("{}"), good.Data[:len(good.Data)/2]} {
		bad := good
		bad.ID, bad.Data = "broken", data
		u.Credentials = []mfagate.Credential{bad}
		_, err := s.finish(t, c, u, step, answer)
		wantTrouble(t, "broken data", err)
		u.Credentials = []mfagate.Credential{bad, good}
		_, err = s.finish(t, c, u, step, d.Wrong(t, answer))
		wantRejected(t, "wrong answer beside a broken credential", err)
		if _, err = s.finish(t, c, u, step, answer); err != nil {
			t.Errorf("right answer beside a broken credential: got error %v; want none", err)
		}
	}
}

func testNoSharedMemory(t *testing.T, s *suite) {
	u := user("alice")
	d, _ := s.enrol(t, &u)
	c := s.next()
	step := s.beginVerify(t, c, u, d)
	answer := d.Prove(t, c, step.View)
	before := stored(t, u.Credentials[0])
	got, err := s.finish(t, c, u, step, answer)
	if err != nil {
		t.Fatalf("FinishVerify: got error %v; want none", err)
	}
	clear(got.Data)
	if !bytes.Equal(u.Credentials[0].Data, before.Data) || !u.Credentials[0].Used.Equal(before.Used) {
		t.Error("got the user's credential changed; want it left alone")
	}
	again, err := s.finish(t, c, u, step, answer)
	if err != nil {
		t.Fatalf("FinishVerify of an unchanged user: got error %v; want none", err)
	}
	swap(t, &u, again)
	s.verify(t, &u, d)
}

// testConcurrent is for the race detector. Each call sees the credential as it
// was, so each may succeed; the gate stores one.
func testConcurrent(t *testing.T, s *suite) {
	u := user("alice")
	d, _ := s.enrol(t, &u)
	c := s.next()
	step := s.beginVerify(t, c, u, d)
	answer := d.Prove(t, c, step.View)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.finish(t, c, u, step, answer); err != nil {
				t.Errorf("FinishVerify: got error %v; want none", err)
			}
			if _, err := s.factor.BeginEnrol(t.Context(), c, u, nil, s.told(d, "")); err != nil {
				t.Errorf("BeginEnrol: got error %v; want none", err)
			}
		})
	}
	wg.Wait()
}
