package unseen_test

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A hub is an app as JupyterHub is one: it knows people by a cookie of /hub/, and lends them pages below
// /user/NAME/, which know them by one of their own that they get by a visit to the hub.
type hub struct {
	mu       sync.Mutex
	sessions map[string]string   // user by the value of a cookie
	tokens   map[string]string   // of forms, by folder
	got      map[string][]string // names of the cookies of the last request, by path
}

const hubCookie, hubXSRF = "jupyterhub-hub-login", "_xsrf"

func newHub() *hub {
	return &hub{sessions: make(map[string]string), tokens: make(map[string]string), got: make(map[string][]string)}
}

// user is whom a request is of by one of its cookies.
func (h *hub) user(r *http.Request, cookie string) string {
	c, err := r.Cookie(cookie)
	if err != nil {
		return ""
	}
	return h.sessions[c.Value]
}

func (h *hub) enter(w http.ResponseWriter, cookie, user, path string) {
	id := rand.Text()
	h.sessions[id] = user
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: id, Path: path, HttpOnly: true})
}

// page shows a form with the token of its folder, for scripts to read, too.
func (h *hub) page(w http.ResponseWriter, folder, text string) {
	if h.tokens[folder] == "" {
		h.tokens[folder] = rand.Text()
	}
	http.SetCookie(w, &http.Cookie{Name: hubXSRF, Value: h.tokens[folder], Path: folder})
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, `<!doctype html><title>Hub</title>%s<form method=post><input type=hidden name=_xsrf value=%s><input name=username><input type=password name=password></form>`, text, h.tokens[folder])
}

// fits tells whether a request has the token of its folder both in a cookie and in the form.
func (h *hub) fits(r *http.Request, folder string) bool {
	c, err := r.Cookie(hubXSRF)
	return err == nil && c.Value == h.tokens[folder] && r.FormValue("_xsrf") == c.Value
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for _, c := range r.Cookies() {
		names = append(names, c.Name)
	}
	h.got[r.URL.Path] = names
	if strings.HasPrefix(r.URL.Path, "/user/") {
		h.lent(w, r)
		return
	}
	switch user := h.user(r, hubCookie); {
	case r.URL.Path == "/hub/login":
		h.login(w, r)
	case user == "":
		http.Redirect(w, r, "/hub/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusFound)
	case r.URL.Path == "/hub/authorize":
		code := rand.Text()
		h.sessions["code "+code] = user
		http.Redirect(w, r, r.FormValue("to")+"?code="+code+"&state="+r.FormValue("state"), http.StatusFound)
	case r.URL.Path == "/hub/logout":
		for name, path := range map[string]string{hubCookie: "/hub/", "jupyterhub-session-id": "/"} {
			http.SetCookie(w, &http.Cookie{Name: name, Path: path, MaxAge: -1})
		}
		http.Redirect(w, r, "/hub/login", http.StatusFound)
	default:
		h.page(w, "/hub/", `<p class="navbar-text">`+user+"</p>"+marker+user)
	}
}

func (h *hub) login(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodPost:
		h.page(w, "/hub/", "")
	case !h.fits(r, "/hub/"):
		http.Error(w, "'_xsrf' argument missing", http.StatusForbidden)
	case r.FormValue("password") != gatetest.Password:
		h.page(w, "/hub/", `<p class="login_error">Invalid username or password</p>`)
	default:
		h.enter(w, hubCookie, r.FormValue("username"), "/hub/")
		h.enter(w, "jupyterhub-session-id", "", "/")
		http.Redirect(w, r, "/hub/home", http.StatusFound)
	}
}

// lent serves what is below /user/NAME/.
func (h *hub) lent(w http.ResponseWriter, r *http.Request) {
	owner, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/user/"), "/")
	folder, cookie := "/user/"+owner+"/", "jupyterhub-user-"+owner
	switch user := h.user(r, cookie); {
	case rest == "oauth_callback":
		state, err := r.Cookie(cookie + "-oauth-state")
		if user = h.sessions["code "+r.FormValue("code")]; err != nil || state.Value != r.FormValue("state") || user != owner {
			http.Error(w, "oauth state does not match", http.StatusForbidden)
			return
		}
		h.enter(w, cookie, user, folder)
		http.SetCookie(w, &http.Cookie{Name: cookie + "-oauth-state", Path: folder, MaxAge: -1})
		http.Redirect(w, r, folder+"lab", http.StatusFound)
	case user != owner:
		state := rand.Text()
		http.SetCookie(w, &http.Cookie{Name: cookie + "-oauth-state", Value: state, Path: folder, HttpOnly: true})
		http.Redirect(w, r, "/hub/authorize?to="+url.QueryEscape(folder+"oauth_callback")+"&state="+state, http.StatusFound)
	case r.Method == http.MethodPost && !h.fits(r, folder):
		http.Error(w, "'_xsrf' argument missing", http.StatusForbidden)
	default:
		h.page(w, folder, marker+user+" "+r.Method)
	}
}

const hubBlock = `mfa {
	login_form {
		page /hub/login
		page /hub/login?next=*
		submit /hub/login
		submit /hub/login?next=*
		user username
		password password
		success status 302 set_cookie jupyterhub-hub-login
		failure selector ".login_error"
		identify probe GET /hub/home selector "p.navbar-text"
		home /hub/home
		logout /hub/logout
		pass_cookies _xsrf
	}
}
reverse_proxy `

// use leads alice about in the hub, and returns where which cookies went.
func (h *hub) use(t *testing.T, p *gatetest.Person) map[string][]string {
	t.Helper()
	h.mu.Lock()
	clear(h.got)
	h.mu.Unlock()
	for range 2 {
		for _, path := range []string{"/user/alice/lab", "/hub/home", "/user/alice/x/y", "/hub/admin", "/user/alice/lab"} {
			if page := p.Navigate(t, path); page.Status != http.StatusOK || !strings.Contains(page.Body, marker+"alice") || page.URL.Path != path {
				t.Fatalf("%s leads to %d at %s: %.300s", path, page.Status, page.URL, page.Body)
			}
		}
	}
	page := p.Navigate(t, "/user/alice/lab")
	if page = p.Submit(t, page, page.Forms()[0].Action, url.Values{"username": nil, "password": nil}); !strings.Contains(page.Body, marker+"alice POST") {
		t.Errorf("a form below /user/ is answered with %d at %s: %.300s", page.Status, page.URL, page.Body)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, names := range h.got {
		if at := slices.Index(names, hubXSRF); at >= 0 { // it goes in clear, so the gate does not know its path
			copy(names[at:], names[at+1:])
			names[len(names)-1] = hubXSRF
		}
	}
	return maps.Clone(h.got)
}

// An app whose cookies are of several folders needs no more than any other. Behind the gate it gets the
// cookies that it gets without it, where it gets them, the sealed ones in that order.
func TestCookiesOfSeveralFolders(t *testing.T) {
	h := newHub()
	upstream := httptest.NewServer(h)
	t.Cleanup(upstream.Close)
	gate := gatetest.Start(t, gatetest.Config{Plain: true, Site: hubBlock + strings.TrimPrefix(upstream.URL, "http://")})
	bare := gatetest.Start(t, gatetest.Config{Plain: true, Site: "reverse_proxy " + strings.TrimPrefix(upstream.URL, "http://")})
	w := &world{t, nil, gate}
	typed := func(p *gatetest.Person, user, password string) *gatetest.Page {
		page := p.Navigate(t, "/hub/login")
		return p.Submit(t, page, page.Forms()[0].Action, url.Values{"username": {user}, "password": {password}})
	}
	direct := bare.Person("")
	typed(direct, "alice", gatetest.Password)
	want := h.use(t, direct)

	p := gate.Person("")
	if page := p.Navigate(t, "/user/alice/lab"); page.URL.Path != "/hub/login" {
		t.Fatalf("a stranger comes to %s", page.URL)
	}
	if page := typed(p, "alice", "wrong"); !strings.Contains(page.Body, "Invalid username") {
		t.Errorf("a wrong password: got %d at %s without the app's words", page.Status, page.URL)
	}
	w.wantAt(typed(p, "alice", gatetest.Password), gatetest.PathEnrol, "the right password")
	if page := w.enrol(p); !strings.Contains(page.Body, marker+"alice") || page.URL.Path != "/user/alice/lab" {
		t.Fatalf("after the enrolment: got %d at %s; want what was asked for first", page.Status, page.URL)
	}
	for path, names := range h.use(t, p) {
		if !slices.Equal(names, want[path]) {
			t.Errorf("%s gets the cookies %q; want %q", path, names, want[path])
		}
	}
	thief := gate.Person("")
	for _, c := range p.Cookies() {
		if !strings.Contains(c.Name, "mfa") {
			thief.Take(c)
		}
	}
	w.wantNothing(thief.Navigate(t, "/hub/home"), "with stolen cookies")
	w.wantNothing(thief.Navigate(t, "/user/alice/lab"), "with stolen cookies")
	if page := p.Navigate(t, "/hub/logout"); page.URL.Path != "/hub/login" {
		t.Errorf("signing out leads to %d at %s", page.Status, page.URL)
	}
	w.wantNothing(p.Navigate(t, "/user/alice/lab"), "signed out")
	w.wantAt(typed(p, "alice", gatetest.Password), gatetest.PathChallenge, "the right password again")
}
