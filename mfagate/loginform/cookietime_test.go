package loginform

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The date of a cookie is what browsers take it for, however an app writes it.
func TestDatesOfCookiesAsAppsWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"Sun, 06 Nov 1994 08:49:37 GMT":         "1994-11-06T08:49:37Z", // RFC 1123
		"Sunday, 06-Nov-94 08:49:37 GMT":        "1994-11-06T08:49:37Z", // RFC 850
		"Sun Nov  6 08:49:37 1994":              "1994-11-06T08:49:37Z", // asctime
		"Thu, 1-Jan-1970 00:00:01 GMT":          "1970-01-01T00:00:01Z",
		"Thu, 01-Jan-70 00:00:01 GMT":           "1970-01-01T00:00:01Z",
		"Mon, 01-Jan-69 00:00:00 GMT":           "2069-01-01T00:00:00Z",
		"Wednesday, 01-Jan-2200 00:00:00 GMT":   "2200-01-01T00:00:00Z",
		"06 Nov 1994 08:49:37":                  "1994-11-06T08:49:37Z",
		"sun, 06 november 1994 8:9:7 gmt":       "1994-11-06T08:09:07Z",
		"Sun, 06 Nov 1994 08:49:37 +0000":       "1994-11-06T08:49:37Z",
		"Sun, 06 Nov 1994 08:49:37 UTC":         "1994-11-06T08:49:37Z",
		"1994 Nov 06 08:49:37":                  "1994-11-06T08:49:37Z",
		"08:49:37 6 1994 Nov":                   "1994-11-06T08:49:37Z",
		"Fri Nov 06 1994 08:49:37 GMT+0100 (x)": "1994-11-06T08:49:37Z",
		"Tue, 30 Feb 2100 00:00:00 GMT":         "",
		"Sun, 06 Nov 1994 24:00:00 GMT":         "",
		"Sun, 06 Nov 1994 08:49 GMT":            "",
		"Sun, 06 Nov 1600 08:49:37 GMT":         "",
		"Sun, 06 Foo 1994 08:49:37 GMT":         "",
		"Sun, 00 Nov 1994 08:49:37 GMT":         "",
		"Sun, 06 Nov 94371994 08:49:37 GMT":     "",
		"Sun, 06 Nov 1994 108:49:37 GMT":        "",
		"2200-01-01T00:00:00Z":                  "",
		"0":                                     "", "": "", "nonsense": "", "an": "", "1:2:": "",
	} {
		at, ok := cookieTime(text)
		got := ""
		if ok {
			got = at.Format(time.RFC3339)
		}
		if want := strings.TrimSpace(want); got != want {
			t.Errorf("%q is %q; want %q", text, got, want)
		}
	}
}

// What is deleted is so for all: for the signs of a success, for what the gate keeps in mind, and
// for what reaches the browser.
func TestAllReadersAgreeWhatIsDeleted(t *testing.T) {
	now := time.Now()
	past, future := now.Add(-time.Hour).UTC(), now.Add(time.Hour).UTC()
	b := testSealer(t, 'k').Box(ForSession, "app", "b")
	for attributes, want := range map[string]bool{
		"": false, "; Max-Age=60": false, "; Max-Age=0": true, "; Max-Age=-1": true, "; Max-Age=000": true, "; Max-Age=99999999999999999999": false, "; Max-Age=-99999999999999999999": true,
		"; Max-Age=+0": false, "; Max-Age=0x": false, "; Max-Age=": false, "; Max-Age=-": false, "; Max-Age=0; Max-Age=60": false, "; Max-Age=60; Max-Age=0": true, "; Max-Age=0; Max-Age=x": true,
		"; Expires=" + past.Format(http.TimeFormat):              true,
		"; Expires=" + future.Format(http.TimeFormat):            false,
		"; EXPIRES = " + past.Format(time.ANSIC):                 true,
		"; expires=" + strings.ToLower(past.Format(time.RFC850)): true,
		"; expires=" + future.Format("2-Jan-06 15:04:05"):        false,
		"; Expires=Thu, 1-Jan-1970 00:00:01 GMT":                 true,
		"; Expires=Thu, 01 Jan 1970 00:00:00 +0000":              true,
		"; Expires=0": false,
		"; Expires=" + past.Format(http.TimeFormat) + "; Max-Age=60":                                false,
		"; Max-Age=60; Expires=" + past.Format(http.TimeFormat):                                     false,
		"; Expires=" + future.Format(http.TimeFormat) + "; Max-Age=0":                               true,
		"; Expires=" + past.Format(http.TimeFormat) + "; Max-Age=soon":                              true,
		"; Expires=" + past.Format(http.TimeFormat) + "; Expires=" + future.Format(http.TimeFormat): false,
		"; Expires=" + past.Format(http.TimeFormat) + "; Expires=tomorrow":                          true,
	} {
		h := http.Header{"Set-Cookie": {"sid=secret" + attributes}}
		if got := ReadSetCookies(h, now); len(got) != 1 || got[0].Deleted != want {
			t.Errorf("%q is read as %+v; want deleted %v", attributes, got, want)
		}
		if got := len((&Answer{Header: h}).cookies(parseGlob("sid"))) == 0; got != want {
			t.Errorf("%q deletes to the signs: %v; want %v", attributes, got, want)
		}
		if err := (&Jar{Seal: b}).Write(h, now); err != nil || strings.HasSuffix(h["Set-Cookie"][0], "; Max-Age=0") != want {
			t.Errorf("%q goes out as %q, %v; want deleted %v", attributes, h["Set-Cookie"], err, want)
		}
	}
}
