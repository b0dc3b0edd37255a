package loginform

import (
	"errors"
	"strings"
	"testing"
)

// A request under accounts carries a name and a password of somebody who is signed in: what is the form's own,
// too, would be a way to sign in unseen.
func TestAccountsCannotBeTheFormItself(t *testing.T) {
	for _, test := range []struct {
		submit, reset, accounts Pattern
		want                    string // in the error; empty if there is none
	}{
		{Pattern{Text: "POST /login"}, Pattern{}, Pattern{Text: "POST /users"}, ""},
		{Pattern{Text: "POST /login"}, Pattern{}, Pattern{Text: "POST /login"}, "under submit"},
		{Pattern{Text: "POST /login"}, Pattern{}, Pattern{Text: "POST /**"}, "under submit"},
		{Pattern{Text: "POST /login"}, Pattern{}, Pattern{Text: "POST /lo*"}, "under submit"},
		{Pattern{Text: "POST /login"}, Pattern{}, Pattern{Text: "PUT|PATCH /login"}, ""},
		{Pattern{Text: "POST /**"}, Pattern{}, Pattern{Text: "POST /users"}, "under submit"},
		{Pattern{Text: "POST /a.php?do=login"}, Pattern{}, Pattern{Text: "POST /a.php?do=save"}, ""},
		{Pattern{Text: "POST /a.php?do=login"}, Pattern{}, Pattern{Text: "POST /a.php?do=*"}, "under submit"},
		{Pattern{Text: "POST /a.php?do=login"}, Pattern{}, Pattern{Text: "POST /a.php"}, ""},
		{Pattern{Text: "POST /a.php"}, Pattern{}, Pattern{Text: "POST /a.php?do?=*"}, "under submit"},
		{Pattern{Text: "POST /json", Where: map[string]string{"/method": "login"}}, Pattern{}, Pattern{Text: "POST /json"}, ""}, // the body tells
		{Pattern{Text: "POST /login"}, Pattern{Text: "GET|POST /forgotten"}, Pattern{Text: "POST /forgotten"}, "under reset"},
		{Pattern{Text: "POST /login"}, Pattern{Text: "/forgotten/*"}, Pattern{Text: "PUT /forgotten/mail"}, "under reset"},
		{Pattern{Text: "POST /login"}, Pattern{Text: "GET /forgotten"}, Pattern{Text: "POST /forgotten"}, ""},
		{Pattern{Text: "POST /x/*/login"}, Pattern{Text: "/*/forgotten"}, Pattern{Text: "POST /x/**"}, ""}, // not known before a request comes
	} {
		c := plainForm()
		c.Identify = &Identify{Probe: "GET /me", JSON: "/name"}
		c.Submit, c.Accounts = []Pattern{test.submit}, []Pattern{test.accounts}
		if test.reset.Text != "" {
			c.Reset = []Pattern{test.reset}
		}
		_, err := Compile(c)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("submit %q, reset %q, accounts %q: got %v; want an error with %q", test.submit.Text, test.reset.Text, test.accounts.Text, err, test.want)
		}
	}
}

func TestAccountsAreOfPeopleWhoAreSignedIn(t *testing.T) {
	c := plainForm()
	c.Identify = &Identify{Probe: "GET /me", JSON: "/name"}
	c.Reset, c.Accounts = []Pattern{{Text: "/*/forgotten"}}, []Pattern{{Text: "POST /x/**"}}
	f := compile(t, c)
	const line, body = "POST /x/forgotten", "user=vic&pass=pw"
	if err := f.Guard(request(t, line, mediaForm, body)); err != nil {
		t.Errorf("within a session: %v; want it to pass", err)
	}
	r := request(t, line, mediaForm, body)
	if got := f.Classify(r); got != Reset {
		t.Fatalf("it counts as %v; want the way to a new password", got)
	}
	if err := f.GuardVisitor(r); !errors.Is(err, ErrElsewhere) {
		t.Errorf("without one: %v; want it refused", err)
	}
}
