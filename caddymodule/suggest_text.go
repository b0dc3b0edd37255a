package caddymodule

import (
	"slices"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/learn"
)

// guess tells right and wrong apart where no page followed that would have shown it: scripts sign
// in and stay on their page.
func (s *suggestion) guess() {
	if len(s.right) > 0 {
		return
	}
	for _, a := range s.login.Answers {
		if s.isWrong(a) || a.Status >= 400 {
			continue
		}
		if slices.ContainsFunc(s.login.Answers, func(o learn.Answer) bool { return better(a, o) }) {
			s.right, s.guessed = append(s.right, a), true
		}
	}
	for _, a := range s.login.Answers {
		if s.guessed && !s.isWrong(a) && slices.ContainsFunc(s.right, func(o learn.Answer) bool { return better(o, a) }) {
			s.wrong = append(s.wrong, a)
		}
	}
}

func (s *suggestion) isWrong(a learn.Answer) bool {
	return s.anyWrong(func(w learn.Answer) bool { return same(w, a) })
}

func same(a, b learn.Answer) bool { return describe(a) == describe(b) }

// better tells whether of two answers to one form a is that to a right password: the app refuses
// the other one, or says true where that one says false, or sets a cookie or a token that it lacks.
func better(a, o learn.Answer) bool {
	lacks := func(of, in []string) bool {
		return slices.ContainsFunc(of, func(v string) bool { return !slices.Contains(in, v) })
	}
	for _, j := range a.JSON {
		if key, ok := strings.CutSuffix(j, "=true"); ok && slices.Contains(o.JSON, key+"=false") {
			return true
		}
	}
	switch {
	case o.Status >= 400 && a.Status < 400:
		return true
	case lacks(o.Cookies, a.Cookies) || o.Status != a.Status:
		return false
	}
	return lacks(a.Cookies, o.Cookies)
}

// falses are what the JSON of an answer says is false.
func falses(a learn.Answer) []string {
	return slices.DeleteFunc(slices.Clone(a.JSON), func(j string) bool { return !strings.HasSuffix(j, "=false") })
}

// texts are the signs in what a right password's answer says, where nothing else tells it from
// a wrong one's.
func (s *suggestion) texts(a learn.Answer) []string {
	if !s.anyWrong(func(w learn.Answer) bool { return headOf(w) == headOf(a) }) {
		return nil
	}
	if a.Text != "" && !s.anyWrong(func(w learn.Answer) bool { return strings.Contains(w.Text, a.Text) }) {
		return []string{"body", quote(a.Text)}
	}
	var signs []string
	for _, w := range s.wrong {
		if headOf(w) != headOf(a) {
			continue
		}
		i := slices.IndexFunc(w.Words, func(word string) bool { return !slices.Contains(a.Words, word) })
		if i >= 0 && !slices.Contains(signs, quote(w.Words[i])) {
			signs = append(signs, "not_body", quote(w.Words[i]))
		}
	}
	return signs
}

// headOf is what an answer is but for its text.
func headOf(a learn.Answer) string {
	a.Text, a.Words = "", nil
	return describe(a)
}

// where are the conditions on the body of a submission.
func (s *suggestion) where() []string {
	if len(s.login.Where) == 0 {
		return nil
	}
	all := []string{"where"}
	for _, w := range s.login.Where {
		all = append(all, quote(w))
	}
	return all
}

// last is the part of a JSON pointer after its last name: /0 of /params/0.
func last(field string) string {
	at := strings.LastIndex(field, "/")
	if at < 0 || strings.Trim(field[at+1:], "0123456789") != "" {
		return ""
	}
	return field[at:]
}

// identify proposes a place where the app says who has signed in.
func (s *suggestion) identify() {
	var others []learn.Name
	for i, n := range s.names() {
		switch {
		case i == 0 && n.Likely():
			s.doubt("%s held the names with which %s signed in. Look there as somebody else: it must never hold what people write.", n.URI(), people(n.People))
			s.option("identify", identifyBy(n)...)
		default:
			others = append(others, n)
		}
	}
	if len(others) == len(s.names()) {
		s.doubt("what the app calls the person is not sure yet. Without identify the typed name counts, and enrolment takes a ticket; with a page that shows it, write for example:")
		if len(others) == 0 {
			s.note("identify probe GET /account selector \"#username\"")
		}
	}
	for _, n := range others[:min(len(others), 3)] {
		s.note("identify %s", strings.Join(identifyBy(n), " "))
		s.note("(%s held the typed name %d times, of %s; something else %d times)", n.URI(), n.Count, people(n.People), n.Others)
	}
}

func people(n int) string {
	switch {
	case n == 1:
		return "one person"
	case n == 2:
		return "two people"
	}
	return "several people"
}

// names are the places that may tell the name, the best one first: one that never failed, of
// those JSON, of those the shortest address.
func (s *suggestion) names() []learn.Name {
	all := slices.DeleteFunc(slices.Clone(s.Names), func(n learn.Name) bool { return n.Strangers > 0 || n.Count == 0 || n.Others > n.Count })
	slices.SortStableFunc(all, func(a, b learn.Name) int { return rank(a) - rank(b) })
	return all
}

func rank(n learn.Name) int {
	r := len(n.URI()) + 10*len(n.Regexp)
	if !n.Likely() {
		r += 10_000
	}
	if n.JSON == "" {
		r += 1000
	}
	return r
}

func identifyBy(n learn.Name) []string {
	words := append([]string{"probe"}, quotes("GET "+n.URI())...)
	if n.JSON != "" {
		words = append(words, "json", quote(n.JSON))
	} else {
		words = append(words, "selector", quote(n.Selector))
	}
	if n.Regexp != "" {
		words = append(words, "regexp", quote(n.Regexp))
	}
	return words
}
