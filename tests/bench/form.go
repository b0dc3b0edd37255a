package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
)

// formPage is the page of the app that wants all three cookies.
const formPage = "/page"

// cookieLengths are those of the values that the app sets at a sign-in, in bytes.
var cookieLengths = []int{40, 120, 400}

func cookieName(i int) string { return fmt.Sprint("app", i) }

// cookieValue is as long as a session id, and tells the app whose it is.
func cookieValue(user string, length int) string {
	return user + strings.Repeat(".", length-len(user))
}

// clearCookies are what a browser sends to the app without a gate.
func clearCookies() string {
	var all []string
	for i, n := range cookieLengths {
		all = append(all, cookieName(i)+"="+cookieValue("alice", n))
	}
	return strings.Join(all, "; ")
}

// app answers as a small app does. Its path / wants nothing.
func app() http.Handler {
	body := strings.Repeat("x", 1024)
	text := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, body)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", text)
	mux.HandleFunc("GET /login", text)
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.PostForm.Get("password") != "right" {
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		for i, n := range cookieLengths {
			http.SetCookie(w, &http.Cookie{Name: cookieName(i), Value: cookieValue(r.PostForm.Get("user"), n), Path: "/"})
		}
		http.Redirect(w, r, formPage, http.StatusFound)
	})
	mux.HandleFunc("GET "+formPage, signedIn(text))
	mux.HandleFunc("GET /me", signedIn(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Cookie(cookieName(0)) // signedIn has seen it
		name, _, _ := strings.Cut(c.Value, ".")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":%q}`, name)
	}))
	return mux
}

// signedIn refuses requests on which one of the three cookies is missing.
func signedIn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i, n := range cookieLengths {
			if c, err := r.Cookie(cookieName(i)); err != nil || len(c.Value) != n {
				http.Error(w, "nobody is signed in", http.StatusForbidden)
				return
			}
		}
		next(w, r)
	}
}

// gate is the directive of the gated gateway.
func (o options) gate() string {
	if o.what == session {
		return "mfa {\n\t\tuser {http.vars.bench_user}\n\t}"
	}
	return `mfa {
		login_form {
			page /login
			submit /login
			user user
			password password
			success status 302 location ` + formPage + `
			failure status 401
			identify probe GET /me json /name
		}
	}`
}

// submit signs somebody in by the app's form, in a browser of his own.
func submit(ctx context.Context, client *http.Client, base, user string) error {
	if err := reach(client, base+"/login", http.StatusOK); err != nil {
		return err
	}
	form := url.Values{"user": {user}, "password": {"right"}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/login", strings.NewReader(form))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound && resp.StatusCode != http.StatusSeeOther {
		return fmt.Errorf("got %d from the form; want a redirection", resp.StatusCode)
	}
	return nil
}

// browser is one without cookies that follows no redirections.
func browser(transport http.RoundTripper) (*http.Client, http.CookieJar) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // unreachable: without options there is nothing wrong
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, Jar: jar, CheckRedirect: stay}, jar
}

// signInByForm signs in by the form, enrols, and returns the cookies of the session. It
// fails unless the page is out of reach before, and within reach afterwards.
func signInByForm(base string) (string, error) {
	transport := loopback(1)
	defer transport.CloseIdleConnections()
	client, jar := browser(transport)
	if err := reach(client, base+formPage, http.StatusUnauthorized); err != nil {
		return "", err
	}
	if err := submit(context.Background(), client, base, "alice"); err != nil {
		return "", err
	}
	return enrol(client, jar, base, formPage)
}

// signedUp counts the users that the process has made up.
var signedUp atomic.Int64

// perOffice is how many sign in from one address.
const perOffice = 200

// office is a connection from an address of its own.
func office(number int64) *http.Transport {
	return loopbackFrom(&net.TCPAddr{IP: net.IPv4(127, byte(1+number>>16), byte(number>>8), byte(number))}, 1)
}

// signInLoad signs in users whom nobody has seen before, each in a browser of his own.
func signInLoad(l load) (int64, error) {
	over, cancel := context.WithTimeout(context.Background(), l.length)
	defer cancel()
	var n atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, l.connections)
	for range l.connections {
		wg.Go(func() {
			var transport *http.Transport
			for i := 0; over.Err() == nil; i++ {
				user := signedUp.Add(1)
				if i%perOffice == 0 {
					transport = office(user)
					defer transport.CloseIdleConnections()
				}
				client, _ := browser(transport)
				if err := submit(context.Background(), client, l.url, fmt.Sprint("u", user)); err != nil {
					failed <- err
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return n.Load(), nil
	}
}
