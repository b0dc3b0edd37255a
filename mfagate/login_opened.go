package mfagate

import (
	"hash/maphash"
	"net/http"
	"weak"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// An openedCookies is what a request's cookies within a session are to the app. It is not
// changed after it was made, so requests may share it.
type openedCookies struct {
	loginform.Cookies                   // all, those too that only another path gets
	sent              loginform.Cookies // that the app gets
	shown             loginform.Cookies // with which it is asked who that is
	header            string            // sent, as it stands in the header Cookie
	sum               uint64            // of what in shown may tell the app who is asking
	path              string            // of the request where that matters; else empty

	// Of what it was made, where it may be used again.
	form  *loginform.Form
	boxes *madeBoxes
	line  string
}

// openCookies opens the cookies of a request that may pass. A page with thirty pictures
// sends the same thirty times, so what was opened last stays with the session until the
// collector of garbage comes: nothing need be kept within limits, and nothing stays in clear
// in the memory of somebody who has gone. It holds for the very same header, keys, binding and
// form.
func (v *visit) openCookies(boxes *madeBoxes, jar *loginform.Jar) (*openedCookies, error) {
	line := ""
	if lines := v.r.Header["Cookie"]; len(lines) == 1 {
		line = lines[0]
	}
	c := &v.live.checked
	last := c.lastOpened()
	if last != nil && (line == "" || last.line != line || last.boxes != boxes || last.form != v.login.Form) {
		last = nil
	}
	if last != nil && (last.path == "" || last.path == v.sentPath()) {
		return last, nil
	}
	var cookies loginform.Cookies
	var err error
	if last != nil {
		cookies = last.Cookies
	} else if cookies, err = readCookies(jar, v.r.Header); err != nil {
		return nil, err
	}
	o := v.openedOf(cookies)
	if line != "" {
		o.form, o.boxes, o.line = v.login.Form, boxes, line
		c.keepOpened(o)
	}
	return o, nil
}

// openedOf is what a request has that has these cookies.
func (v *visit) openedOf(cookies loginform.Cookies) *openedCookies {
	if !cookies.OfPaths() {
		return &openedCookies{Cookies: cookies, sent: cookies, shown: cookies, header: cookies.Header(""), sum: v.sumOf(cookies)}
	}
	path := v.sentPath()
	sent, shown := cookies.For(path), v.shownOf(cookies)
	return &openedCookies{Cookies: cookies, sent: sent, shown: shown, header: sent.Header(""), sum: v.sumOf(shown), path: path}
}

// shownOf are the cookies with which the app is asked who sends a request.
func (v *visit) shownOf(cookies loginform.Cookies) loginform.Cookies {
	return cookies.Beside(v.sentPath(), v.login.Form.AsksWhoAt())
}

func (c *checked) lastOpened() *openedCookies {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened.Value()
}

func (c *checked) keepOpened(o *openedCookies) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened = weak.Make(o)
}

// conceal makes these the only cookies of a request.
func (o *openedCookies) conceal(r *http.Request) {
	if o == nil {
		delete(r.Header, "Cookie")
		return
	}
	setCookieLine(r, o.header)
}

var setSeed = maphash.MakeSeed()

// sumOf sums up what of cookies may tell the app who is asking, in any order.
func (v *visit) sumOf(cookies loginform.Cookies) (sum uint64) {
	var h maphash.Hash
	h.SetSeed(setSeed)
	for _, c := range cookies {
		if c.Deleted || v.login.Form.Passes(c.Name) {
			continue
		}
		h.Reset()
		_, _ = h.WriteString(c.Name) // never fails
		_ = h.WriteByte('=')
		_, _ = h.WriteString(c.Value)
		sum += h.Sum64()
	}
	return sum
}

// vouchedSum is sum with the credentials that the app gets beside the cookies.
func (v *visit) vouchedSum(sum uint64) uint64 {
	if v.vouching != "" {
		sum += maphash.String(setSeed, v.vouching)
	}
	return sum
}
