package loginattack

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// chatty answers each request with its session also where apps seldom put one: in
// an informational answer, in a trailer that was announced, and in one that was not.
func chatty(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sid := ""
		if c, err := r.Cookie("sid"); err == nil {
			sid = c.Value
		}
		w.Header().Set("Set-Cookie", "early="+sid+"; Path=/")
		w.Header().Set("Link", "</static/app.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Set-Cookie")
		w.Header().Set("Trailer", "Set-Cookie, X-Sum")
		app.ServeHTTP(w, r)
		w.Header().Set("Set-Cookie", "late="+sid)
		w.Header().Set("X-Sum", "1")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "later="+sid)
	})
}

// TestO13EarlyAndLate: cookies of informational answers and of trailers reach no browser, to
// visitors, at the sign-in, and afterwards. It takes real connections.
func TestO13EarlyAndLate(t *testing.T) {
	w := newWorld(t, oracle.Options{Rotation: oracle.RotateNever})
	w.records.Close()
	w.start(chatty(w.app))
	c := w.client().signIn("vic").want(303, "/.mfa/enroll")
	c.enrol("vic")
	server := httptest.NewServer(w.front)
	defer server.Close()
	for _, who := range []*client{w.client(), w.client().get("/login"), c} {
		for _, path := range []string{"/login", "/notes", "/static/app.css"} {
			got := exchange(t, server.URL+path, who)
			if shown := w.app.Shown(got); len(shown) > 0 && (who != c || fmt.Sprint(shown) != "[{vic content}]") {
				t.Errorf("%s shows %v", path, shown)
			}
			for _, name := range []string{"early=", "late=", "later="} {
				if strings.Contains(got, name) {
					t.Errorf("%s: the browser gets %s", path, got)
				}
			}
			if path == "/static/app.css" && !strings.Contains(got, "X-Sum: 1") {
				t.Errorf("%s lacks the app's other trailer: %s", path, got)
			}
		}
	}
}

// exchange returns all header and body of the answers to a request over a connection.
func exchange(t *testing.T, uri string, who *client) string {
	t.Helper()
	var all strings.Builder
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			_ = http.Header(h).Write(&all)
			return nil
		},
	}), http.MethodGet, uri, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = who.request("GET", "/", "", "").Header
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Header.Write(&all)
	_ = answer.Trailer.Write(&all)
	return all.String() + string(body)
}
