package learn

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
)

// A Name is a place where the app seems to say who has signed in: the name that somebody typed
// was found there after the sign-in.
type Name struct {
	Place
	JSON     string `json:"json,omitempty"`     // pointer to it
	Selector string `json:"selector,omitempty"` // of the element with it
	Regexp   string `json:"regexp,omitempty"`   // takes it out of the element's text

	Count     int `json:"count"`     // pages where it was
	People    int `json:"people"`    // with how many different names, three at most
	Strangers int `json:"strangers"` // pages where it was though the sign-in had failed
	Others    int `json:"others"`    // pages where it was not

	seen [][8]byte // the beginnings of the digests
}

// Likely tells whether the place held different names, none of somebody who had not signed in, and
// seldom something else: several people behind one address are taken for one now and then.
func (n *Name) Likely() bool { return n.People > 1 && n.Strangers == 0 && n.Others*4 <= n.Count }

// A digest tells whether a text is a certain name, and not which that is: it is keyed with what is
// nowhere but in the memory of this Learner. The zero digest is no name.
type digest struct {
	sum    [sha256.Size]byte
	length int // in bytes
}

// shortest is the length in bytes of the shortest name that is looked for: shorter ones are
// everywhere.
const shortest = 3

func folded(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

func (l *Learner) digest(name string) (d digest) {
	if name = folded(name); len(name) >= shortest && len(name) <= maxName {
		d = digest{l.sum(name), len(name)}
	}
	return d
}

func (l *Learner) sum(text string) (out [sha256.Size]byte) {
	mac := hmac.New(sha256.New, l.salt[:])
	mac.Write([]byte(text))
	mac.Sum(out[:0])
	return out
}

// is tells whether text is the name.
func (l *Learner) is(d digest, text string) bool {
	text = folded(text)
	return d.length > 0 && len(text) == d.length && l.sum(text) == d.sum
}

// within tells whether the name is a part of text, which is short.
func (l *Learner) within(d digest, text string) bool {
	text = strings.ToLower(text)
	for i := 0; i+d.length <= len(text); i++ {
		if l.sum(text[i:i+d.length]) == d.sum {
			return true
		}
	}
	return false
}

// A typist is a client that typed a name a short while ago.
type typist struct {
	at     time.Time
	name   digest
	went   bool // signed in
	failed bool
}

// types notes who has tried to sign in.
func (v *visit) types(client [32]byte, name string) {
	d := v.digest(name)
	if d.length == 0 {
		delete(v.typists, client)
		return
	}
	if len(v.typists) >= maxTries {
		for c, t := range v.typists { // whichever comes first, but for those that are over
			if delete(v.typists, c); time.Since(t.at) <= tryLife {
				break
			}
		}
	}
	v.typists[client] = &typist{at: time.Now(), name: d}
}

// whose is the name that the request's client has typed, if it may be on the page that was
// answered. It is called with the lock held.
func (v *visit) whose(asks bool) (typist, bool) {
	if v.r.Method != http.MethodGet || v.w.status != http.StatusOK || !v.w.keeps {
		return typist{}, false
	}
	if user, _, ok := v.r.BasicAuth(); ok {
		return typist{at: time.Now(), name: v.digest(user), went: true}, true
	}
	t := v.typists[v.client()]
	if t == nil || time.Since(t.at) > tryLife {
		return typist{}, false
	}
	return *t, !asks || t.failed
}

// A spot is where a name is in an answer.
type spot struct{ json, selector, regexp string }

// names looks for the name in the answer.
func (v *visit) names(t typist) {
	if t.name.length == 0 || strings.Contains(v.at.URI(), "*") || v.within(t.name, v.at.URI()) {
		return
	}
	var spots []spot
	switch body := v.w.plain(); kind(v.w.Header()) {
	case "json":
		var value any
		if json.Unmarshal(body, &value) == nil {
			spots = v.inJSON(t.name, "", value, 0)
		}
	case "html":
		if page, err := html.Parse(bytes.NewReader(body)); err == nil {
			spots = v.inPage(t.name, page)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.note(t, spots)
}

// maxSpots is how many of one answer are kept, of maxHits that are looked at: a list may name one person
// on every line.
const maxSpots, maxHits = 4, 16

// note keeps where the name was, and where it was not this time.
func (v *visit) note(t typist, spots []spot) {
	uri := v.at.URI()
	known := kind(v.w.Header()) == "json" || t.went // a script's call may follow at once
	for _, s := range spots[:min(len(spots), maxSpots)] {
		key := strings.Join([]string{uri, s.json, s.selector, s.regexp}, " ")
		if t.failed || !known {
			if row := v.found.all[key]; t.failed && row != nil {
				row.value.Strangers++
			} else if t.failed {
				v.found.see(key, func() *Name {
					return &Name{Place: v.at, JSON: s.json, Selector: s.selector, Regexp: s.regexp, Strangers: 1}
				})
			}
			continue
		}
		row, _ := v.found.see(key, func() *Name { return &Name{Place: v.at, JSON: s.json, Selector: s.selector, Regexp: s.regexp} })
		row.value.add(t.name)
	}
	for _, row := range v.found.all {
		n := row.value
		if t.went && n.URI() == uri && !slices.Contains(spots, spot{n.JSON, n.Selector, n.Regexp}) {
			n.Others++
		}
	}
}

// maxPeople is up to how many different names are told apart.
const maxPeople = 3

func (n *Name) add(d digest) {
	n.Count++
	if short := [8]byte(d.sum[:8]); len(n.seen) < maxPeople && !slices.Contains(n.seen, short) {
		n.seen = append(n.seen, short)
		n.People = len(n.seen)
	}
}

// inJSON finds the texts that are the name.
func (l *Learner) inJSON(d digest, at string, value any, depth int) (found []spot) {
	if depth > 4 || len(at) > 2*maxName {
		return nil
	}
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			if name(key) != "" && !l.within(d, key) {
				found = append(found, l.inJSON(d, at+"/"+key, item, depth+1)...)
			}
		}
	case []any:
		for i, item := range value[:min(len(value), 8)] {
			found = append(found, l.inJSON(d, at+"/"+strconv.Itoa(i), item, depth+1)...)
		}
	case string:
		if l.is(d, value) && at != "" {
			found = append(found, spot{json: at})
		}
	}
	return found
}

// maxText is the length in bytes of the longest text of an element that is looked at.
const maxText = 96

// inPage finds the elements whose text is the name, or begins or ends with it.
func (l *Learner) inPage(d digest, page *html.Node) (found []spot) {
	hits := 0
	for n := range page.Descendants() {
		if hits >= maxHits || len(found) >= maxSpots {
			break
		}
		if n.Type != html.ElementNode || slices.Contains([]string{"title", "script", "style", "option", "textarea"}, n.Data) {
			continue
		}
		text, plain := textOf(n)
		take := l.part(d, text)
		if !plain || take == nil {
			continue
		}
		hits++
		if selector := l.selector(d, page, n); selector != "" {
			found = append(found, spot{selector: selector, regexp: *take})
		}
	}
	return found
}

// textOf returns the text of an element; plain says that it is short, and in no element inside it.
func textOf(n *html.Node) (text string, plain bool) {
	var all strings.Builder
	for c := range n.ChildNodes() {
		if c.Type == html.TextNode {
			all.WriteString(c.Data)
		} else if c.Type == html.ElementNode && c.FirstChild != nil {
			return "", false
		}
	}
	text = strings.TrimSpace(all.String())
	return text, len(text) <= maxText
}

// part returns the regular expression that takes the name out of text: empty if it is all of it,
// nil if it is not there.
func (l *Learner) part(d digest, text string) *string {
	fields := strings.Fields(text)
	if len(fields) == 0 || d.length == 0 {
		return nil
	}
	take := ""
	switch {
	case l.is(d, text):
	case l.is(d, fields[len(fields)-1]):
		take = `(\S+)\s*$`
	case l.is(d, fields[0]):
		take = `^\s*(\S+)`
	default:
		return nil
	}
	return &take
}

// plainWord is an id or class that needs no quoting.
var plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,39}$`)

// selector returns one that finds this element and no other, empty if there is none that
// is short and says nothing of the person.
func (l *Learner) selector(d digest, page, n *html.Node) string {
	text := ""
	for range 4 {
		if n == nil || n.Type != html.ElementNode {
			return ""
		}
		step, sure := l.step(d, n)
		if text = strings.TrimSpace(step + " " + text); sure || n.Data == "body" {
			break
		}
		if found := matches(page, text); found == 1 {
			return text
		}
		n = n.Parent
	}
	if matches(page, text) == 1 {
		return text
	}
	return ""
}

// step is a part of a selector; sure says that it is an id.
func (l *Learner) step(d digest, n *html.Node) (text string, sure bool) {
	usable := func(word string) bool {
		return plainWord.MatchString(word) && !manyDigits.MatchString(word) && !l.within(d, word)
	}
	text = n.Data
	for _, a := range n.Attr {
		if a.Key == "id" && usable(a.Val) {
			return "#" + a.Val, true
		}
	}
	for _, a := range n.Attr {
		for word := range strings.FieldsSeq(a.Val) {
			if a.Key == "class" && usable(word) {
				text += "." + word
			}
		}
	}
	return text, false
}

func matches(page *html.Node, selector string) int {
	s, err := cascadia.Parse(selector)
	if err != nil {
		return 0
	}
	return len(cascadia.QueryAll(page, s))
}
