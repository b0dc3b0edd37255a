package caddymodule

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/learn"
)

// rest writes what belongs to the form and is not the form.
func (s *suggestion) rest() {
	s.list("public", s.Files, "These files the login page fetches:")
	s.list("logout", s.Logouts, "This seems to sign out:")
	if len(s.Logouts) == 0 {
		s.doubt("nobody was seen signing out; add \"logout /path\".")
	}
	s.list("reset", s.Resets, "This seems to be for forgotten passwords; put \"ask\" before it:")
	s.list("websocket", s.Sockets, "WebSockets were opened here:")
	s.cookies()
	s.programs()
	if s.Full {
		s.doubt("there was more than is kept, so what was seldom seen may be missing.")
	}
}

func (s *suggestion) list(option string, values []string, note string) {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return strings.Contains(strings.TrimSuffix(v, "/**"), "/*/") })
	if len(values) == 0 {
		return
	}
	s.note("%s", note)
	for _, v := range values[:min(len(values), 12)] {
		s.option(option, quotes(v)...)
	}
}

// cookies names those that scripts may read, and which of them a right password sets.
func (s *suggestion) cookies() {
	var pass, open []string
	for _, c := range s.Cookies {
		sets := func(a learn.Answer) bool { return slices.Contains(a.Cookies, c.Name) }
		switch {
		case c.HTTPOnly:
		case strings.ContainsAny(c.Name, ":[]"): // only a token goes in clear
		case slices.ContainsFunc(s.right, sets) && !s.anyWrong(sets):
			open = append(open, c.Name)
		default:
			pass = append(pass, c.Name)
		}
	}
	if len(pass) > 0 {
		s.doubt("scripts may read these cookies, which not only a sign-in sets. If they prove nothing (a theme, a language), take the sign away:")
		s.note("pass_cookies %s", strings.Join(pass, " "))
	}
	if len(open) > 0 {
		s.note("Scripts may read these cookies of a sign-in; if they must: bound_cookies %s", strings.Join(open, " "))
	}
}

// token writes how the app knows its users where they come back with a token of the login's answer.
func (s *suggestion) token() {
	for _, a := range s.right {
		if a.Token == nil {
			continue
		}
		s.note("The token in this answer came back in the header %s.", a.Token.Header)
		words := []string{"bearer", quote(a.Token.JSON)}
		switch {
		case a.Token.Header == "Authorization" && a.Token.Scheme == "Bearer":
		case a.Token.Scheme == "":
			words = append(words, a.Token.Header)
		default:
			words = append(words, strconv.Quote(a.Token.Header+": "+a.Token.Scheme))
		}
		s.option("session", words...)
		s.option("inject")
		return
	}
}

// bringsToken tells whether a program is the app's own scripts with their token.
func (s *suggestion) bringsToken(p learn.Program) bool {
	return p.Agent == "browser" && slices.ContainsFunc(s.right, func(a learn.Answer) bool {
		return a.Token != nil && a.Token.Header == "Authorization" && (p.Authorization == a.Token.Scheme || p.Authorization == "other")
	})
}

// programs tells who will be stopped, being no person with a browser.
func (s *suggestion) programs() {
	seen := map[string]bool{}
	programs := slices.DeleteFunc(slices.Clone(s.Programs), s.bringsToken)
	for _, p := range programs {
		text := programText(p)
		if !seen[text] && len(seen) < 12 {
			seen[text] = true
			s.note("No browser, or with credentials of its own, so it will be stopped: %s, %d times", text, p.Count)
		}
	}
	if n := len(programs) - len(seen); n > 0 {
		s.note("And %d more like these; --json lists them.", n)
	}
}

func programText(p learn.Program) string {
	text := p.Agent + " at " + p.Path
	if p.Authorization != "" {
		text += " (Authorization: " + p.Authorization + ")"
	}
	return text
}

// quotes quotes the words of a request.
func quotes(request string) []string {
	var out []string
	for word := range strings.FieldsSeq(request) {
		out = append(out, quote(word))
	}
	return out
}

// quote writes a word of a Caddyfile so that it is read as it is.
func quote(word string) string {
	if word == "" || strings.ContainsAny(word, " \t\"`{}#\\") {
		return "`" + strings.ReplaceAll(word, "`", "") + "`"
	}
	return word
}
