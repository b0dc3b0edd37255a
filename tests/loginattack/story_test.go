package loginattack

import (
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// variants are apps that differ in habits, each as operators describe it.
var variants = map[string]oracle.Options{
	"plain":              {},
	"cookie stays":       {Rotation: oracle.RotateNever},
	"cookie changes":     {Rotation: oracle.RotateAlways},
	"planted ids":        {Rotation: oracle.RotateNever, AnySession: true, SessionInURL: true},
	"form token":         {FormToken: true, Rotation: oracle.RotateNever},
	"redirects both":     {Answers: oracle.RedirectBoth},
	"redirects the same": {Answers: oracle.RedirectSame, Rotation: oracle.RotateNever},
	"200 for both":       {Answers: oracle.Page, Rotation: oracle.RotateNever},
	"refresh":            {Answers: oracle.Refresh},
	"bare status":        {Answers: oracle.Status},
	"JSON answers":       {Answers: oracle.JSONOK, LiveLooksRight: true, Rotation: oracle.RotateNever},
	"remember me":        {Remember: true},
	"folders":            {Folders: true, Rotation: oracle.RotateAlways},
	"all doors":          oracle.Everything(),
}

// each runs a test against each variant.
func each(t *testing.T, f func(*world)) {
	t.Helper()
	for name, o := range variants {
		t.Run(name, func(t *testing.T) { in(t, o, f) })
	}
}

func TestSignInToSignOut(t *testing.T) {
	each(t, func(w *world) {
		w.enrol("alice")
		c := w.client()
		c.get("/notes").want(303, "/login")
		c.get("/login").submit("alice", "wrong")
		if len(w.acted("alice", 0)) > 0 && c.last.Code == 303 {
			t.Errorf("a wrong password leads to %s", c.last.Header().Get("Location"))
		}
		c.signIn("alice")
		if !c.prove("alice") {
			t.Fatalf("the right code is refused: %d %.300q", c.last.Code, c.body)
		}
		c.follow().want(200).shows(`<p id="user">alice</p>`)
		c.post("/notes", "note", "milk").want(302, "/notes").follow().shows("milk")
		c.get("/logout").want(302, "/login")
		c.get("/notes").want(303, "/login")
	})
}

// oddVariants are those among the variants whose answers to a login differ.
func oddVariants() map[string]oracle.Options {
	some := make(map[string]oracle.Options)
	for _, name := range []string{"plain", "redirects the same", "200 for both", "bare status", "JSON answers", "all doors"} {
		some[name] = variants[name]
	}
	return some
}
