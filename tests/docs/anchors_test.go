package docs_test

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
)

// anchorsOf are the anchors that the headings of a document have on the pages that
// are made of it.
func anchorsOf(text string) map[string]bool {
	anchors := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		anchor := anchorOf(m[1])
		name := anchor
		for n := 1; anchors[name]; n++ {
			name = fmt.Sprintf("%s-%d", anchor, n)
		}
		anchors[name] = true
	}
	return anchors
}

// anchorOf is a heading in lower case, with hyphens for spaces and without all else.
func anchorOf(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}

func TestAnchorOf(t *testing.T) {
	for heading, want := range map[string]string{
		"The first hour":                               "the-first-hour",
		"Locked out: unlock":                           "locked-out-unlock",
		"The app's own login form":                     "the-apps-own-login-form",
		"Codes with the password: `mfa_password_code`": "codes-with-the-password-mfa_password_code",
		"Client certificates (mTLS)":                   "client-certificates-mtls",
		"[Unreleased]":                                 "unreleased",
	} {
		if got := anchorOf(heading); got != want {
			t.Errorf("%q: got %q; want %q", heading, got, want)
		}
	}
}

// TestAnchors follows the links to sections of the documents.
func TestAnchors(t *testing.T) {
	texts := documents(t)
	n := 0
	for name, text := range texts {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.Scheme != "" || u.Fragment == "" {
				continue
			}
			n++
			target := name
			if u.Path != "" {
				target = path.Join(path.Dir(name), u.Path)
			}
			if document, ok := texts[target]; !ok || !anchorsOf(document)[u.Fragment] {
				t.Errorf("%s: link %q leads to no section", name, m[1])
			}
		}
	}
	if n == 0 {
		t.Error("the documents have no links to sections")
	}
}
