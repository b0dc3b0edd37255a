package mfagate

import (
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"unicode"

	"github.com/mfagate/caddy-mfagate/pages"
)

// Lengths in characters of what others have chosen and a message tells.
const (
	maxFact  = 256
	maxTold  = 40
	maxCause = 200
)

// A letter is a notice in words: what the text and the HTML of a message are
// made of.
type letter struct {
	Language, Subject, Hello, What string
	Facts                          []string
	Advice, Support, URL, Footer   string
}

// letterHTML needs no style sheet, no picture and no script, and has no link but
// the one that the operator named.
var letterHTML = template.Must(template.New("letter").Parse(`<!DOCTYPE html>
<html lang="{{.Language}}">
<head><meta charset="utf-8"><title>{{.Subject}}</title></head>
<body style="font-family: sans-serif; line-height: 1.5; max-width: 40em">
<p>{{.Hello}}</p>
<p><strong>{{.What}}</strong></p>
<ul>
{{- range .Facts}}
<li>{{.}}</li>
{{- end}}
</ul>
<p>{{.Advice}}</p>
{{- if or .Support .URL}}
<p>{{.Support}}{{if .URL}}<br><a href="{{.URL}}">{{.Bare}}</a>{{end}}</p>
{{- end}}
<p style="color: #595959">{{.Footer}}</p>
</body>
</html>
`))

// compose puts a notice into words, in the language of the person.
func (g *Gate) compose(n outgoing) (Message, error) {
	return g.letter(n).message()
}

func (l letter) message() (Message, error) {
	var html strings.Builder
	if err := letterHTML.Execute(&html, l); err != nil {
		return Message{}, fmt.Errorf("writing a notice: %w", err)
	}
	return Message{Subject: l.Subject, Text: l.text(), HTML: html.String(), Language: l.Language}, nil
}

func (g *Gate) letter(n outgoing) letter {
	say := func(name string, args ...any) string {
		return g.pages.Text(n.Language, pages.Text{Key: "notice_mail." + name, Args: args})
	}
	site := fact(siteHost(n.App), maxFact)
	app := fact(g.issuer, maxFact)
	if app == "" {
		app = site
	}
	l := letter{
		Language: g.pages.Offered(n.Language),
		Subject:  unmarked.Replace(say("subject", app, say(n.Kind+".subject"))),
		Hello:    say("hello", fact(n.Name, maxFact)),
		What:     say(n.Kind+".what", n.Left),
		Advice:   say(n.Kind + ".advice"),
		Support:  g.support.Text, URL: g.support.URL,
		Footer: say("footer"),
	}
	if app == "" {
		l.Subject = say(n.Kind + ".subject")
	}
	l.Facts = append(l.Facts, say("time", n.Time))
	if !n.Due.IsZero() {
		l.Facts = append(l.Facts, say("due", n.Due))
	}
	for _, f := range []struct{ name, value string }{
		{"about", fact(n.About, maxFact)}, {"app", site}, {"factor", g.factorLabel(n)}, {"label", label(n.Label)}, {"remote", fact(n.Remote, maxFact)},
	} {
		if f.value != "" {
			l.Facts = append(l.Facts, say(f.name, f.value))
		}
	}
	return l
}

// siteHost returns the name of a site as people know it.
func siteHost(site string) string {
	if _, host, ok := strings.Cut(site, "://"); ok {
		return host
	}
	return site
}

// unmarked takes off the marks that keep words of another direction apart: not
// every program that lists subjects knows them.
var unmarked = strings.NewReplacer("\u2068", "", "\u2069", "")

func (g *Gate) factorLabel(n outgoing) string {
	key := "factor." + n.Factor + ".name"
	if n.Factor == "" || !g.pages.Has(key) {
		return fact(n.Factor, maxFact)
	}
	return g.pages.Text(n.Language, pages.Text{Key: key})
}

// Bare is the URL as a person would write it: nobody dials "tel:".
func (l letter) Bare() string {
	return strings.TrimPrefix(strings.TrimPrefix(l.URL, "tel:"), "mailto:")
}

func (l letter) text() string {
	var b strings.Builder
	paragraphs := []string{l.Hello, l.What, "- " + strings.Join(l.Facts, "\n- "), l.Advice}
	if help := strings.TrimSpace(l.Support + "\n" + l.Bare()); help != "" {
		paragraphs = append(paragraphs, help)
	}
	for _, p := range append(paragraphs, l.Footer) {
		b.WriteString(p)
		b.WriteString("\n\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// fact returns s in one line of at most so many characters, without what could
// begin another line or turn the direction of the text.
func fact(s string, longest int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar:
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	runes := []rune(strings.Join(strings.Fields(clean), " "))
	if len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return string(runes)
}

var looksLikeLink = regexp.MustCompile(`://|@|[.\x{3002}\x{FF0E}]\p{L}`)

// label is the name that somebody gave to a credential. It may be a thief who
// enrols, and mail programs make links of what looks like one: such a name is
// not told, lest our message lead the owner to the thief's page.
func label(s string) string {
	if s = fact(s, maxTold); looksLikeLink.MatchString(s) {
		return ""
	}
	return s
}
