package attack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// The pages that administrators have.
const (
	pathOrder    = "/.mfa/admin/order"
	pathRequests = "/.mfa/admin/requests"
	pathReport   = "/.mfa/admin/report"
	pathMode     = "/.mfa/admin/mode"
)

// An office is a gateway with people, two administrators and an auditor, who have
// their fresh proof.
type office struct {
	*gatetest.Server
	alice, bob, dora, dirk, carol *gatetest.Person
}

func newOffice(t *testing.T) *office {
	t.Helper()
	s := gatetest.Start(t, gatetest.Config{
		Users: []string{"alice", "bob", "carol", "dora", "dirk"}, Options: "notify {\n\t\task_address\n\t}\n\tsender smtp 127.0.0.1:1 {\n\t\tfrom mfa@example.com\n\t\ttls none\n\t}",
		Block: "admins dora dirk\nauditors carol\nreset_delay 1h",
	})
	o := &office{Server: s, alice: enrolled(t, s, "alice"), bob: enrolled(t, s, "bob")}
	for _, p := range []**gatetest.Person{&o.dora, &o.dirk, &o.carol} {
		*p = s.Person(map[**gatetest.Person]string{&o.dora: "dora", &o.dirk: "dirk", &o.carol: "carol"}[p])
		enrolBy(t, *p, o.run(t, "enroll", (*p).Name))
		confirm(t, *p)
	}
	confirm(t, o.alice)
	return o
}

// run is root's way: a command of the server's own.
func (o *office) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := o.Command(append(append([]string{"mfa"}, args...), "--address", "unix/"+o.AdminSocket)...).CombinedOutput()
	if err != nil {
		t.Fatalf("mfa %q: %v\n%s", args, err, out)
	}
	return string(out)
}

var ticketLink = regexp.MustCompile(`/\.mfa/enroll\?ticket=[0-9A-Z]+`)

// enrolBy enrols by the link that is told somewhere.
func enrolBy(t *testing.T, p *gatetest.Person, told string) {
	t.Helper()
	link := ticketLink.FindString(told)
	if link == "" {
		t.Fatalf("no link in %q", told)
	}
	page := p.Submit(t, p.Navigate(t, link), gatetest.PathTOTP, nil)
	p.Phone = &gatetest.Authenticator{Secret: page.Secret(t)}
	p.Submit(t, p.ConfirmCode(t, page), gatetest.PathCodes, url.Values{"saved": {"yes"}})
}

// confirm makes the proof that changes take.
func confirm(t *testing.T, p *gatetest.Person) {
	t.Helper()
	page := p.Navigate(t, gatetest.PathChallenge+"?purpose=settings")
	if page = p.Post(t, page, gatetest.PathChallenge, code("totp", p.Phone.Code(t))); page.Status != http.StatusSeeOther {
		t.Fatalf("%s: a proof for changes: got %d; want 303:\n%s", p.Name, page.Status, page.Text())
	}
}

// unchanged checks that f changed nothing about anybody.
func (o *office) unchanged(t *testing.T, what string, f func()) {
	t.Helper()
	before := o.state(t)
	f()
	if after := o.state(t); after != before {
		t.Errorf("%s changed something:\n%s\nwas:\n%s", what, after, before)
	}
}

// state is all that a change would show in, without times of use.
func (o *office) state(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, name := range []string{"alice", "bob", "dora", "dirk", "carol"} {
		var shown map[string]any
		if err := json.Unmarshal([]byte(o.run(t, "show", name, "--json")), &shown); err != nil {
			t.Fatal(err)
		}
		delete(shown, "events")
		text, err := json.Marshal(shown)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", text)
	}
	return b.String() + o.run(t, "require") + o.run(t, "requests", "--json")
}

// forms are all that a person can send from some pages, with a reason where one is
// asked for, by where they go and what they are to do.
func forms(t *testing.T, p *gatetest.Person, paths ...string) map[string]gatetest.Form {
	t.Helper()
	all := make(map[string]gatetest.Form)
	for _, path := range paths {
		page := p.Navigate(t, path)
		if page.Status != http.StatusOK {
			t.Errorf("%s opens %s: got %d; want 200", p.Name, path, page.Status)
		}
		for _, f := range page.Forms() {
			if f.Method != http.MethodPost {
				continue
			}
			f.Values.Set("reason", "asked by telephone")
			all[strings.TrimSpace(f.Action+" "+f.Values.Get("action"))] = f
		}
	}
	return all
}

func wantForms(t *testing.T, got map[string]gatetest.Form, want ...string) {
	t.Helper()
	if have := slices.Sorted(maps.Keys(got)); len(want) == 0 || slices.ContainsFunc(want, func(f string) bool { return !slices.Contains(have, f) }) {
		t.Fatalf("forms = %q; want %q among them", have, want)
	}
}

// personal and staff are the pages that have forms.
var personal = []string{
	"/.mfa/", "/.mfa/enroll", "/.mfa/enroll/totp", "/.mfa/recovery-codes", "/.mfa/disable", "/.mfa/help", "/.mfa/address",
	"/.mfa/sign-out", gatetest.PathChallenge + "?purpose=settings",
}

func staff(user string) (paths []string) {
	for _, action := range []string{"reset", "disable", "unlock", "sign_out"} {
		paths = append(paths, pathOrder+"?user="+user+"&action="+action)
	}
	return append(paths, pathOrder+"?user=newcomer&action=ticket", pathReport, pathMode+"?mandatory=yes", pathRequests+"?user=bob")
}

// asks files bob's request for a reset, at a browser where he has no session.
func (o *office) asks(t *testing.T) {
	t.Helper()
	stuck := o.bob.Elsewhere()
	stuck.Challenge(t)
	stuck.Post(t, stuck.Navigate(t, "/.mfa/help"), "/.mfa/help", url.Values{"action": {"request"}, "message": {"stolen"}})
	if list := o.run(t, "requests", "--json"); !strings.Contains(list, `"bob"`) {
		t.Fatalf("requests = %s; want one of bob", list)
	}
}

// B-01: no form of any page can be sent by another site, even with its token, nor
// without one; whoever looks after others is the one to be lured.
func TestEveryFormIsItsOwnSites(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.asks(t)
	o.run(t, "require", "off", "--yes", "--reason", "test")
	mine, theirs := forms(t, o.alice, personal...), forms(t, o.dora, staff("alice")...)
	wantForms(t, mine, "/.mfa/ rename", "/.mfa/ remove", "/.mfa/enroll/totp", "/.mfa/recovery-codes new", "/.mfa/recovery-codes view", "/.mfa/disable", "/.mfa/help", "/.mfa/address send", "/.mfa/sign-out", "/.mfa/challenge")
	wantForms(t, theirs, pathOrder+" reset", pathOrder+" disable", pathOrder+" unlock", pathOrder+" sign_out", pathOrder+" ticket", pathReport+" download", pathMode, pathRequests+" approve", pathRequests+" refuse")
	lures := []http.Header{
		{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"http://evil.localhost"}, "Sec-Fetch-Site": {"same-site"}},
		{"Origin": {"null"}, "Sec-Fetch-Site": {""}}, {"Origin": {""}, "Sec-Fetch-Site": {""}, "Form-Token": nil},
	}
	o.unchanged(t, "a lure", func() {
		for p, all := range map[*gatetest.Person]map[string]gatetest.Form{o.alice: mine, o.dora: theirs} {
			for what, f := range all {
				for _, lure := range lures {
					if got := lured(t, p, f, lure); got != http.StatusForbidden {
						t.Errorf("%s of %s from %v: got %d; want 403", what, p.Name, lure, got)
					}
				}
			}
		}
	})
}

// lured sends a form as another site makes a browser send it: a header of no value
// is not sent, and Form-Token stands for the field with the token.
func lured(t *testing.T, p *gatetest.Person, f gatetest.Form, lure http.Header) int {
	t.Helper()
	values := maps.Clone(f.Values)
	_, bare := lure["Form-Token"]
	if bare {
		values.Del("form_token")
	}
	r := p.PostRequest(t, f.Action, values)
	if bare {
		r.Header.Del("Sec-Fetch-Mode")
		r.Header.Del("Sec-Fetch-Dest")
	}
	for name, v := range lure {
		if r.Header[name] = v; len(v) == 0 || v[0] == "" {
			delete(r.Header, name)
		}
	}
	return p.Do(t, r).Status
}

// Whatever an administrator can send, an auditor cannot, and for everybody
// else there is no such page; and nobody does it to themselves.
func TestWhoIsNoAdministratorDoesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.asks(t)
	o.run(t, "require", "off", "--yes", "--reason", "test")
	all := forms(t, o.dora, staff("bob")...)
	delete(all, gatetest.PathSignOut) // it stands below every page
	wantForms(t, all, pathOrder+" reset", pathOrder+" disable", pathOrder+" unlock", pathOrder+" sign_out", pathOrder+" ticket", pathMode, pathRequests+" approve", pathRequests+" refuse")
	send := func(p *gatetest.Person, f gatetest.Form, user string) *gatetest.Page {
		t.Helper()
		values := maps.Clone(f.Values)
		values.Set("form_token", formToken(t, p))
		if user != "" {
			values.Set("user", user)
		}
		return p.PostValues(t, f.Action, values)
	}
	o.unchanged(t, "who is no administrator", func() {
		for what, f := range all {
			if page := send(o.alice, f, ""); page.Status != http.StatusNotFound {
				t.Errorf("%s by alice: got %d; want 404", what, page.Status)
			}
			if page := send(o.carol, f, ""); page.Status != http.StatusForbidden && f.Action != pathReport {
				t.Errorf("%s by the auditor: got %d; want 403", what, page.Status)
			}
			if f.Action != pathOrder && f.Action != pathRequests {
				continue
			}
			if page := send(o.dora, f, "dora"); page.Status != http.StatusForbidden {
				t.Errorf("%s of dora by dora: got %d; want 403", what, page.Status)
			}
		}
	})
	if page := o.carol.Navigate(t, pathReport); page.Status != http.StatusOK {
		t.Errorf("the auditor opens the report: got %d; want 200", page.Status)
	}
}

// M-05: what is bob's has names that alice may learn, and none of them is of use in
// her hands.
func TestIdentifiersOfSomebodyElse(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	confirm(t, o.bob)
	page := o.bob.Navigate(t, gatetest.PathSecurity)
	bobs := page.Forms()[0].Values.Get("id")
	setup := o.bob.Submit(t, o.bob.Navigate(t, gatetest.PathEnrol), gatetest.PathTOTP, nil)
	further := &gatetest.Authenticator{Secret: setup.Secret(t)}
	begun := o.bob.Fetch(t, "POST", "/.mfa/api/v1/enroll/totp", map[string]string{})
	var api struct{ Enrollment, Secret string }
	if err := json.Unmarshal([]byte(begun.Body), &api); err != nil || bobs == "" || api.Enrollment == "" {
		t.Fatalf("bob has the credential %q and the enrolment %q, %v; want both", bobs, begun.Body, err)
	}
	token := formToken(t, o.alice)
	o.unchanged(t, "alice", func() {
		for what, page := range map[string]*gatetest.Page{
			"rename":  o.alice.PostValues(t, "/.mfa/", url.Values{"form_token": {token}, "id": {bobs}, "action": {"rename"}, "label": {"mine"}}),
			"remove":  o.alice.PostValues(t, "/.mfa/", url.Values{"form_token": {token}, "id": {bobs}, "action": {"remove"}}),
			"replace": o.alice.PostValues(t, gatetest.PathTOTP, url.Values{"form_token": {token}, "replace": {bobs}}),
			"delete":  o.alice.Fetch(t, "DELETE", "/.mfa/api/v1/credentials/"+bobs, nil),
			"confirm": o.alice.Fetch(t, "POST", "/.mfa/api/v1/enroll/totp/confirm", map[string]string{"enrollment": api.Enrollment, "code": (&gatetest.Authenticator{Secret: api.Secret}).Code(t)}),
			"page":    o.alice.PostValues(t, gatetest.PathTOTP, url.Values{"form_token": {token}, "code": {further.Code(t)}}),
			"codes":   o.alice.PostValues(t, gatetest.PathCodes, url.Values{"form_token": {token}, "saved": {"yes"}, "set": {bobs}}),
		} {
			if page.Status < 300 || page.Status == http.StatusSeeOther && strings.Contains(page.Header.Get("Location"), "notice=") {
				t.Errorf("%s by alice of what is bob's: got %d to %q; want a refusal", what, page.Status, page.Header.Get("Location"))
			}
		}
	})
	wantReaches(t, o.bob)
}

// Of two administrators who press the same button one does it, and the other
// is told; there is one ticket.
func TestTwoAdministratorsResetAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	both := []*gatetest.Person{o.dora, o.dirk}
	var open, answers [2]*gatetest.Page
	for i, p := range both {
		open[i] = p.Navigate(t, pathOrder+"?action=reset&user=alice")
	}
	var all sync.WaitGroup
	for i, p := range both {
		f := open[i].Form(t, pathOrder)
		f.Values.Set("reason", "phone lost")
		r := p.PostRequest(t, pathOrder, f.Values)
		all.Go(func() {
			page, err := p.Try(r)
			if err != nil {
				t.Error(err)
				page = new(gatetest.Page)
			}
			answers[i] = page
		})
	}
	all.Wait()
	statuses := []int{answers[0].Status, answers[1].Status}
	links := ticketLink.FindAllString(answers[0].Body+answers[1].Body, -1)
	slices.Sort(links)
	if slices.Sort(statuses); !slices.Equal(statuses, []int{200, 409}) || len(slices.Compact(links)) != 1 {
		t.Fatalf("answers = %d with links %q; want 200 with one, and 409", statuses, links)
	}
	if n := strings.Count(o.run(t, "audit", "--user", "alice", "--json"), `"reset"`); n != 1 {
		t.Errorf("%d resets in the history; want 1", n)
	}
	enrolBy(t, o.alice, links[0])
	wantReaches(t, o.alice)
}

// The only administrator has lost phone and codes, and tried too often. Root
// has a way, and no page has.
func TestAdministratorLockedOut(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.run(t, "reset", "dirk", "--yes", "--reason", "left")
	thief := o.dora.Elsewhere()
	status := 0
	for tries := 0; tries < 20 && status != http.StatusTooManyRequests; tries++ {
		status = thief.Answer(t, "totp", o.dora.Phone.Wrong(t)).Status
	}
	if status != http.StatusTooManyRequests {
		t.Fatalf("after twenty wrong codes: got %d; want 429", status)
	}
	o.run(t, "unlock", "dora")
	link := o.run(t, "reset", "dora", "--yes", "--reason", "lost everything")
	if page := o.dora.Open(t, "/.mfa/admin/"); page.Status == http.StatusOK {
		t.Error("a session from before the reset opens the administrators' pages")
	}
	o.dora = o.Person("dora")
	enrolBy(t, o.dora, link)
	confirm(t, o.dora)
	if page := o.dora.Navigate(t, pathOrder+"?action=reset&user=alice"); page.Status != http.StatusOK {
		t.Errorf("dora is back and resets alice: got %d; want the page that asks for a reason", page.Status)
	}
}
