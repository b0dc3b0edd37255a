package oracle

import (
	"crypto/subtle"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// A User is an account. The e-mail is NAME@example.test, and the domain CORP.
type User struct {
	Name, Password string
	Key            string // for X-Api-Key
}

func defaultUsers() []User {
	var users []User
	for _, name := range []string{"alice", "bob", "vic", "eve", "newbie"} {
		users = append(users, User{name, "password of " + name, "key-of-" + name})
	}
	return users
}

// Users returns all accounts.
func (a *App) Users() []User { return a.options.Users }

// Password returns the password of a user, which is empty if there is none.
func (a *App) Password(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.passwords[name]
}

// SetPassword changes a password, as its owner or an administrator would inside
// the app. With an empty one nobody can sign in.
func (a *App) SetPassword(name, password string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.passwords[name] = password
}

// Key returns the API key of a user.
func (a *App) Key(name string) string {
	for _, u := range a.options.Users {
		if u.Name == name {
			return u.Key
		}
	}
	return ""
}

// Canonical returns whose account the app finds for a name as it was typed, and
// nothing if it finds none.
func (a *App) Canonical(typed string) string {
	name := a.fold(typed)
	for _, u := range a.options.Users {
		if u.Name == name {
			return u.Name
		}
	}
	return ""
}

// fold undoes the spellings that the app takes.
func (a *App) fold(name string) string {
	for _, f := range folds {
		if a.options.Names&f.kind != 0 {
			name = f.undo(name)
		}
	}
	return name
}

var folds = []struct {
	kind Name
	undo func(string) string
}{
	{NameNUL, func(s string) string { s, _, _ = strings.Cut(s, "\x00"); return s }},
	{NameSpace, strings.TrimSpace},
	{NameWidth, width.Fold.String},
	{NameAccents, withoutAccents},
	{NameCase, strings.ToLower},
	{NameEMail, func(s string) string { return strings.TrimSuffix(s, "@example.test") }},
	{NameDomain, withoutDomain},
}

func withoutAccents(s string) string {
	out, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), s)
	if err != nil {
		return s
	}
	return out
}

func withoutDomain(s string) string {
	if len(s) > 5 && strings.EqualFold(s[:5], `corp\`) {
		return s[5:]
	}
	return s
}

// check returns the account that a name and a password belong to, and nothing
// if they belong to none.
func (a *App) check(typed, password string) string {
	if a.options.NoNames {
		typed = a.options.Users[0].Name
	}
	name := a.Canonical(typed)
	want := a.Password(name)
	if name == "" || want == "" || subtle.ConstantTimeCompare([]byte(password), []byte(want)) != 1 {
		return ""
	}
	return name
}
