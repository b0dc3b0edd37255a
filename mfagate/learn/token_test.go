package learn_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/learn"
)

// A token counts only where whom it was given to brings it, soon, in a header of its own, and
// whole; what everybody sends is none.
func TestWhatCountsAsAToken(t *testing.T) {
	const token = "0123456789abcdef-of-alice"
	for name, test := range map[string]struct {
		agent, header, value string
		after                time.Duration
		want                 string
	}{
		"bearer":           {"Mozilla/5.0", "Authorization", "Bearer " + token, time.Minute, "/token Authorization Bearer"},
		"own header":       {"Mozilla/5.0", "X-Auth-Token", token, time.Minute, "/token X-Auth-Token "},
		"somebody else":    {"Mozilla/6.0", "Authorization", "Bearer " + token, time.Minute, ""},
		"too late":         {"Mozilla/5.0", "Authorization", "Bearer " + token, time.Hour, ""},
		"another":          {"Mozilla/5.0", "Authorization", "Bearer 0123456789abcdef-of-bob", time.Minute, ""},
		"a part":           {"Mozilla/5.0", "Authorization", "Bearer " + token[:20], time.Minute, ""},
		"what is short":    {"Mozilla/5.0", "X-Build", "2026-11", time.Minute, ""},
		"a usual header":   {"Mozilla/5.0", "Accept", token, time.Minute, ""},
		"no scheme at all": {"Mozilla/5.0", "Authorization", "<script> " + token, time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := learn.New(nil)
				through(l, readAll(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprintf(w, `{"token": %q, "build": "2026-11"}`, token)
				}), post("/login", formType, "user=alice&password=S3cret-word"))
				time.Sleep(test.after)
				r := httptest.NewRequest("GET", "/api", nil)
				r.Header.Set("User-Agent", test.agent)
				r.Header.Set(test.header, test.value)
				through(l, func(http.ResponseWriter, *http.Request) {}, r)
				got := ""
				if found := l.Report().Logins[0].Answers[0].Token; found != nil {
					got = strings.Join([]string{found.JSON, found.Header, found.Scheme}, " ")
				}
				if got != test.want {
					t.Errorf("got %q; want %q", got, test.want)
				}
			})
		})
	}
}
