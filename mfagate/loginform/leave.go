package loginform

import (
	"net/http"
	"slices"
	"time"
)

// Leaves tells whether an answer within a session takes away, before the time now, the cookies by which Success
// knew that somebody had signed in: the app has signed the person out, be it in a way that no request shows, as in a message
// of a WebSocket. opened are those of the request. Where Identify has a probe the app is asked instead, so
// it is false.
func (f *Form) Leaves(opened Cookies, h http.Header, now time.Time) bool {
	if len(h["Set-Cookie"]) == 0 || f.config.Identify != nil && f.config.Identify.Probe != "" {
		return false
	}
	set := ReadSetCookies(h, now)
	deletes := slices.ContainsFunc(set, func(c Cookie) bool {
		return c.Deleted && slices.ContainsFunc(f.config.Success, func(s Signs) bool {
			return slices.ContainsFunc(s.SetCookie, func(g string) bool { return parseGlob(g).match(c.Name) })
		})
	})
	left := opened.With(set)
	return deletes && !slices.ContainsFunc(f.config.Success, func(s Signs) bool { return left.haveAll(s.SetCookie) })
}

// haveAll tells whether there is a cookie for each glob; of no globs there is none.
func (c Cookies) haveAll(globs []string) bool {
	return len(globs) > 0 && !slices.ContainsFunc(globs, func(g string) bool {
		wanted := parseGlob(g)
		return !slices.ContainsFunc(c, func(k Cookie) bool { return !k.Deleted && wanted.match(k.Name) })
	})
}
