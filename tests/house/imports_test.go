package house_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// A rule holds for the packages of the module whose path, below the module's,
// matches: it is the folder itself ("mfagate"), or all below it ("mfagate/").
type rule struct {
	folder string
	allow  []string // prefixes of direct imports outside the standard library; $ ends a whole path; nil means none, unless free
	never  []string // prefixes of direct and indirect imports
	but    []string // of never
	free   bool     // any import that is not of tests
}

const (
	caddy  = "github.com/caddyserver/"
	badger = "github.com/dgraph-io/"
	pgx    = "github.com/jackc/"
	tink   = "github.com/tink-crypto/"
	ours   = module + "/"
)

var rules = []rule{
	{folder: "storage", never: []string{caddy, badger, pgx, tink, ours + "mfagate", ours + "pages"}},
	{
		folder: "storage/",
		allow:  []string{ours + "storage$", badger, pgx, tink},
		never:  []string{caddy, ours + "mfagate", ours + "pages"},
	},
	{
		folder: "pages",
		allow:  []string{"golang.org/x/text/", "golang.org/x/net/html"},
		never:  []string{caddy, badger, pgx, tink, ours + "mfagate", ours + "storage"},
	},
	{
		folder: "mfagate",
		but:    []string{ours + "mfagate/loginform$"}, // a leaf: it knows nothing of the gate
		allow:  []string{ours + "storage$", ours + "pages$", ours + "mfagate/loginform$", "github.com/alexedwards/scs/v2", "golang.org/x/text/"},
		never:  []string{caddy, badger, pgx, tink, ours + "mfagate/", ours + "storage/"},
	},
	{
		folder: "mfagate/",
		allow:  []string{ours + "mfagate$", "github.com/pquerna/otp", "github.com/boombuler/barcode", "golang.org/x/crypto/argon2", "github.com/wneessen/go-mail$", ours + "mfagate/outofband$", "github.com/nyaruka/phonenumbers$", "github.com/andybalholm/cascadia$", "golang.org/x/net/html$", ours + "mfagate/loginform$"},
		never:  []string{caddy, badger, pgx, tink, ours + "storage/"},
	},
	{folder: "caddymodule", never: []string{ours + "tests/"}, free: true},
	{folder: "", never: []string{ours + "tests/"}, free: true},
}

type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

// TestImports keeps the core free of the server that it runs in, the pages free
// of the core, and production code free of tests. Packages called …test are
// suites for others' tests, and free.
func TestImports(t *testing.T) {
	standard, packages := list(t)
	for _, p := range packages {
		folder := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if strings.HasSuffix(folder, "test") || strings.HasPrefix(folder, "tests") {
			continue
		}
		for _, r := range rules {
			if folder == r.folder || strings.HasSuffix(r.folder, "/") && strings.HasPrefix(folder, r.folder) {
				check(t, p, r, standard)
			}
		}
	}
}

func check(t *testing.T, p pkg, r rule, standard map[string]bool) {
	t.Helper()
	for _, dep := range p.Deps {
		for _, bad := range r.never {
			if strings.HasPrefix(dep, bad) && !allowed(dep, r.but) {
				t.Errorf("%s depends on %s", p.ImportPath, dep)
			}
		}
		// Caddy's own libraries import it.
		if dep == "testing" && !r.free {
			t.Errorf("%s depends on testing", p.ImportPath)
		}
	}
	for _, imp := range p.Imports {
		if imp == "testing" || imp == "math/rand" || imp == "math/rand/v2" {
			t.Errorf("%s imports %s", p.ImportPath, imp)
		}
		if !r.free && !standard[imp] && !allowed(imp, r.allow) {
			t.Errorf("%s imports %s, which %q may not", p.ImportPath, imp, r.folder)
		}
	}
}

func allowed(imp string, allow []string) bool {
	for _, a := range allow {
		if exact, ok := strings.CutSuffix(a, "$"); ok && imp == exact || !ok && strings.HasPrefix(imp, a) {
			return true
		}
	}
	return false
}

// list returns the standard library's packages and the module's own.
func list(t *testing.T) (standard map[string]bool, own []pkg) {
	t.Helper()
	standard = make(map[string]bool)
	dec := json.NewDecoder(strings.NewReader(run(t, root(t), "go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", "./...")))
	for dec.More() {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Standard {
			standard[p.ImportPath] = true
		}
		if p.ImportPath == module || strings.HasPrefix(p.ImportPath, ours) {
			own = append(own, p)
		}
	}
	if len(own) < 5 {
		t.Fatalf("go list found only %d packages of the module", len(own))
	}
	return standard, own
}
