package httpsender

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// The names that stand for the message.
var messageNames = map[string]bool{
	"to": true, "to_digits": true, "text": true, "subject": true, "language": true, "sms_coding": true,
}

func values(to string, m mfagate.Message) map[string]string {
	v := map[string]string{
		"to": to, "to_digits": strings.TrimPrefix(to, "+"), "text": strings.TrimRight(m.Text, "\n"),
		"subject": m.Subject, "language": m.Language, "sms_coding": "0",
	}
	if strings.ContainsFunc(v["text"], func(r rune) bool { return !strings.ContainsRune(gsm, r) }) {
		v["sms_coding"] = "2"
	}
	return v
}

// gsm is the alphabet of text messages with its extension (3GPP TS 23.038 sections
// 6.2.1 and 6.2.1.1). One letter outside of it makes the message go as UCS-2.
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"

// A template is text with names of the message in it.
type template []piece

// A piece is text, or a name.
type piece struct{ text, name string }

var inBraces = regexp.MustCompile(`\{[^{}]*\}`)

// parse reads a template, in which resolve replaces what is not of the message. What
// that returns is text, whatever braces it has.
func parse(s string, resolve func(string) (string, error)) (template, error) {
	var t template
	end := 0
	for _, at := range inBraces.FindAllStringIndex(s, -1) {
		t = append(t, piece{text: s[end:at[0]]})
		end = at[1]
		name := s[at[0]+1 : at[1]-1]
		if messageNames[name] {
			t = append(t, piece{name: name})
			continue
		}
		text, err := resolve(name)
		if err != nil {
			return nil, fmt.Errorf("{%s}: %w", name, err)
		}
		t = append(t, piece{text: text})
	}
	return append(t, piece{text: s[end:]}), nil
}

var errMessage = errors.New("the message can stand in query, form and json only")

// fixed returns the text of a template that has nothing of the message.
func fixed(s string, resolve func(string) (string, error)) (string, error) {
	t, err := parse(s, resolve)
	if err != nil {
		return "", err
	}
	for _, p := range t {
		if p.name != "" {
			return "", fmt.Errorf("{%s}: %w", p.name, errMessage)
		}
	}
	return t.fill(nil), nil
}

func (t template) fill(v map[string]string) string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.text)
		b.WriteString(v[p.name]) // "" is no name of the message
	}
	return b.String()
}
