package loginform

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// checkAccounts refuses a request under accounts that is one of the login form's, too: its name and
// password would be those of somebody who signs in by it. Where only the body tells the two apart the
// request itself is judged.
func (f *Form) checkAccounts() error {
	for i, a := range f.accounts.all {
		for _, other := range []struct {
			option string
			given  []Pattern
			all    []*pattern
		}{{"submit", f.config.Submit, f.submit.all}, {"reset", f.config.Reset, f.reset.all}} {
			for j, p := range other.all {
				if len(p.conditions) == 0 && a.meets(p) {
					return fmt.Errorf("accounts: %q is a request under %s, too: %q; who sends that is not signed in, so leave one of them out, or write the paths so that no request is both", f.config.Accounts[i].Text, other.option, other.given[j].Text)
				}
			}
		}
	}
	return nil
}

// meets tells whether some request is known to match both patterns: one of them must be a single one.
func (p *pattern) meets(q *pattern) bool {
	return p.covers(q) || q.covers(p)
}

// covers tells whether the only request of one that has no wild cards matches p, by a method of both.
func (p *pattern) covers(one *pattern) bool {
	uri, ok := one.plain()
	if !ok {
		return false
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil || !p.path.match(u.Path, false) {
		return false
	}
	return slices.ContainsFunc(sending, func(method string) bool {
		r := &http.Request{Method: method, URL: u}
		return one.admits(r) && p.admits(r)
	})
}
