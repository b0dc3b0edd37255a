// Package factortest holds the tests that every factor must pass.
package factortest

import (
	"net/url"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// A Device is what the person has in their hand: an authenticator app, a phone
// that receives codes, a security key. It makes real answers; a device that
// receives something, such as a text message, gets it from the sender that the
// test gave to the factor. One Device holds one credential at most. Its answers
// hold those fields only that the factor cannot do without.
type Device interface {
	// Enrol returns the right answer to an enrolment, whose Step.View is
	// given, and remembers what Prove needs.
	Enrol(t testing.TB, c mfagate.Call, view any) url.Values

	// Prove returns the right answer to a verification.
	Prove(t testing.TB, c mfagate.Call, view any) url.Values

	// Wrong returns a copy of a right answer with another value, of the right
	// shape, in place of the proof.
	Wrong(t testing.TB, answer url.Values) url.Values
}

// A Receiver is a Device to which messages are sent, such as a phone.
type Receiver interface {
	Device

	// Tell returns what the person tells before an enrolment, such as a number,
	// or, given the id of their credential, before a verification.
	Tell(id string) url.Values

	// Receive is told what the factor wants to be sent.
	Receive(mfagate.Delivery)
}

// Run runs the suite over f. It calls device for each device that a test needs.
// Time passes only in [mfagate.Call]: each conversation is a minute and a half
// after the one before.
func Run(t *testing.T, f mfagate.Factor, device func(testing.TB) Device) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"Name", testName},
		{"EnrolThenVerify", testEnrolThenVerify},
		{"View", testView},
		{"GoesOn", testGoesOn},
		{"NothingSentUnasked", testNothingSentUnasked},
		{"WrongAtEnrolment", testWrongAtEnrolment},
		{"WrongAtVerification", testWrongAtVerification},
		{"Fields", testFields},
		{"StateOfAnotherUser", testStateOfAnotherUser},
		{"AnswerOfAnotherUser", testAnswerOfAnotherUser},
		{"BrokenState", testBrokenState},
		{"SingleUse", testSingleUse},
		{"EnrolmentAnswerDoesNotVerify", testEnrolmentAnswerDoesNotVerify},
		{"TwoDevices", testTwoDevices},
		{"NothingEnrolled", testNothingEnrolled},
		{"BrokenData", testBrokenData},
		{"NoSharedMemory", testNoSharedMemory},
		{"Concurrent", testConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newSuite(f, device)) })
	}
}
