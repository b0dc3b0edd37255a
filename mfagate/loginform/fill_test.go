package loginform

import (
	"net/url"
	"testing"
)

// A form is filled in as a browser sends it before anybody has chosen anything, and goes where it
// says, but for the session id that the app has written there.
func TestFormIsFilledAsItStands(t *testing.T) {
	c := plainForm()
	c.Submit = append(c.Submit, Pattern{Text: "POST /login/check"})
	f := compile(t, c)
	page := &Answer{Status: 200, Body: []byte(`<form action="/login/check;jsessionid=1">
		<select name=driver><option value=old>Old<option value=server selected>MySQL</select>
		<select name=lang><option>en<option>de</select><select name=none></select>
		<input name=user><input type=password name=pass><input type=hidden name=token value=t></form>`)}
	got, err := f.Fill(page, "alice", "x")
	if err != nil {
		t.Fatal(err)
	}
	values, err := url.ParseQuery(got.Body)
	if err != nil || got.URI != "/login/check" {
		t.Errorf("goes to %q, %v; want /login/check", got.URI, err)
	}
	for name, want := range map[string]string{"driver": "server", "lang": "en", "none": "", "user": "alice", "pass": "x", "token": "t"} {
		if values.Get(name) != want {
			t.Errorf("%s = %q; want %q", name, values.Get(name), want)
		}
	}
}
