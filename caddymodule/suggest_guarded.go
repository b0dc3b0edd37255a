package caddymodule

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/learn"
)

// bestGuarded is the place where most people were asked for HTTP Basic credentials, nil if nobody
// was who opened a page.
func bestGuarded(all []learn.Guarded) *learn.Guarded {
	var best *learn.Guarded
	for i, g := range all {
		if g.Scheme == "Basic" && g.Pages > 0 && !strings.Contains(g.URI(), "*") && (best == nil || g.Pages > best.Pages) {
			best = &all[i]
		}
	}
	return best
}

// suggestGuarded writes the block of an app that has no form, and asks for Basic credentials.
func suggestGuarded(l learnt, g learn.Guarded) (text string, uncertain bool) {
	s := &suggestion{learnt: l}
	right, wrong := 0, 0
	for _, other := range l.Guarded {
		if other.Scheme == "Basic" {
			right, wrong = right+other.Right, wrong+other.Wrong
		}
	}
	s.line("login_form {")
	s.note("Seen since %s: %d requests. The app has no form that people used: it asks for Basic credentials.", s.Since.Local().Format("2006-01-02 15:04"), s.Requests)
	s.note("Requests with credentials: %d were answered, %d refused.", right, wrong)
	if right == 0 {
		s.doubt("nobody was seen getting in; sign in once while the site observes.")
	}
	s.option("session", "basic")
	s.option("page", quote(g.URI()))
	s.note("The first page must be one that the app refuses without credentials.")
	s.identify()
	s.cookies()
	s.programs()
	s.line("}")
	return s.text.String(), s.uncertain
}

// unseen names the scheme by which people sign in where the gate cannot look on: empty if there
// is none.
func unseen(all []learn.Guarded) string {
	found := slices.DeleteFunc(slices.Clone(all), func(g learn.Guarded) bool { return g.Scheme == "Basic" || g.Scheme == "other" })
	if len(found) == 0 {
		return ""
	}
	return slices.MaxFunc(found, func(a, b learn.Guarded) int { return cmp.Compare(a.Asked+a.Right, b.Asked+b.Right) }).Scheme
}
