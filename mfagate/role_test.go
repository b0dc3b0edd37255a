package mfagate_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// withGroups is a source that knows groups too: those in a header that tests set.
func withGroups(r *http.Request) (mfagate.Identity, error) {
	id, err := firstFactor(r)
	id.Groups = strings.Fields(r.Header.Get("First-Factor-Groups"))
	return id, err
}

// staffed is a site with an administrator and an auditor by name, and two groups.
func staffed(c *mfagate.BlockConfig) {
	c.Source = mfagate.SourceFunc(withGroups)
	c.Site.Admins, c.Site.Auditors = []string{"Dora", "@helpdesk"}, []string{"otto", "@audit"}
}

// in puts a person into groups.
func (p *person) in(groups string) *person {
	p.header.Set("First-Factor-Groups", groups)
	return p
}

// enrolByTicket enrols a person with a ticket of root's.
func (p *person) enrolByTicket() *person {
	p.w.t.Helper()
	k, err := p.w.gate.IssueTicket(p.w.t.Context(), "root", mfagate.Subject{Realm: "default", Name: p.name}, 0)
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.get("/.mfa/enroll?ticket="+k.Code).want(303, "/.mfa/enroll").follow().want(200)
	p.post("/.mfa/enroll/totp").want(303, "/.mfa/enroll/totp").follow().want(200).scan()
	p.post("/.mfa/enroll/totp", "code", p.code(0)).want(303, "/.mfa/recovery-codes").follow().want(200).note()
	return p.post("/.mfa/recovery-codes", "saved", "yes", "set", p.set()).want(303)
}

// A password alone makes nobody an administrator: those who look after others need
// a ticket, whichever way they came onto the list.
func TestTrustedPeopleNeedATicket(t *testing.T) {
	tests := []struct {
		who, groups string
		need        bool
	}{
		{"dora", "", true}, {"DORA", "", true}, {"otto", "", true}, {"bob", "helpdesk", true}, {"bob", "staff audit", true},
		{"bob", "", false}, {"bob", "staff", false}, {"bob", "HELPDESK", false}, {"helpdesk", "", false},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil, staffed)
			p := w.person(test.who).in(test.groups)
			p.get("/").want(303, "/.mfa/enroll").follow().want(200)
			p.post("/.mfa/enroll/totp")
			if got := p.last.Code == 403; got != test.need {
				t.Errorf("%s in %q enrols with %d; want a ticket to be asked for: %v", test.who, test.groups, p.last.Code, test.need)
			}
			api := w.person(test.who).in(test.groups)
			api.api("POST", "enroll/totp", map[string]any{})
			if got := api.last.Code == 403; got != test.need {
				t.Errorf("%s in %q enrols by the API with %d; want a ticket to be asked for: %v", test.who, test.groups, api.last.Code, test.need)
			}
		})
	}
}

// Where the list names groups and the source knows none, anybody could be in them.
func TestUnknownGroupsNeedATicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed, func(c *mfagate.BlockConfig) { c.Source = mfagate.SourceFunc(firstFactor) })
		p := w.person("bob").in("helpdesk")
		p.get("/").want(303, "/.mfa/enroll").follow().want(200)
		p.post("/.mfa/enroll/totp").want(403)
		w.person("bob").enrolByTicket()
	})
}

func TestTrustedPersonEnrolsByTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, staffed)
		dora := w.person("dora").enrolByTicket()
		dora.get("/").want(200)
	})
}

func TestRosterIsValidated(t *testing.T) {
	w := newWorld(t, nil)
	for _, list := range [][]string{{""}, {"@"}, {"@ "}, {" dora"}, {strings.Repeat("x", 257)}} {
		for _, site := range []mfagate.Site{{Admins: list}, {Auditors: list}} {
			if _, err := w.gate.Block(mfagate.BlockConfig{Source: mfagate.SourceFunc(firstFactor), Site: site}); err == nil {
				t.Errorf("Block with %+v = nil; want an error", site)
			}
		}
	}
}

func TestAdministratorLooksOnlyAfterAProofWithinTheHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, func(c *mfagate.BlockConfig) { c.Site.Admins, c.Site.Idle = []string{"dora"}, time.Hour })
		p := w.person("dora").enrolByTicket()
		p.get("/.mfa/admin/").want(200)
		for range 3 {
			time.Sleep(25 * time.Minute)
			p.get("/app").want(200)
		}
		for _, path := range []string{"/.mfa/admin/", "/.mfa/admin/user?name=dora", "/.mfa/admin/report", "/.mfa/admin/settings"} {
			p.get(path).want(303, "/.mfa/challenge")
		}
		p.follow().want(200)
		p.post("/.mfa/challenge", "method", "totp", "code", p.code(0), "purpose", "settings", "return", "/.mfa/admin/").want(303, "/.mfa/admin/")
		p.follow().want(200)
	})
}
