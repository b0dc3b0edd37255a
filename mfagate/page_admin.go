package mfagate

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
)

// The pages of those who look after others. For everybody else they do not exist
// (ASVS 5.0 8.2.1).

var (
	errLookOnly = errors.New("mfagate: auditors change nothing")
	errSelf     = errors.New("mfagate: nobody administers themselves")
)

// enterAdmin lets nobody in but administrators and auditors. It comes before all
// else, so that no method, form or header tells others more than that there is no
// such page.
func (v *visit) enterAdmin() error {
	if err := v.identify(); err != nil {
		return err
	}
	if v.role() == nobody {
		return errNotFound
	}
	return nil
}

// getAdmin is for those who forgot the slash.
func (v *visit) getAdmin() error {
	v.redirect(adminPrefix)
	return nil
}

// looksFor is how long after their last proof somebody may look at other people's
// accounts: an open browser at the help desk shows them to whoever walks by. Each
// change takes a fresh proof of its own.
const looksFor = time.Hour

// looking tells whether the visit's user may see other people's accounts now. If
// not, it leads to the proof.
func (v *visit) looking() (bool, error) {
	if ok, err := v.verified(v.here()); !ok {
		return false, err
	}
	if v.now.Sub(v.sess.Proved) <= looksFor {
		return true, nil
	}
	v.redirect(page("challenge", v.here(), "purpose", purposeSettings))
	return false, nil
}

// here is the page that the visit asks for, as a way back to it.
func (v *visit) here() string {
	if back := localPath(v.client.Sent.RequestURI()); back != "" {
		return back
	}
	return adminPrefix
}

// getUsers lists users.
func (v *visit) getUsers() error {
	if ok, err := v.looking(); !ok {
		return err
	}
	q := search{realm: v.realm, filter: filter(v.query("show")), after: v.query("after")}
	p := pages.AdminUsers{Search: strings.TrimSpace(v.query("q")), Show: string(q.filter)}
	f := v.frame()
	err := v.countRequests(&p)
	if err != nil {
		return err
	}
	if p.Search != "" {
		if q.prefix, err = v.site.Names.Canonical(p.Search); err != nil {
			f.Error = pages.Text{Key: "error.admin_search"}
			v.render(http.StatusUnprocessableEntity, f, p)
			return nil //nolint:nilerr // the page tells of it
		}
	}
	if len(q.after) > MaxName {
		return errBadRequest
	}
	if err := v.listUsers(q, &p); err != nil {
		return err
	}
	v.gate.beginCount(v.realm) // the report is one click away
	v.render(http.StatusOK, f, p)
	return nil
}

func (v *visit) listUsers(q search, p *pages.AdminUsers) error {
	found, err := v.gate.search(v.r.Context(), q)
	if err != nil {
		return err
	}
	for _, u := range found.users {
		p.Users = append(p.Users, v.gate.entry(u))
	}
	p.Later, p.Scanned = q.after != "", found.scanned
	if found.next != "" {
		p.Next = page("admin/", "", "q", p.Search, "show", p.Show, "after", found.next)
	}
	if q.prefix != "" && v.role() == administrator {
		_, err := v.gate.User(v.r.Context(), Subject{v.realm, q.prefix})
		if errors.Is(err, ErrUnknownUser) {
			p.Unknown, err = q.prefix, nil
		}
		return err
	}
	return nil
}

// entry is the line of a user in a list.
func (g *Gate) entry(u UserStatus) pages.AdminEntry {
	e := pages.AdminEntry{
		Name: u.Name, Enrolled: u.Enrolled, Factors: len(u.Factors), CodesLeft: u.RecoveryLeft,
		FewCodes: g.recovery != nil && u.Enrolled && u.RecoveryLeft <= lowCodes, LastProof: u.LastProof, LockedUntil: u.LockedUntil,
	}
	e.NeverSeen = u.NeverSeen
	e.Kinds = slices.Compact(slices.Sorted(slices.Values(u.kinds())))
	return e
}

// target is the user whom a page is about: one of the site's own realm, since the
// request cannot name another.
func (v *visit) target(name string) (Subject, error) {
	canonical, err := v.site.Names.Canonical(name)
	if err != nil {
		return Subject{}, errNotFound
	}
	return Subject{v.realm, canonical}, nil
}

// shownHistory is how many events the page of one user lists.
const shownHistory = 20

// getUser shows one user.
func (v *visit) getUser() error {
	if ok, err := v.looking(); !ok {
		return err
	}
	s, err := v.target(v.query("user"))
	if err != nil {
		return err
	}
	u, err := v.gate.User(v.r.Context(), s)
	if err != nil {
		return err
	}
	p := pages.AdminUser{
		AdminAccount: shownAccount(u), LastProof: u.LastProof, LockedUntil: u.LockedUntil, Failed: u.FailedCodes24,
		TicketNeeded: u.TicketNeeded, LookOnly: v.role() != administrator, Self: s == v.Subject,
	}
	if !p.LookOnly && !p.Self {
		p.Actions = v.possible(u)
	}
	if p.History, err = v.history(s); err != nil {
		return err
	}
	if p.Request, err = v.hasRequest(s); err != nil {
		return err
	}
	f := v.frame()
	switch done := v.query("notice"); done {
	case actionUnlock, actionSignOut, actionDisable:
		f.Notice = pages.Text{Key: "notice.admin_" + done}
	}
	v.render(http.StatusOK, f, p)
	return nil
}

func shownAccount(u UserStatus) pages.AdminAccount {
	a := pages.AdminAccount{Name: u.Name, Known: true, NeverSeen: u.NeverSeen, Enrolled: u.Enrolled, CodesLeft: u.RecoveryLeft, Sessions: u.Sessions}
	for _, c := range u.Factors {
		a.Credentials = append(a.Credentials, pages.Credential{ID: c.ID, Factor: c.Factor, Label: c.Label, Created: c.Created, Used: c.Used})
	}
	return a
}

func (v *visit) history(s Subject) ([]pages.History, error) {
	events, err := v.gate.Events(v.r.Context(), s, shownHistory)
	if err != nil {
		return nil, err
	}
	list := make([]pages.History, len(events))
	for i, e := range events {
		list[i].Activity = pages.Activity{Kind: e.Kind, Factor: e.Factor, Label: e.Label, Remote: e.Remote, Time: e.Time}
		switch { // else the detail is for programs
		case e.Actor != "":
			list[i].Actor, list[i].Reason = e.Actor, e.Detail
		case e.Kind == EventHelp || e.Kind == EventResetRequested || e.Kind == EventResetCancelled:
			list[i].Case = e.Detail
		}
	}
	return list, nil
}

// What an administrator can order, as forms and URLs name it.
const (
	actionReset   = "reset"
	actionDisable = "disable"
	actionUnlock  = "unlock"
	actionSignOut = "sign_out"
	actionTicket  = "ticket"
)

var actions = map[string]bool{actionReset: true, actionDisable: true, actionUnlock: true, actionSignOut: true, actionTicket: true}

// possible lists what would change something for a user.
func (v *visit) possible(u UserStatus) (list []string) {
	if !u.LockedUntil.IsZero() || u.FailedCodes24 > 0 {
		list = append(list, actionUnlock)
	}
	if u.Sessions > 0 {
		list = append(list, actionSignOut)
	}
	if !u.Enrolled {
		list = append(list, actionTicket)
	}
	if u.Enrolled || u.RecoveryLeft > 0 {
		list = append(list, actionReset)
	}
	if u.Enrolled && !v.keeps() {
		list = append(list, actionDisable)
	}
	return list
}

// fingerprint names what a reset or a disabling takes away: so nothing goes that the
// page before did not tell, and none is repeated by mistake.
func (u UserStatus) fingerprint(resets int) string {
	h := sha256.New()
	fmt.Fprintln(h, resets)
	for _, c := range u.Factors {
		fmt.Fprintln(h, c.ID)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
}

// mayOrder tells whether the session's proof does for a change of another user's
// account: one made for changes, minutes ago, and not by a recovery code, which may
// have been found on a desk.
func (s *session) mayOrder(now time.Time) bool {
	return s.maySet(now) && !s.Recovery && !s.Hold
}

// proveForOrder leads to where such a proof is made.
func (v *visit) proveForOrder(action, name string) {
	v.redirect(page("challenge", page("admin/order", "", "action", action, "user", name),
		"purpose", purposeSettings, "without", v.gate.recoveryName()))
}
