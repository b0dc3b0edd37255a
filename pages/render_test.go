package pages

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestRender(t *testing.T) {
	s := newSet(t, Options{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public") // of somebody before us
		f := Frame{Language: s.Match(r.Header.Get("Accept-Language")), Site: "Intranet"}
		if err := s.Render(w, http.StatusTooManyRequests, f, Challenge{Method: "totp"}); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	want := http.Header{
		"Content-Type":                 {"text/html; charset=utf-8"},
		"Content-Language":             {"de"},
		"Cache-Control":                {"no-store"},
		"Content-Security-Policy":      {"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
		"X-Content-Type-Options":       {"nosniff"},
		"X-Frame-Options":              {"DENY"},
		"Referrer-Policy":              {"same-origin"},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Vary":                         {"Accept-Language, Cookie"},
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		req, err := http.NewRequest(method, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Language", "de-DE")
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got, want := resp.StatusCode, http.StatusTooManyRequests; got != want {
			t.Errorf("%s: status: got %d; want %d", method, got, want)
		}
		for name := range want {
			if got, want := resp.Header.Values(name), want[name]; strings.Join(got, "|") != want[0] {
				t.Errorf("%s: %s: got %q; want %q", method, name, got, want)
			}
		}
		if got, want := resp.Header.Get("Permissions-Policy"), "publickey-credentials-get=(self)"; !strings.Contains(got, want) {
			t.Errorf("%s: Permissions-Policy: got %q; want it to hold %q", method, got, want)
		}
		if got, want := strings.Contains(string(body), "Anmeldung bestätigen"), method == http.MethodGet; got != want {
			t.Errorf("%s: body has the title: got %v; want %v", method, got, want)
		}
		if resp.ContentLength <= 0 {
			t.Errorf("%s: Content-Length: got %d; want the page's", method, resp.ContentLength)
		}
	}
}

// TestRenderFailure checks that a page that fails half-way leaves the answer
// to the caller, untouched.
func TestRenderFailure(t *testing.T) {
	s := newSet(t, Options{})
	for name, p := range map[string]Page{
		"view of another type": Enrol{Factor: "totp", View: "no struct"},
		"no view":              Enrol{Factor: "totp"},
		"unknown factor":       Enrol{Factor: "carrier_pigeon"},
		"path for a factor":    Enrol{Factor: "../totp"},
	} {
		w := httptest.NewRecorder()
		if err := s.Render(w, 200, Frame{}, p); err == nil {
			t.Errorf("%s: got no error; want one", name)
		}
		if w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("%s: got %d bytes and headers %v; want nothing written", name, w.Body.Len(), w.Header())
		}
	}
	if err := s.Render(brokenPipe{httptest.NewRecorder()}, 200, Frame{}, Message{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("connection lost: got %v; want %v", err, io.ErrClosedPipe)
	}
}

type brokenPipe struct{ *httptest.ResponseRecorder }

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestAddFactor shows that a new factor is files and nothing else.
func TestAddFactor(t *testing.T) {
	s := newSet(t, Options{Overlay: fstest.MapFS{
		"templates/factor_abacus_enrol.html":     {Data: []byte(`<p>{{.T "factor.abacus.name"}} {{.Page.View.Beads}}</p>`)},
		"templates/factor_abacus_challenge.html": {Data: []byte(`<p>Count!</p>`)},
		"lang/en/factor_abacus.json":             {Data: []byte(`{"factor.abacus.name":"Abacus"}`)},
		"lang/de/factor_abacus.json":             {Data: []byte(`{"factor.abacus.name":"Rechenbrett"}`)},
	}})
	tests := []struct {
		page      Page
		want, not string
	}{
		{Enrol{Factor: "abacus", View: struct{ Beads int }{100}}, "<p>Rechenbrett 100</p>", "Step 2"},
		{Challenge{Method: "abacus"}, "<p>Count!</p>", `id="code"`},
		{Challenge{Method: "totp", Methods: []string{"abacus", "totp"}}, `>Rechenbrett</a>`, "Count!"},
		{Challenge{Method: "recovery", Methods: []string{"abacus", "recovery"}}, `>Rechenbrett</a>`, "Count!"},
		{Challenge{Method: "recovery", Methods: []string{"abacus", "totp", "recovery"}}, `value="totp"`, "Count!"},
	}
	for _, tt := range tests {
		got := string(s.html(t, s.in("de"), state{page: tt.page}))
		if !strings.Contains(got, tt.want) || strings.Contains(got, tt.not) {
			t.Errorf("%+v: got\n%s\nwant it with %q, without %q", tt.page, got, tt.want, tt.not)
		}
	}
}

func TestBrokenTheme(t *testing.T) {
	tests := map[string]struct{ file, content, want string }{
		"syntax":          {"templates/message.html", `{{if}}`, "templates/message.html"},
		"unknown message": {"templates/message.html", `{{define "title"}}{{end}}{{.T "no.such.message"}}`, `no message "no.such.message"`},
		"unknown field":   {"templates/message.html", `{{define "title"}}{{end}}{{.Page.Nothing}}`, "Nothing"},
		"no title":        {"templates/message.html", `<h1>x</h1>`, "title"},
		"context":         {"templates/message.html", `{{define "title"}}{{end}}<a {{if .User}}href="{{end}}>`, "message"},
		"layout":          {"templates/layout.html", `{{template "nothing"}}`, "nothing"},
		"factor, context": {"templates/factor_totp_enrol.html", `<script>var a = "{{if .User}}"{{end}}`, "totp"},
		"factor, message": {"templates/factor_totp_enrol.html", `{{ $.T "nope" }}`, `"nope"`},
		"static":          {"static/run.exe", `x`, "static/run.exe"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Overlay: fstest.MapFS{tt.file: {Data: []byte(tt.content)}}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v; want one with %q", err, tt.want)
			}
		})
	}
}

// forbidden is a theme whose files are there and cannot be read.
type forbidden struct{}

func (forbidden) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

func TestUnreadableTheme(t *testing.T) {
	if _, err := New(Options{Overlay: forbidden{}}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v; want %v, not a silent fall-back", err, fs.ErrPermission)
	}
}

func TestSupportLink(t *testing.T) {
	s := newSet(t, Options{})
	for address, want := range map[string]string{
		"https://help.example.com/?a=b": `href="https://help.example.com/?a=b"`,
		"tel:+4930123456":               `href="tel:&#43;4930123456"`,
		"mailto:help@example.com":       `href="mailto:help@example.com"`,
		"javascript:alert(1)":           `<bdi>Desk</bdi>`,
		"data:text/html,x":              `<bdi>Desk</bdi>`,
		"":                              `<bdi>Desk</bdi>`,
		"://":                           `<bdi>Desk</bdi>`,
	} {
		page := s.html(t, s.in("en"), state{frame: Frame{Support: Support{Text: "Desk", URL: address}}, page: Message{}})
		if got := string(page); !strings.Contains(got, want) || strings.Contains(got, "javascript") || strings.Contains(got, "data:") {
			t.Errorf("%s: got\n%s\nwant it with %s", address, got, want)
		}
	}
}
