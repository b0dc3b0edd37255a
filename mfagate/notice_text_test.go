package mfagate

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/mfagate/caddy-mfagate/pages"
)

var updateMails = flag.Bool("update-mails", false, "write what is got into the golden files of the mails")

func composer(t *testing.T) *Gate {
	t.Helper()
	set, err := pages.New(pages.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &Gate{
		pages: set, issuer: "Example Works",
		support: pages.Support{Text: "Ask the help desk, 4711", URL: "https://help.example.com"},
	}
}

var noticeKinds = []string{
	EventEnrolled, EventRemoved, EventReplaced, EventDisabled, noticeSwitchedOff, EventCodesMade, EventCodesViewed, noticeRecoveryUsed, EventLocked, EventReset, EventSignedOutAll, EventAddressChanged,
	EventResetRequested, EventResetApproved, EventResetRefused, EventResetCancelled, noticeRequest,
}

func exampleNotice(kind, language string) outgoing {
	n := outgoing{
		Subject: Subject{"default", "alice"}, Kind: kind, Language: language, To: "alice@example.com",
		Time: time.Date(2026, 11, 21, 18, 30, 0, 0, time.UTC), App: "app.example.com", Remote: "203.0.113.5", Left: 1,
	}
	switch kind {
	case EventEnrolled:
		n.Factor, n.Label = "totp", "Diensthandy"
	case noticeRecoveryUsed:
		n.Factor = "recovery"
	case EventLocked:
		n.Factor = "totp"
	case EventResetRequested, noticeRequest:
		n.Due = n.Time.Add(72 * time.Hour)
		if kind == noticeRequest {
			n.Name, n.About = "dora", "alice"
		}
	case EventResetApproved:
		n.Due, n.Remote = n.Time.Add(24*time.Hour), ""
	case EventReset, noticeSwitchedOff, EventSignedOutAll: // an administrator's doing has no app and no address
		n.App, n.Remote = "", ""
	}
	return n
}

// TestMails compares the mails with the golden files: look at what changes.
func TestMails(t *testing.T) {
	g := composer(t)
	for _, language := range []string{"en", "de"} {
		for _, kind := range noticeKinds {
			t.Run(language+"/"+kind, func(t *testing.T) {
				m, err := g.compose(exampleNotice(kind, language))
				if err != nil {
					t.Fatal(err)
				}
				got := "Subject: " + m.Subject + "\n\n" + m.Text + "\n" + m.HTML
				file := filepath.Join("testdata", "mails", language, kind+".txt")
				if *updateMails {
					if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil || got != string(want) {
					t.Errorf("got:\n%s\nwant (%v):\n%s", got, err, want)
				}
				if strings.Contains(got, "notice_mail.") {
					t.Errorf("a message is missing:\n%s", got)
				}
			})
		}
	}
}

// TestMailInjection fills everything that somebody else has chosen with what
// would break out of its place.
func TestMailInjection(t *testing.T) {
	g := composer(t)
	for _, evil := range []string{
		"x\r\nBcc: all@example.com", "x\n\n<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</title><script>", "{0}{1}", "{{.}}",
		"a\u2028b\u2029c", "\u202egnp.exe", "x\x00y\x1b[2J", "\xff\xfe", strings.Repeat("long", 10000), "javascript:alert(1)",
	} {
		g.issuer = evil
		n := exampleNotice(EventEnrolled, "en")
		n.Name, n.App, n.Label, n.Remote, n.Factor, n.Language = evil, evil, evil, evil, evil, evil
		m, err := g.compose(n)
		if err != nil {
			t.Fatalf("%.40q: %v", evil, err)
		}
		if strings.ContainsAny(m.Subject+m.Language, "\r\n\x00") || len(m.Subject) > 1000 {
			t.Errorf("%.40q: subject = %.100q; want one short line", evil, m.Subject)
		}
		if m.Language != "en" {
			t.Errorf("%.40q: language = %.40q; want the default", evil, m.Language)
		}
		if strings.ContainsAny(m.Text+m.HTML, "\r\x00\x1b\u202e\u2028\u2029") || len(m.Text) > 10000 {
			t.Errorf("%.40q: text = %.200q; want no control characters, and no flood", evil, m.Text)
		}
		if lines := strings.Count(m.Text, "\n"); lines > 16 { // with all facts
			t.Errorf("%.40q: the text has %d lines; want at most 16:\n%s", evil, lines, m.Text)
		}
		wantElements(t, m.HTML)
	}
}

// wantElements fails the test unless the HTML is made of what the template has.
func wantElements(t *testing.T, text string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "html", "head", "meta", "title", "body", "p", "strong", "ul", "li", "br":
		case "a":
			if len(n.Attr) != 1 || n.Attr[0].Val != "https://help.example.com" {
				t.Errorf("link %v; want only the operator's", n.Attr)
			}
		default:
			t.Errorf("element %s in:\n%.2000s", n.Data, text)
		}
	}
}

// A name that mail programs would make a link of is not told.
func TestMailLabel(t *testing.T) {
	for label0, want := range map[string]string{
		"Work phone": "Work phone", "Pixel 9.1": "Pixel 9.1", "Größe 😀": "Größe 😀", "  a \t b ": "a b",
		"http://evil.example": "", "see evil.example": "", "mail me@evil": "", "evil。com": "", "evil\u200b.com": "", "evil.\u200bcom": "",
		strings.Repeat("a", 50): strings.Repeat("a", 40) + "…",
	} {
		if got := label(label0); got != want {
			t.Errorf("label(%q) = %q; want %q", label0, got, want)
		}
	}
}
