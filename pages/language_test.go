package pages

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// expected are the messages that other packages name; the compiler cannot see
// that they exist.
var expected = strings.Fields(`
error.code_wrong error.code_wrong_enrol error.code_shape error.recovery_wrong error.saved_required
error.codes_replaced error.locked error.ticket_needed error.ticket_wrong error.ticket_other error.network
error.try_again notice.enrolled notice.passed_recovery notice.codes_low notice.codes_made notice.signed_out
notice.signed_out_all label.continue label.back label.security label.sign_in_again
factor.totp.name factor.totp.what factor.recovery.name factor.recovery.what`)

var expectedPages = strings.Fields(`no_identity name_refused cross_site bad_request form_expired not_found
method_not_allowed too_large unavailable internal insecure signed_out enrolled_already user_enrolled forbidden cookies_duplicate
ask_support`)

func TestExpectedMessages(t *testing.T) {
	s := newSet(t, Options{})
	keys := expected
	for _, page := range expectedPages {
		keys = append(keys, "message."+page+".title", "message."+page+".text")
	}
	for _, c := range s.languages {
		for _, key := range keys {
			if text := c.text(Text{Key: key}); text == key || text == "" {
				t.Errorf("%s: %s: got %q; want a message", c.tag, key, text)
			}
		}
	}
	if s.Has("error.nothing_of_the_kind") {
		t.Error("Has of an unknown key: got true; want false")
	}
}

// TestLanguageFaults breaks a language file in every way that New must refuse.
func TestLanguageFaults(t *testing.T) {
	tests := map[string]struct{ file, content, want string }{
		"no JSON":            {"lang/de/gate.json", `{"a":`, "lang/de/gate.json"},
		"two values":         {"lang/de/gate.json", `{} {}`, "more than one"},
		"unknown key":        {"lang/de/gate.json", `{"frame.typo":"x"}`, `"frame.typo" is unknown`},
		"argument missing":   {"lang/de/gate.json", `{"choose.why":"ohne"}`, `"choose.why" shows the arguments []`},
		"argument too many":  {"lang/de/gate.json", `{"choose.once":"{0}"}`, `"choose.once" shows the arguments [{0}]`},
		"plural without end": {"lang/de/time.json", `{"time.hours":{"one":"{0}"}}`, `"other" is missing`},
		"plural misspelt":    {"lang/de/time.json", `{"time.hours":{"other":"{0}","ones":"{0}"}}`, `"ones"`},
		"number":             {"lang/de/time.json", `{"time.hours":3}`, "lang/de/time.json"},
		"key in two files":   {"lang/de/more.json", `{"time.hours":"{0}"}`, `"time.hours" stands in another file`},
		"incomplete":         {"lang/fr/gate.json", `{"frame.error":"Erreur"}`, "language fr: the message"},
		"folder no language": {"lang/no language/gate.json", `{}`, "language tag"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Overlay: fstest.MapFS{tt.file: {Data: []byte(tt.content)}}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v; want one with %q", err, tt.want)
			}
		})
	}
}

func TestOverlayMessage(t *testing.T) {
	s := newSet(t, Options{Overlay: fstest.MapFS{
		"lang/en/gate.json": {Data: []byte(`{"challenge.title":"Show your badge"}`)},
	}})
	if got, want := s.Text("en", Text{Key: "challenge.title"}), "Show your badge"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	if got, want := s.Text("en", Text{Key: "challenge.submit"}), "Confirm"; got != want {
		t.Errorf("beside it: got %q; want %q", got, want)
	}
}

func TestMatch(t *testing.T) {
	s := newSet(t, Options{})
	german := newSet(t, Options{Languages: []string{"de", "en"}})
	tests := []struct{ header, want, wantGerman string }{
		{"", "en", "de"},
		{"de", "de", "de"},
		{"de-AT, en;q=0.5", "de", "de"},
		{"en-GB,en;q=0.9,de;q=0.8", "en", "en"},
		{"fr-FR, de;q=0.3", "de", "de"},
		{"ja", "en", "de"},
		{"*", "en", "de"},
		{"DE_ch", "de", "de"},
		{";;;=,,q", "en", "de"},
		{"de;q=x", "en", "de"},
		{strings.Repeat("de,", 1000), "en", "de"},
		{"\x00\xff", "en", "de"},
	}
	for _, tt := range tests {
		if got := s.Match(tt.header); got != tt.want {
			t.Errorf("Match(%.40q): got %q; want %q", tt.header, got, tt.want)
		}
		if got := german.Match(tt.header); got != tt.wantGerman {
			t.Errorf("German first: Match(%.40q): got %q; want %q", tt.header, got, tt.wantGerman)
		}
	}
}

func TestLanguagesOffered(t *testing.T) {
	s := newSet(t, Options{Languages: []string{"de"}})
	if got, want := s.Match("en"), "de"; got != want {
		t.Errorf("Match(en): got %q; want %q", got, want)
	}
	if got, want := s.Text("en", Text{Key: "label.back"}), "Zurück"; got != want {
		t.Errorf("a language that is not offered: got %q; want %q", got, want)
	}
	for _, bad := range []string{"xx", "fr", "not a language"} {
		_, err := New(Options{Languages: []string{bad}})
		if err == nil || !strings.Contains(err.Error(), "there are: de, en") {
			t.Errorf("New with %q: got error %v; want one that lists de, en", bad, err)
		}
	}
}

func TestText(t *testing.T) {
	s := newSet(t, Options{})
	tests := []struct {
		language string
		text     Text
		want     string
	}{
		{"en", Text{}, ""},
		{"en", Text{Key: "no.such"}, "no.such"},
		{"en", Text{"challenge.wait", []any{30 * time.Second}}, "Please wait 30 seconds before the next try."},
		{"de", Text{"challenge.wait", []any{time.Hour}}, "Bitte warten Sie 1 Stunde bis zum nächsten Versuch."},
		{"en", Text{"notice.codes_low", []any{1}}, "You are signed in. You have only 1 recovery code left. If your device is lost, set up a new one now: that takes one more code."},
		{"en", Text{"notice.codes_low", []any{int64(3)}}, "You are signed in. You have only 3 recovery codes left. If your device is lost, set up a new one now: that takes one more code."},
		{"de", Text{"recovery.left", []any{1, 10}}, "Noch 1 Code von 10"},
		{"de", Text{"recovery.left", []any{0, 10}}, "Noch 0 Codes von 10"},
		{"de", Text{"recovery.made", []any{made}}, "erstellt am 21. November 2026, 18:05 Uhr (UTC)"},
		{"en", Text{"recovery.made", []any{made}}, "made on 21 November 2026, 18:05 UTC"},
		{"en", Text{"recovery.sheet_title", []any{"{1}{0}"}}, "Recovery codes for {1}{0}"},
		{"en", Text{"recovery.sheet_title", []any{"\u202eevil"}}, "Recovery codes for \u2068\u202eevil\u2069"},
	}
	for _, tt := range tests {
		if got := s.Text(tt.language, tt.text); got != tt.want {
			t.Errorf("%s %v: got %q; want %q", tt.language, tt.text, got, tt.want)
		}
	}
}

func TestDuration(t *testing.T) {
	c := newSet(t, Options{}).in("en")
	tests := map[time.Duration]string{
		-time.Second: "0 seconds", 0: "0 seconds", 1: "1 second", time.Second: "1 second", 1500 * time.Millisecond: "2 seconds",
		59 * time.Second: "59 seconds", 59*time.Second + 1: "1 minute", time.Minute: "1 minute", 61 * time.Second: "2 minutes",
		59 * time.Minute: "59 minutes", 59*time.Minute + 1: "1 hour", time.Hour: "1 hour", 61 * time.Minute: "61 minutes",
		119 * time.Minute: "119 minutes", 2 * time.Hour: "2 hours", 25*time.Hour + 1: "26 hours",
	}
	for d, want := range tests {
		if got := c.duration(d); got != want {
			t.Errorf("%v: got %q; want %q", d, got, want)
		}
	}
}

func TestMonths(t *testing.T) {
	s := newSet(t, Options{})
	for _, c := range s.languages {
		seen := map[string]bool{}
		for m := time.January; m <= time.December; m++ {
			seen[c.day(time.Date(2026, m, 3, 0, 0, 0, 0, time.UTC))] = true
		}
		if len(seen) != 12 || seen[fmt.Sprint("time.month.", 1)] {
			t.Errorf("%s: got days %v; want twelve different ones", c.tag, seen)
		}
	}
}
