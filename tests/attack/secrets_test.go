package attack_test

import (
	"bytes"
	"encoding/base32"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// I4: after a whole story no secret is in the log, and none in the database
// but sealed.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{Globals: "log default {\n\t\tlevel DEBUG\n\t}", Before: "log"})
	p := enrolled(t, s, "alice")
	used := []string{p.UseCode(t), p.Phone.Code(t)}
	q := p.Elsewhere()
	if page := q.Answer(t, "recovery", used[0]); page.Status != http.StatusSeeOther {
		t.Fatalf("recovery code: got %d; want 303", page.Status)
	}
	r := p.Elsewhere()
	r.Answer(t, "totp", used[1])
	p.Post(t, p.Navigate(t, gatetest.PathSecurity), gatetest.PathSignOut, nil)
	_, _ = p.Open(t, "/"), p.PostValues(t, gatetest.PathChallenge, url.Values{"code": {used[1]}})

	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(p.Phone.Secret)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{
		"the seed": string(seed), "the secret": p.Phone.Secret, "the session of one browser": session(t, q).Value,
		"the session of another": session(t, r).Value, "the password": gatetest.Password, "a used recovery code": used[0],
	}
	for _, c := range p.Codes {
		secrets["recovery code "+c[:2]+"…"] = c
		secrets["recovery code "+c[:2]+"… without dashes"] = strings.ReplaceAll(c, "-", "")
	}
	s.Stop()
	logs := s.Logs()
	for what, secret := range secrets {
		if strings.Contains(strings.ToUpper(logs), strings.ToUpper(secret)) {
			t.Errorf("%s is in the log", what)
		}
	}
	if strings.Contains(logs, used[1]) {
		t.Log("the six digits of a code are in the log; that may be chance, run again")
	}
	searched := 0
	err = filepath.WalkDir(s.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		searched += len(data)
		for what, secret := range secrets {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s is in %s in clear", what, filepath.Base(path))
			}
		}
		return nil
	})
	if err != nil || searched < 1000 {
		t.Fatalf("searched %d bytes of the database: %v", searched, err)
	}
	wantPrivate(t, s)
}

// wantPrivate checks who may read what the gateway wrote.
func wantPrivate(t *testing.T, s *gatetest.Server) {
	t.Helper()
	for path, want := range map[string]fs.FileMode{s.Keyset: 0o600, s.Data: 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o; want %o", filepath.Base(path), got, want)
		}
	}
}

// Without its keyset a database opens nothing, and stops the start: a new keyset
// beside it would make every user look as if nobody had enrolled.
func TestLostKeyset(t *testing.T) {
	t.Parallel()
	s := gatetest.Start(t, gatetest.Config{})
	enrolled(t, s, "alice")
	s.Stop()
	kept, err := os.ReadFile(s.Keyset)
	if err != nil {
		t.Fatal(err)
	}
	other := gatetest.Start(t, gatetest.Config{})
	another, err := os.ReadFile(other.Keyset)
	if err != nil {
		t.Fatal(err)
	}
	for what, content := range map[string][]byte{"gone": nil, "of another database": another, "empty": {}, "cut short": kept[:len(kept)/2]} {
		os.Remove(s.Keyset)
		if content != nil {
			if err := os.WriteFile(s.Keyset, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Run(); err == nil || !strings.Contains(err.Error(), filepath.Base(s.Keyset)) {
			t.Errorf("with a keyset that is %s: got %v; want no start, and the file's name", what, err)
		}
		s.Stop()
		if _, err := os.Stat(s.Keyset); content == nil && err == nil {
			t.Error("a new keyset was made beside a database that is in use")
		}
	}
	if err := os.WriteFile(s.Keyset, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	s.Person("alice").Challenge(t)
}
