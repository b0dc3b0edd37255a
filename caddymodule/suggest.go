package caddymodule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/learn"
)

// A suggestion writes a block of login_form from what was learnt, with what is uncertain said
// in comments.
type suggestion struct {
	learnt
	login     learn.Login
	right     []learn.Answer // that led on
	wrong     []learn.Answer // after which people had to try again
	guessed   bool           // nothing that people did next told them apart
	uncertain bool
	text      strings.Builder
}

// suggest returns the block, empty if no login was seen, and whether people should look
// after it before they use it.
func suggest(l learnt) (text string, uncertain bool) {
	if g := bestGuarded(l.Guarded); g != nil && !anyWent(l.Logins) {
		return suggestGuarded(l, *g)
	}
	if len(l.Logins) == 0 {
		return "", true
	}
	s := &suggestion{learnt: l, login: bestLogin(l.Logins)}
	for _, a := range s.login.Answers {
		switch {
		case a.Went > a.Again, a.Token != nil:
			s.right = append(s.right, a)
		case a.Again > a.Went || a.Form || a.Status == 401 || a.Status == 403:
			s.wrong = append(s.wrong, a)
		}
	}
	s.guess()
	s.line("login_form {")
	s.request()
	s.judgement()
	s.token()
	s.rest()
	s.line("}")
	return s.text.String(), s.uncertain
}

// went is how many people went on after a login.
func went(l learn.Login) (n int) {
	for _, a := range l.Answers {
		n += a.Went
	}
	return n
}

func anyWent(logins []learn.Login) bool {
	return slices.ContainsFunc(logins, func(l learn.Login) bool { return went(l) > 0 })
}

// bestLogin is the one after which most people went on.
func bestLogin(logins []learn.Login) learn.Login {
	return slices.MaxFunc(logins, func(a, b learn.Login) int {
		if d := went(a) - went(b); d != 0 {
			return d
		}
		return a.Count - b.Count
	})
}

func (s *suggestion) line(format string, args ...any) {
	fmt.Fprintf(&s.text, format+"\n", args...)
}

func (s *suggestion) option(name string, values ...string) {
	s.line("\t%s", strings.Join(append([]string{name}, values...), " "))
}

func (s *suggestion) note(format string, args ...any) {
	s.line("\t# "+format, args...)
}

func (s *suggestion) doubt(format string, args ...any) {
	s.uncertain = true
	s.note("UNCERTAIN: "+format, args...)
}

// request writes what the login page and its form are.
func (s *suggestion) request() {
	l := &s.login
	s.note("Seen since %s: %d requests, %d of them with a password to this place.", s.Since.Local().Format("2006-01-02 15:04"), s.Requests, l.Count)
	page, known := s.page()
	if !known {
		s.doubt("no page with the form was seen; is this where people sign in?")
	}
	s.option("page", quote(page))
	path, _, _ := strings.Cut(page, "?")
	for _, p := range s.Pages[:min(len(s.Pages), 6)] {
		at, _, _ := strings.Cut(p, "?")
		switch {
		case p == page:
		case at == path:
			s.option("page", quote(p))
		default:
			s.note("This page asks for a password, too: %s", p)
		}
	}
	submit := l.URI()
	if l.Method != "POST" {
		submit = l.Method + " " + submit
	}
	s.option("submit", append(quotes(submit), s.where()...)...)
	s.others()
	if last(l.Password) != "" {
		s.doubt("the password has no name; it was taken for one by its place, %s.", l.Password)
	}
	if l.User != "" {
		s.option("user", quote(l.User))
	} else {
		s.doubt("no field with a user name was seen beside the password. This takes everybody for one person; with identify write: user none")
		s.option("user", "const", "admin")
	}
	s.option("password", quote(l.Password))
}

// page is where people are sent: without wild cards, as far as that is known.
func (s *suggestion) page() (uri string, known bool) {
	from := s.Pages
	if s.login.Page != nil {
		from = append([]string{s.login.Page.URI()}, from...)
	}
	for _, p := range from {
		if !strings.Contains(p, "*") {
			return p, true
		}
	}
	for _, p := range from {
		path, query, _ := strings.Cut(p, "?")
		pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool { return strings.HasSuffix(pair, "=*") })
		if p = path; len(pairs) > 0 {
			p += "?" + strings.Join(pairs, "&")
		}
		if !strings.Contains(p, "*") {
			return p, true
		}
	}
	return "/", false
}

// others tells of further places to which passwords went.
func (s *suggestion) others() {
	for _, other := range s.Logins {
		if other.Method == s.login.Method && other.URI() == s.login.URI() && slices.Equal(other.Where, s.login.Where) {
			continue
		}
		s.doubt("passwords went to %s %s, too (%d times, field %q). Another page to sign in is a \"submit\" of its own; a way for programs belongs under \"refuse\"; where people change their password needs nothing.",
			other.Method, other.URI(), other.Count, other.Password)
	}
	for _, q := range s.Queries {
		s.doubt("a password was in the query of %s, in %q. The gate refuses that.", q.Path, q.Key)
	}
}

// judgement writes how success and failure are told apart.
func (s *suggestion) judgement() {
	for _, a := range s.login.Answers {
		s.note("Answer %s: %d times; %d people went on, %d had to try again.", describe(a), a.Count, a.Went, a.Again)
	}
	if len(s.right) == 0 {
		s.doubt("nobody was seen getting in; sign in once more while the site observes. This admits nobody:")
		s.option("success", "status", "599")
	}
	if len(s.wrong) == 0 {
		s.doubt("no wrong password was seen; type one while the site observes.")
	}
	if s.guessed {
		s.doubt("no page followed that shows who got in, so this is guessed from the answers.")
	}
	for _, a := range s.right {
		signs := s.signs(a)
		if slices.ContainsFunc(s.wrong, func(w learn.Answer) bool { return s.meets(w, a) }) {
			s.doubt("a wrong password is answered in the same way; add \"probe GET /path\" with a page that only people who signed in get.")
		}
		s.option("success", signs...)
	}
	said := map[string]bool{}
	for _, w := range s.wrong {
		signs := strings.Join(failureSigns(w), " ")
		if signs != "" && !said[signs] && !slices.ContainsFunc(s.right, func(a learn.Answer) bool { return sameFailure(w, a) }) {
			said[signs] = true
			s.option("failure", signs)
		}
	}
	s.identify()
}

func describe(a learn.Answer) string {
	parts := []string{fmt.Sprint(a.Status)}
	if a.Location != "" {
		parts = append(parts, "to "+a.Location)
	}
	if a.Form {
		parts = append(parts, "with the form again")
	}
	if len(a.Cookies) > 0 {
		parts = append(parts, "setting "+strings.Join(a.Cookies, ", "))
	}
	if len(a.Deleted) > 0 {
		parts = append(parts, "deleting "+strings.Join(a.Deleted, ", "))
	}
	if len(a.JSON) > 0 {
		parts = append(parts, "with JSON "+strings.Join(a.JSON, ", "))
	}
	if words := append(slices.Clone(a.Words), a.Text); len(words) > 1 || a.Text != "" {
		parts = append(parts, fmt.Sprintf("saying %q", slices.DeleteFunc(words, func(w string) bool { return w == "" })))
	}
	return strings.Join(parts, ", ")
}

// signs are those by which an answer shows a right password.
func (s *suggestion) signs(a learn.Answer) []string {
	signs := []string{"status", fmt.Sprint(a.Status)}
	for _, c := range a.Cookies {
		if !s.anyWrong(func(w learn.Answer) bool { return slices.Contains(w.Cookies, c) }) {
			signs = append(signs, "set_cookie", quote(c))
		}
	}
	signs = append(signs, s.place(a)...)
	for _, j := range a.JSON {
		if !s.anyWrong(func(w learn.Answer) bool { return slices.Contains(w.JSON, j) }) && !strings.HasSuffix(j, "=null") && !strings.HasSuffix(j, "=false") {
			signs = append(signs, "json", quote(j))
		}
	}
	if a.Type == "html" && a.Location == "" && !a.Form {
		signs = append(signs, "not_body", "`type=\"password\"`")
	}
	return append(signs, s.texts(a)...)
}

// place tells where a right password leads: not to the login page, where that is enough.
func (s *suggestion) place(a learn.Answer) []string {
	if a.Location == "" || a.Location == "elsewhere" {
		return nil
	}
	back := map[string]bool{}
	for _, w := range s.wrong {
		if w.Location != "" && w.Location != "elsewhere" {
			path, _, _ := strings.Cut(w.Location, "?")
			back[path] = true
		}
	}
	if page, known := s.page(); known && len(back) == 0 {
		path, _, _ := strings.Cut(page, "?")
		back[path] = true
	}
	target, _, _ := strings.Cut(a.Location, "?")
	var signs []string
	for _, path := range slices.Sorted(maps.Keys(back)) {
		if path == "/" || mayLead(target, path) {
			return nil // no sign, or the query tells more than is kept
		}
		signs = append(signs, "not_location", quote(path+"*"))
	}
	return signs
}

// mayLead tells whether a place may begin with a path: a part of which only a star was kept may be
// anything.
func mayLead(place, path string) bool {
	parts, wanted := strings.Split(place, "/"), strings.Split(path, "/")
	if len(parts) < len(wanted) {
		return false
	}
	for i, want := range wanted {
		open := i == len(wanted)-1 // the path may end within a name
		if parts[i] != "*" && parts[i] != want && !(open && strings.HasPrefix(parts[i], want)) {
			return false
		}
	}
	return true
}

func (s *suggestion) anyWrong(is func(learn.Answer) bool) bool {
	return slices.ContainsFunc(s.wrong, is)
}

// meets tells whether a wrong password's answer has all the signs of a right one.
func (s *suggestion) meets(wrong, right learn.Answer) bool {
	return strings.Join(s.signs(wrong), " ") == strings.Join(s.signs(right), " ")
}

// failureSigns are those by which an answer is sure to be about a wrong password.
func failureSigns(w learn.Answer) []string {
	status := []string{"status", fmt.Sprint(w.Status)}
	path, query, _ := strings.Cut(w.Location, "?")
	switch {
	case w.Form:
		return append(status, "selector", "input[type=password]")
	case w.Status == 401 || w.Status == 403:
		return status
	case w.Location != "" && w.Location != "elsewhere" && (path != "/" || query != ""):
		return append(status, "location", quote(path+"*"))
	case w.Text != "":
		return append(status, "body", quote(w.Text))
	case len(falses(w)) > 0:
		return append(status, "json", quote(falses(w)[0]))
	case len(w.Words) > 0:
		return append(status, "body", quote(w.Words[0]))
	}
	return nil
}

// sameFailure tells whether the signs of a wrong password are in the answer to a right one.
func sameFailure(w, right learn.Answer) bool {
	path, _, _ := strings.Cut(w.Location, "?")
	switch {
	case w.Status != right.Status:
		return false
	case w.Form:
		return right.Form
	case w.Location != "":
		return mayLead(right.Location, path)
	case w.Text != "":
		return strings.Contains(right.Text, w.Text)
	case len(falses(w)) > 0:
		return slices.Contains(right.JSON, falses(w)[0])
	case len(w.Words) > 0:
		return slices.Contains(right.Words, w.Words[0])
	}
	return true
}
