package pages

import (
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A view is what a template sees: the Frame, the Page, and these methods.
type view struct {
	Frame
	Page Page

	set  *Set
	lang *catalogue
}

func (s *Set) view(f Frame, p Page) *view {
	return &view{Frame: f, Page: p, set: s, lang: s.in(f.Language)}
}

// T returns a message.
func (v *view) T(key string, args ...any) string { return v.lang.text(Text{Key: key, Args: args}) }

// Say returns a message that the core chose.
func (v *view) Say(t Text) string { return v.lang.text(t) }

// News returns the good news to show on top of the page, unless its heading
// says the same.
func (v *view) News() string {
	news := v.Say(v.Notice)
	if m, ok := v.Page.(Message); ok && strings.TrimSuffix(news, ".") == v.Say(m.Title) {
		return ""
	}
	return news
}

// Of returns a factor's message, such as its name. A factor that has none of
// that kind gets the general one.
func (v *view) Of(factor, kind string, args ...any) string {
	key := "factor." + factor + "." + kind
	if !v.set.Has(key) {
		key = "factor.any." + kind
	}
	if kind == "name" && !v.set.Has(key) {
		return factor
	}
	return v.T(key, args...)
}

// Risk says why a factor is weaker than others; empty if it is not.
func (v *view) Risk(factor string) string {
	key := "factor." + factor + ".risk"
	if !v.set.Has(key) {
		return ""
	}
	return v.T(key)
}

// Resend is how long another code must wait.
func (v *view) Resend() time.Duration {
	switch p := v.Page.(type) {
	case Enrol:
		return p.Resend
	case Challenge:
		return p.Resend
	}
	return 0
}

// ResendSeconds is the same in seconds, rounded up.
func (v *view) ResendSeconds() int { return int((v.Resend() + time.Second - 1) / time.Second) }

// Tag returns the language of the page.
func (v *view) Tag() string { return v.lang.tag.String() }

// Dir returns the direction in which that language is written.
func (v *view) Dir() string {
	script, _ := v.lang.tag.Script()
	rtl := []string{"Adlm", "Arab", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa"}
	if slices.Contains(rtl, script.String()) {
		return "rtl"
	}
	return "ltr"
}

// Static returns the path of a file of the folder static.
func (v *view) Static(name string) string { return v.set.paths[name] }

// Link returns a path of the gate that keeps where the person wanted to go.
// The pairs are names and values of its query.
func (v *view) Link(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	if v.Return != "" {
		q.Set("return", v.Return)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Date, Day and ISO show a time in UTC.
func (v *view) Date(t time.Time) string { return v.lang.date(t) }
func (v *view) Day(t time.Time) string  { return v.lang.day(t) }
func (v *view) ISO(t time.Time) string  { return t.UTC().Format("2006-01-02T15:04Z") }

// Made is when the codes on the page were made.
func (v *view) Made() time.Time {
	if p, ok := v.Page.(RecoveryCodes); ok && !p.Made.IsZero() {
		return p.Made
	}
	return v.set.now()
}

// Step and Steps tell where in the wizard the page stands.
func (v *view) Step() int {
	switch p := v.Page.(type) {
	case Choose:
		return 1
	case Enrol:
		if p.Last && !p.Further {
			return 3
		}
		return 2
	case RecoveryCodes:
		if p.Before {
			return 2
		}
	}
	return 3
}

func (v *view) Steps() int {
	if p, ok := v.Page.(Enrol); ok && p.Further {
		return 2
	}
	return 3
}

// CanSignOut reports whether the page offers to sign out. A challenge always
// does: whoever cannot answer it must be able to leave.
func (v *view) CanSignOut() bool {
	switch v.Page.(type) {
	case Challenge:
		return true
	case Security:
		return false // it has its own buttons
	}
	return v.SignOut
}

// WaitSeconds is how long the person must wait, rounded up.
func (v *view) WaitSeconds() int {
	c, _ := v.Page.(Challenge)
	return int((c.Wait + time.Second - 1) / time.Second)
}

// Method returns the link to another method of the challenge page.
func (v *view) Method(name string) string {
	c, _ := v.Page.(Challenge)
	pairs := []string{"method", name}
	if c.Purpose == "settings" {
		pairs = append(pairs, "purpose", "settings")
	}
	if c.Without != "" {
		pairs = append(pairs, "without", c.Without)
	}
	return v.Link("/.mfa/challenge", pairs...)
}

// An item is one of several things of a page, with the page around it.
type item struct {
	*view
	Item any
}

// With returns the view with one thing of the page, for a template that needs both.
func (v *view) With(thing any) item { return item{v, thing} }

// Lines joins codes for a text field.
func (v *view) Lines(lines []string) string { return strings.Join(lines, "\n") }

// SupportURL returns the operator's link to the help desk. html/template knows
// only http, https and mailto; the others are checked here.
func (v *view) SupportURL() template.URL {
	u, err := url.Parse(v.Support.URL)
	if err != nil || !slices.Contains([]string{"https", "http", "mailto", "tel"}, strings.ToLower(u.Scheme)) {
		return ""
	}
	return template.URL(u.String()) //nolint:gosec // its scheme was checked
}

// Form is the method whose form with a code stands on the challenge page. While
// a recovery code is asked for, the first other method that needs nothing but
// a code keeps its place above, as the person may have found the phone.
func (v *view) Form() string {
	c, ok := v.Page.(Challenge)
	if !ok || c.Method != "recovery" {
		return c.Method
	}
	for _, m := range c.Methods {
		if m != "recovery" && v.set.templates["challenge/"+m] == nil {
			return m
		}
	}
	return ""
}

// Others are the methods that the challenge page links to.
func (v *view) Others() []string {
	c, _ := v.Page.(Challenge)
	return slices.DeleteFunc(slices.Clone(c.Methods), func(m string) bool {
		return m == "recovery" || m == v.Form()
	})
}

// Recoverable reports whether the challenge page has a form for a recovery code.
func (v *view) Recoverable() bool {
	c, _ := v.Page.(Challenge)
	return c.Method == "recovery" || slices.Contains(c.Methods, "recovery")
}

// Away is what the part "missed" is given.
func (v *view) Away(m Missed) struct {
	View   *view
	Missed Missed
} {
	return struct {
		View   *view
		Missed Missed
	}{v, m}
}

// Told tells in a few words what a notice is of.
func (v *view) Told(a Activity) string {
	if key := "notice_mail." + a.Kind + ".subject"; v.set.Has(key) {
		return v.T(key)
	}
	return v.T("event.other")
}

// Happened tells an activity in a sentence: what, with which credential, and from
// which address.
func (v *view) Happened(a Activity) string {
	with := a.Label
	if with == "" && a.Factor != "" {
		with = v.Of(a.Factor, "name")
	}
	key := "event." + a.Kind
	if !v.set.Has(key) {
		key = "event.other"
	}
	said := v.T(key, with)
	if a.Remote == "" {
		return said
	}
	return v.T("event.from", said, a.Remote)
}
