package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// behind starts an app behind a site that observes.
func behind(t *testing.T, app http.HandlerFunc) (*gateway, string) {
	t.Helper()
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	addr := strings.TrimPrefix(server.URL, "http://")
	return serveAdmin(t, proxying(addr, "login_form\n mode observe")), addr
}

func proxying(addr, lines string) string {
	return "handle {\nmfa {\n" + lines + "\n}\nreverse_proxy " + addr + "\n}"
}

// posts sends a body as a script of a page does.
func (s *surfer) posts(path, contentType, body string, headers ...string) (int, string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), "POST", s.base+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0")
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Origin", s.base)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := askAnew(s.client, req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// TestSuggestedIdentifyWorks: two people were seen, so the block says who it is, and their first
// enrolment takes no ticket.
func TestSuggestedIdentifyWorks(t *testing.T) {
	g, app := observed(t, oracle.Options{})
	for _, name := range []string{"alice", "bob"} {
		s := newSurfer(t, g.base())
		s.client.Transport = agentOf(name)
		s.signIn(name, "a wrong one")
		s.signIn(name, app.Password(name))
		s.open("GET", "/notes", "", nil)
		s.open("GET", "/whoami", "", nil)
		s.open("GET", "/logout", "", nil)
	}
	text, _ := suggest(g.learnt())
	if !strings.Contains(text, "\tidentify probe GET /whoami json /user\n") {
		t.Fatalf("no identify in\n%s", text)
	}
	if err := g.load("", observing(app, strings.TrimSuffix(text, "\n"))); err != nil {
		t.Fatalf("the server does not take\n%s\n%v", text, err)
	}
	s := newSurfer(t, g.base())
	if _, at, page := s.signIn("alice", app.Password("alice")); at != "/.mfa/enroll" || strings.Contains(page, "name=\"ticket\"") {
		t.Errorf("alice is led to %s: %s", at, page)
	}
}

// An agentOf sends the name of a browser of somebody's own, since all come from one address here.
type agentOf string

func (a agentOf) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("User-Agent", "Mozilla/5.0 ("+string(a)+")")
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
}

// TestSuggestedBasicWorks is about an app without a form.
func TestSuggestedBasicWorks(t *testing.T) {
	g, addr := behind(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if password != "right" {
			w.Header().Set("WWW-Authenticate", `Basic realm="files"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name": %q, "secret": "FILES"}`, user)
	})
	for _, name := range []string{"alice", "bobby"} {
		s := newSurfer(t, g.base())
		s.open("GET", "/web/", "", nil)
		for _, password := range []string{"wrong", "right"} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", g.base()+"/web/", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("User-Agent", "Mozilla/5.0")
			req.SetBasicAuth(name, password)
			resp, err := askAnew(s.client, req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
	text, _ := suggest(g.learnt())
	for _, want := range []string{"\tsession basic\n\tpage /web/\n", "\tidentify probe GET /web/ json /name\n", "2 were answered, 2 refused"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if err := g.load("", proxying(addr, strings.TrimSuffix(text, "\n"))); err != nil {
		t.Fatalf("the server does not take\n%s\n%v", text, err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", g.base()+"/web/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	req.SetBasicAuth("alice", "right")
	s := newSurfer(t, g.base())
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := askAnew(s.client, req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if at := resp.Header.Get("Location"); !strings.HasPrefix(at, "/.mfa/") {
		t.Errorf("with credentials alone: %d to %q; want a page of the gate", resp.StatusCode, at)
	}
}

// TestSuggestedCallWorks is about a page of scripts whose login has no named parameters.
func TestSuggestedCallWorks(t *testing.T) {
	g, addr := behind(t, func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			Method string
			Params []string
		}
		if r.Method == "POST" && json.NewDecoder(r.Body).Decode(&call) == nil {
			w.Header().Set("Content-Type", "application/json")
			right := call.Method == "auth.login" && call.Params[0] == "right"
			if right {
				http.SetCookie(w, &http.Cookie{Name: "_session_id", Value: "1", HttpOnly: true})
			}
			fmt.Fprintf(w, `{"result": %v, "error": null}`, right)
			return
		}
		io.WriteString(w, "<html><script src=/app.js></script></html>")
	})
	s := newSurfer(t, g.base())
	s.open("GET", "/", "", nil)
	for _, password := range []string{"wrong", "right"} {
		s.posts("/json", "application/json", `{"method":"auth.login","params":["`+password+`"],"id":1}`)
	}
	text, _ := suggest(g.learnt())
	for _, want := range []string{
		"\tsubmit /json where /method=auth.login\n", "\tpassword /params/0\n", "\tsuccess status 200 set_cookie _session_id json /result=true\n",
		"\tfailure status 200 json /result=false\n", "UNCERTAIN: the password has no name", "guessed from the answers",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if err := g.load("", proxying(addr, strings.TrimSuffix(text, "\n"))); err != nil {
		t.Fatalf("the server does not take\n%s\n%v", text, err)
	}
	s = newSurfer(t, g.base())
	s.open("GET", "/", "", nil)
	if status, answer := s.posts("/json", "application/json", `{"method":"auth.login","params":["wrong"],"id":1}`); status != 200 || !strings.Contains(answer, `"result": false`) {
		t.Errorf("a wrong password: %d %s; want the app's answer", status, answer)
	}
	if status, answer := s.posts("/json", "application/json", `{"method":"auth.login","params":["right"],"id":1}`); status == 200 || strings.Contains(answer, "result") {
		t.Errorf("the right password: %d %s; want the gate's", status, answer)
	}
}

// TestSuggestedTextWorks is about an app that answers both alike but for a word.
func TestSuggestedTextWorks(t *testing.T) {
	g, addr := behind(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch _, err := r.Cookie("SID"); {
		case r.Method == "POST":
			w.Header().Set("Content-Type", "text/plain")
			http.SetCookie(w, &http.Cookie{Name: "SID", Value: r.FormValue("password"), HttpOnly: true})
			io.WriteString(w, map[bool]string{true: "Ok.", false: "Fails."}[r.FormValue("password") == "right"])
		case err == nil:
			io.WriteString(w, "<h1>Downloads</h1>")
		default:
			io.WriteString(w, "<form><input type=password name=password></form>")
		}
	})
	s := newSurfer(t, g.base())
	s.open("GET", "/", "", nil)
	form := func(password string) string {
		return url.Values{"username": {"alice"}, "password": {password}}.Encode()
	}
	s.posts("/in", "application/x-www-form-urlencoded", form("wrong"))
	s.posts("/in", "application/x-www-form-urlencoded", form("right"))
	s.open("GET", "/", "", nil)
	text, _ := suggest(g.learnt())
	for _, want := range []string{"\tsuccess status 200 body Ok.\n", "\tfailure status 200 body Fails.\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if err := g.load("", proxying(addr, strings.TrimSuffix(text, "\n"))); err != nil {
		t.Fatalf("the server does not take\n%s\n%v", text, err)
	}
	s = newSurfer(t, g.base())
	s.open("GET", "/", "", nil)
	if _, answer := s.posts("/in", "application/x-www-form-urlencoded", form("wrong")); answer != "Fails." {
		t.Errorf("a wrong password: %q; want the app's answer", answer)
	}
	if _, answer := s.posts("/in", "application/x-www-form-urlencoded", form("right")); strings.Contains(answer, "Ok.") {
		t.Errorf("the right password: %q; want the gate's", answer)
	}
}

// TestSuggestTellsWhatCannotBeWatched: nothing to suggest, but why.
func TestSuggestTellsWhatCannotBeWatched(t *testing.T) {
	g, _ := behind(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", "NTLM")
		http.Error(w, "no", http.StatusUnauthorized)
	})
	newSurfer(t, g.base()).open("GET", "/", "", nil)
	l := g.learnt()
	if text, _ := suggest(l); text != "" || unseen(l.Guarded) != "NTLM" {
		t.Errorf("suggest = %q, unseen = %q; want nothing and NTLM", text, unseen(l.Guarded))
	}
}

// TestSuggestTellsWhoBreaks names programs by family and path.
func TestSuggestTellsWhoBreaks(t *testing.T) {
	g, app := observed(t, oracle.Options{})
	s := newSurfer(t, g.base())
	s.signIn("alice", app.Password("alice"))
	for range 3 {
		s.posts("/api/sync", "text/plain", "", "User-Agent", "SyncTool/1.2 (alice's phone)")
	}
	text, _ := suggest(g.learnt())
	if !strings.Contains(text, "SyncTool at /api/sync, 3 times") || strings.Contains(text, "phone") {
		t.Errorf("no word on SyncTool, or too many, in\n%s", text)
	}
}
