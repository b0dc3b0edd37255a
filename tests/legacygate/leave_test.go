package legacygate_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

// TestPagesLeftEarly has alice save a page of DokuWiki again and again, and go on before the next
// answer comes, at all moments. She stays signed in.
func TestPagesLeftEarly(t *testing.T) {
	if !slices.Contains(legacy.Chosen(t), "dokuwiki") {
		t.Skip("dokuwiki is not among the apps")
	}
	w := start(t, "dokuwiki")
	alice := w.person("alice")
	enrolment(alice)
	writeWikiPage(alice)
	for after := time.Millisecond; after < 200*time.Millisecond; after = after*3/2 + time.Millisecond {
		if a := alice.app.Post("/lib/exe/ajax.php", "call", "lock", "id", "note"); a.Status != http.StatusOK {
			t.Fatalf("locking a page: got %d:\n%.300s", a.Status, a.Body)
		}
		alice.leaves(after, "/lib/exe/ajax.php", "call=draftdel&id=note")
	}
	if a := alice.app.Get("/doku.php?id=start"); !strings.Contains(a.Body, legacy.Marker) {
		t.Errorf("signed out by leaving early: got %d:\n%.300s", a.Status, a.Body)
	}
}

// leaves posts a form, and is gone after a time.
func (p *person) leaves(after time.Duration, path, form string) {
	p.w.Helper()
	ctx, cancel := context.WithTimeout(p.w.Context(), after)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.w.gate.URL+path, strings.NewReader(form))
	if err != nil {
		p.w.Fatal(err)
	}
	r.Header = p.app.Header.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if resp, err := p.app.Client.Do(r); err == nil { // it was fast enough
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
