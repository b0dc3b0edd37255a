package pages

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func serve(s *Set, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeStatic(w, r)
	return w.Result()
}

func TestServeStatic(t *testing.T) {
	s := newSet(t, Options{})
	for name, contentType := range map[string]string{
		"style.css": "text/css; charset=utf-8", "script.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		path := s.paths[name]
		if !strings.HasPrefix(path, "/.mfa/static/"+strings.Split(name, ".")[0]+".") {
			t.Fatalf("path of %s: got %q; want one under /.mfa/static/ with a hash", name, path)
		}
		for _, method := range []string{"GET", "HEAD"} {
			resp := serve(s, method, path)
			if got, want := resp.StatusCode, 200; got != want {
				t.Errorf("%s %s: got %d; want %d", method, path, got, want)
			}
			for header, want := range map[string]string{
				"Content-Type": contentType, "X-Content-Type-Options": "nosniff",
				"Cache-Control": "public, max-age=31536000, immutable", "Vary": "", "Set-Cookie": "",
			} {
				if got := resp.Header.Get(header); got != want {
					t.Errorf("%s %s: %s: got %q; want %q", method, path, header, got, want)
				}
			}
		}
		etag := serve(s, "GET", path).Header.Get("ETag")
		if got, want := serve(s, "GET", path, "If-None-Match", etag).StatusCode, http.StatusNotModified; etag == "" || got != want {
			t.Errorf("%s with If-None-Match %q: got %d; want %d", path, etag, got, want)
		}
	}
}

func TestServeStaticRefuses(t *testing.T) {
	s := newSet(t, Options{})
	for _, path := range []string{"/.mfa/static/", "/.mfa/static/style.css", "/.mfa/static/style.0000000000000000.css",
		"/.mfa/static/../templates/layout.html", "/.mfa/static/%2e%2e/pages.go", "/"} {
		resp := serve(s, "GET", path)
		if resp.StatusCode != http.StatusNotFound || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s: got %d, Cache-Control %q; want 404, no-store", path, resp.StatusCode, resp.Header.Get("Cache-Control"))
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE"} {
		resp := serve(s, method, s.paths["style.css"])
		if got, want := resp.StatusCode, http.StatusMethodNotAllowed; got != want || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: got %d, Allow %q; want %d, GET, HEAD", method, got, resp.Header.Get("Allow"), want)
		}
	}
}

func TestOverlayStatic(t *testing.T) {
	plain := newSet(t, Options{})
	s := newSet(t, Options{Overlay: fstest.MapFS{
		"static/style.css": {Data: []byte("body{color:red}")},
		"static/logo.png":  {Data: []byte("\x89PNG")},
	}})
	if s.paths["style.css"] == plain.paths["style.css"] {
		t.Errorf("path of another style sheet: got the same, %q; want another hash", s.paths["style.css"])
	}
	if got, want := serve(s, "GET", s.paths["logo.png"]).Header.Get("Content-Type"), "image/png"; got != want {
		t.Errorf("logo: got %q; want %q", got, want)
	}
}
