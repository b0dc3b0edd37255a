package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/mfagate/caddy-mfagate/storage"
)

// app returns the app of the running configuration.
func app(t *testing.T) *App {
	t.Helper()
	mod, err := caddy.ActiveContext().AppIfConfigured("mfa")
	if err != nil {
		t.Fatal(err)
	}
	return mod.(*App)
}

// shares tells how many configurations hold the gateway's store.
func (g *gateway) shares() int {
	dir, err := realPath(filepath.Join(g.dir, "db"))
	if err != nil {
		g.t.Fatal(err)
	}
	n, _ := resources.References("badger " + dir)
	return n
}

func (g *gateway) wantShares(want int, when string) {
	g.t.Helper()
	if got := g.shares(); got != want {
		g.t.Errorf("%s the store has %d users; want %d", when, got, want)
	}
}

func TestReloadKeepsRecords(t *testing.T) {
	g := serve(t, "PASSWORD\nmfa")
	before, err := app(t).resource.open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	g.wantShares(1, "after the start")
	for i := range 5 {
		if err := g.load(fmt.Sprintf("issuer %d", i), "PASSWORD\nmfa"); err != nil {
			t.Fatal(err)
		}
	}
	after, err := app(t).resource.open(context.Background())
	if err != nil || after != before {
		t.Errorf("after reloads there are other records, and so another cache of sessions (%v)", err)
	}
	g.wantShares(1, "after reloads")
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	g.wantShares(0, "after the stop")
}

// The folder can be named in many ways; it is one resource.
func TestFolderByOtherName(t *testing.T) {
	g := serve(t, "PASSWORD\nmfa")
	if err := os.Symlink(g.dir, g.dir+".link"); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(g.dir + ".link")
	text := strings.Replace(g.caddyfile("keyset DIR/db.keyset.json", "PASSWORD\nmfa"), "store badger "+g.dir, "store badger "+g.dir+".link/./", 1)
	adapted, err := adapt(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.loadJSON(adapted); err != nil {
		t.Fatalf("loading by another name of the folder: %v", err)
	}
	g.wantShares(1, "after the reload")
}

func TestFailedLoadsGiveBackWhatTheyTook(t *testing.T) {
	g := serve(t, "PASSWORD\nmfa")
	tests := []struct{ name, global, lines, want string }{
		{"provision of the app, before the store", "theme DIR/none", "mfa", "no such file"},
		{"provision of the app, at the store", "keyset DIR/other.json", "mfa", "restart"},
		{"provision of the app, after the store", "webhook https://x.example {\nsecret {env.MFA_NO_SUCH_SECRET}\n}", "mfa", "empty"},
		{"validation of a handler", "", "mfa {\nfactors pigeon\n}", "pigeon"},
		{"provision of a handler", "", "mfa\nmfa {\nrealm x\n}", "realm"},
	}
	for _, test := range tests {
		err := g.load(test.global, "PASSWORD\n"+test.lines)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: load = %v; want an error with %q", test.name, err, test.want)
		}
		g.wantShares(1, "after a failed "+test.name)
		if got := g.get("/"); got.status != http.StatusUnauthorized {
			t.Errorf("%s: the running configuration answers %d; want 401", test.name, got.status)
		}
	}
}

// The admin server belongs to the configuration that failed, yet must find the
// app of the one that runs.
func TestFailedReloadLeavesAdmin(t *testing.T) {
	g := newGateway(t)
	g.socket = filepath.Join(g.dir, "admin.sock")
	if err := g.load("", "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}
	enrol(g)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := g.port
	g.port = taken.Addr().(*net.TCPAddr).Port
	other := strings.Replace(g.caddyfile("", "PASSWORD\nmfa"), g.dir+"/db", g.dir+"/other", 1)
	g.port = port
	adapted, err := adapt(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.loadJSON(adapted); err == nil {
		t.Fatal("a configuration with a taken port was loaded")
	}
	g.wantShares(1, "after a failed reload")
	if got := g.admin(http.MethodGet, "/mfa/users", ""); got.status != http.StatusOK || !strings.Contains(got.body, `"user":"alice"`) {
		t.Errorf("GET /mfa/users = %d %s; want alice, whom only the running configuration knows", got.status, got.body)
	}
}

func TestValidateOpensNothing(t *testing.T) {
	g := newGateway(t)
	adapted, err := adapt(g.caddyfile("", "PASSWORD\nmfa"))
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(g.dir, "db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("validating made the folder of the database (%v)", err)
	}
	g.wantShares(0, "after validating")
}

func TestMendedStoreOpensAtNextLoad(t *testing.T) {
	g := newGateway(t)
	g.file("db.keyset.json", "garbage")
	err := g.load("", "PASSWORD\nmfa")
	if err == nil || !strings.Contains(err.Error(), "db.keyset.json") {
		t.Fatalf("load = %v; want an error that names the file", err)
	}
	g.wantShares(0, "after a failed start")
	if err := os.Remove(filepath.Join(g.dir, "db.keyset.json")); err != nil {
		t.Fatal(err)
	}
	if err := g.load("", "PASSWORD\nmfa"); err != nil {
		t.Errorf("after mending: %v", err)
	}
}

// flakyStore cannot be opened until it is mended.
type flakyStore struct {
	BadgerStore
	mended atomic.Bool
	opened atomic.Int32
}

func (s *flakyStore) Open(ctx context.Context) (storage.Store, error) {
	s.opened.Add(1)
	if !s.mended.Load() {
		return nil, errors.New("disk is away")
	}
	return s.BadgerStore.Open(ctx)
}

// A resource that failed to open must not stay so while somebody still holds it.
func TestFailedResourceIsNotPoisoned(t *testing.T) {
	dir := t.TempDir()
	store := &flakyStore{BadgerStore: BadgerStore{dir: filepath.Join(dir, "db")}}
	r, err := acquire(store, filepath.Join(dir, "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.open(context.Background()); err == nil {
		t.Fatal("a store that is away was opened")
	}
	store.mended.Store(true)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := r.open(context.Background()); err != nil {
				t.Errorf("after mending: %v", err)
			}
		})
	}
	wg.Wait()
	if got := store.opened.Load(); got != 2 {
		t.Errorf("the store was opened %d times; want 2", got)
	}
	if err := r.release(); err != nil {
		t.Error(err)
	}
}

// A site without a global block has the defaults; two of them share one app.
func TestNoGlobalBlock(t *testing.T) {
	g := newGateway(t)
	t.Setenv("XDG_DATA_HOME", g.dir)
	adapted, err := adapt(fmt.Sprintf("{\nadmin off\nauto_https off\n}\nhttp://localhost:%d {\nmfa\n}\n", g.port))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.loadJSON(adapted); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mfagate", "mfagate.keyset.json"} {
		info, err := os.Stat(filepath.Join(g.dir, "caddy", name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s in the data folder: %v, %v; want it there, for its owner only", name, info, err)
		}
	}
}

var lastSite []string // where the directive mfa_test_site stood

func init() {
	httpcaddyfile.RegisterDirective("mfa_test_site", func(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
		lastSite = siteAddresses(h)
		return nil, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("mfa_test_site", httpcaddyfile.After, "forward_auth")
}

// siteAddresses reads what Caddy does not export; this fails if it moves.
func TestSiteAddresses(t *testing.T) {
	_, err := adapt("(s) {\nroute {\nmfa_test_site\n}\n}\na.example.com, http://B.example.com:81 {\nhandle {\nimport s\n}\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	got := lastSite
	if want := "a.example.com|http://b.example.com:81"; strings.Join(got, "|") != want {
		t.Errorf("site = %q; want %s: has a new version of Caddy moved httpcaddyfile.Helper.parentBlock?", got, want)
	}
}

func TestSiteURL(t *testing.T) {
	for address, want := range map[string]string{
		"app.example.com":             "https://app.example.com",
		"https://app.example.com":     "https://app.example.com",
		"https://app.example.com:443": "https://app.example.com",
		"app.example.com:8443":        "https://app.example.com:8443",
		"http://localhost:8080":       "http://localhost:8080",
		"http://app.example.com":      "http://app.example.com",
		"app.example.com:80":          "http://app.example.com",
		":8080":                       "http://localhost:8080",
		":80":                         "http://localhost",
		":443":                        "https://localhost",
		"http://":                     "http://localhost",
		"[::1]:8080":                  "https://[::1]:8080",
		"*.example.com":               "",
	} {
		if got := siteURL(address); got != want {
			t.Errorf("siteURL(%q) = %q; want %q", address, got, want)
		}
	}
}
