package pages

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
)

// Text returns a message in a language, or in the default language if that one
// is not offered. Arguments may be a [time.Duration] (told in words, rounded
// up), a [time.Time] (told in UTC), an integer or anything that fmt can print.
// The first integer chooses the plural form. A key that does not exist gives
// the key itself; the zero Text gives "".
func (s *Set) Text(language string, t Text) string {
	return s.in(language).text(t)
}

// Has reports whether there is a message of that key.
func (s *Set) Has(key string) bool {
	_, ok := s.languages[0].phrases[key]
	return ok
}

func (c *catalogue) text(t Text) string {
	p, ok := c.phrases[t.Key]
	if !ok {
		return t.Key
	}
	text := p[plural.Other]
	if n, ok := firstInt(t.Args); ok {
		if form, ok := p[plural.Cardinal.MatchPlural(c.tag, n, 0, 0, 0, 0)]; ok {
			text = form
		}
	}
	if len(t.Args) == 0 {
		return text
	}
	pairs := make([]string, 0, 2*len(t.Args))
	for i, arg := range t.Args {
		pairs = append(pairs, "{"+strconv.Itoa(i)+"}", c.word(arg))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func firstInt(args []any) (int, bool) {
	for _, arg := range args {
		switch n := arg.(type) {
		case int:
			return n, true
		case int64:
			return int(n), true
		}
	}
	return 0, false
}

func (c *catalogue) word(arg any) string {
	switch a := arg.(type) {
	case time.Duration:
		return c.duration(a)
	case time.Time:
		return c.date(a)
	}
	return isolate(fmt.Sprint(arg))
}

// isolate keeps a value that runs from right to left, or pretends to, from
// turning the sentence around it (Unicode Annex 9, first strong isolate).
func isolate(s string) string {
	for _, r := range s {
		if r > 0x7f {
			return "\u2068" + s + "\u2069"
		}
	}
	return s
}

// duration rounds up, for a person who comes back too early is turned away.
func (c *catalogue) duration(d time.Duration) string {
	up := func(unit time.Duration) int { return int((max(d, 0) + unit - 1) / unit) }
	minutes := up(time.Minute)
	switch {
	case d < time.Minute && up(time.Second) < 60:
		return c.text(Text{"time.seconds", []any{up(time.Second)}})
	case minutes < 120 && minutes != 60:
		return c.text(Text{"time.minutes", []any{minutes}})
	}
	return c.text(Text{"time.hours", []any{up(time.Hour)}})
}

func (c *catalogue) day(t time.Time) string {
	t = t.UTC()
	month := c.text(Text{Key: "time.month." + strconv.Itoa(int(t.Month()))})
	// Numbers as strings, lest the day choose a plural form.
	return c.arrange("time.day", strconv.Itoa(t.Day()), month, strconv.Itoa(t.Year()))
}

func (c *catalogue) date(t time.Time) string {
	return c.arrange("time.date", c.day(t), t.UTC().Format("15:04"))
}

// arrange fills in words of the language's own, which need no isolation.
func (c *catalogue) arrange(key string, words ...string) string {
	text := c.phrases[key][plural.Other]
	for i, w := range words {
		text = strings.ReplaceAll(text, "{"+strconv.Itoa(i)+"}", w)
	}
	return text
}
