package learn

import (
	"regexp"
	"slices"
	"strings"
)

// Some apps answer right and wrong passwords alike but for the text. Of texts only words of the
// lists below are ever kept: anything else could be somebody's.

// phraseWords make up the short texts by which apps answer scripts.
var phraseWords = []string{
	"ok", "okay", "yes", "no", "true", "false", "success", "successful", "successfully", "fail", "fails", "failed", "failure", "error",
	"invalid", "wrong", "denied", "unauthorized", "forbidden", "incorrect", "bad", "login", "logged", "in", "signed", "sign", "user", "username",
	"name", "password", "or", "and", "the", "is", "was", "not", "welcome", "done", "access", "credentials", "authentication", "please", "try", "again",
}

// telling are words of pages by which people see that something went wrong, or that they are signed in.
var telling = regexp.MustCompile(`(?i)\b(invalid|incorrect|wrong|failed|denied|not recognized|does not match|do not match|falsch\w{0,3}|ungültig\w{0,2}|fehlgeschlagen|inkorrekt|erreur|incorrecto|log ?out|sign ?out|abmelden|déconnexion)\b`)

// maxPhrase is the length in bytes of the longest text that is kept whole.
const maxPhrase = 48

// phrase returns a short text of an app, or nothing if it could be anything but an answer.
func phrase(body []byte) string {
	text := strings.TrimSpace(string(body))
	if len(text) > maxPhrase {
		return ""
	}
	words := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return strings.ContainsRune(" .,!:;", c) })
	if len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(phraseWords, w) }) {
		return ""
	}
	return text
}

// maxWords is how many telling words of a page are kept.
const maxWords = 6

// words returns the telling words of a page, as they are spelt there.
func words(body []byte) []string {
	var all []string
	for _, found := range telling.FindAll(body, 64) {
		all = append(all, string(found))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxWords)]
}
