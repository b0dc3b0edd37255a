package caddymodule

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

// TestDoctorTellsOfBackups: none, one of today, and an old one; and a backup holds no word of when it was made.
func TestDoctorTellsOfBackups(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	if f := g.finding("none was ever made"); f.Result != resultWarning {
		t.Errorf("got %+v; want a warning", f)
	}
	made := g.admin(http.MethodGet, "/mfa/backup", "")
	if made.status != http.StatusOK {
		t.Fatalf("backup = %d", made.status)
	}
	if f := g.finding("the last one was made on"); f.Result != resultOK {
		t.Errorf("got %+v; want ok", f)
	}
	if bytes.Contains([]byte(made.body), []byte("meta/backup")) {
		t.Error("the backup holds when it was made")
	}
	a, err := running()
	if err != nil {
		t.Fatal(err)
	}
	records, err := a.app.resource.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := records.NoteBackup(t.Context(), time.Now().Add(-8*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if f := g.finding("8 days ago"); f.Result != resultWarning {
		t.Errorf("got %+v; want a warning", f)
	}
}

// TestDoctorTellsOfHeaderRoom: an app whose login page sets little, and one whose page sets much.
func TestDoctorTellsOfHeaderRoom(t *testing.T) {
	for size, want := range map[int]string{20: resultOK, 2000: resultWarning} {
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := range 3 {
				w.Header().Add("Set-Cookie", fmt.Sprintf("c:%d=%s; Path=/", i, strings.Repeat("x", size))) // no token, as some apps have it
			}
		}))
		t.Cleanup(app.Close)
		g := serveAdmin(t, proxying(strings.TrimPrefix(app.URL, "http://"), oracleForm+"}"))
		f := g.finding("the login page sets 3 cookies")
		if f.Result != want || !strings.Contains(f.Text, "of 8192 bytes") {
			t.Errorf("cookies of %d bytes: got %+v; want %s", size, f, want)
		}
	}
	if got := loginform.SealedLength(300) - 400; got != sealedMore() || got < 30 || got > 60 {
		t.Errorf("a sealed cookie takes %d bytes more", got)
	}
}

// TestDoctorTriesWhatTheRecipeNames, and finds them refused; and one that was opened.
func TestDoctorTriesWhatTheRecipeNames(t *testing.T) {
	app := oracle.Start(t, oracle.Everything())
	const try = " try POST /old-login where user=mfa-doctor password=x\n try GET /export?token=x\n"
	g := serveAdmin(t, observing(app, oracleForm+try+"}"))
	doors := func() map[string]triedDoor {
		all := make(map[string]triedDoor)
		for _, d := range g.diagnosis().Sites[0].Doors {
			all[d.Request] = d
		}
		return all
	}
	got := doors()
	for _, request := range []string{"POST /old-login", "GET /export?token=x", "GET /export?token=x with Basic credentials"} {
		if d, ok := got[request]; !ok || d.Result != "refused" {
			t.Errorf("%s: got %+v, %v; want refused", request, d, ok)
		}
	}
	if err := g.load("", observing(app, oracleForm+try+" public /notes\n try /notes\n}")); err != nil {
		t.Fatal(err)
	}
	if d := doors()["GET /notes"]; d.Result == "refused" {
		t.Errorf("GET /notes: got %+v; want that it passes", d)
	}
}

func TestTriesAreSentAsTheyStand(t *testing.T) {
	g := newGateway(t)
	for _, line := range []string{"try GET /a/*", "try a", "try GET|POST /x", "try POST /x where /json=1", "try"} {
		if _, err := adapt(g.caddyfile("", "mfa {\n"+oracleForm+line+"\n}\n}")); err == nil || !strings.Contains(err.Error(), "try") {
			t.Errorf("%q: error = %v; want one about try", line, err)
		}
	}
	for _, name := range recipes() {
		c, err := readRecipe(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Try) == 0 {
			t.Errorf("recipe %s names no side doors to try", name)
		}
	}
}

// TestDoctorLeavesNothing behind: no user, event, session or counter.
func TestDoctorLeavesNothing(t *testing.T) {
	app := oracle.Start(t, oracle.Everything())
	g := serveAdmin(t, observing(app, oracleForm+"}"))
	keys := func() string {
		a, err := running()
		if err != nil {
			t.Fatal(err)
		}
		records, err := a.vault().door.List(t.Context(), "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, r := range records {
			all = append(all, r.Key)
		}
		return strings.Join(all, "\n")
	}
	g.diagnosis()
	before := keys()
	g.diagnosis()
	if after := keys(); after != before || strings.Contains(after, "session/") || strings.Contains(after, "user/") || strings.Contains(after, "event/") || strings.Contains(after, "attempts/") {
		t.Errorf("the store holds\n%s\nafter a visit of the doctor; before it\n%s", after, before)
	}
}

// TestDoctorIsForTheAdminAPIOnly: the site has no such page.
func TestDoctorIsForTheAdminAPIOnly(t *testing.T) {
	g := serve(t, "PASSWORD\nmfa")
	for _, path := range []string{"/mfa/doctor", "/.mfa/doctor", "/.mfa/api/v1/doctor"} {
		if got := g.get(path); strings.Contains(got.body, "keyset") || strings.Contains(got.body, `"checks"`) {
			t.Errorf("%s = %d %s", path, got.status, got.body)
		}
	}
}

// TestDoctorTellsWhoseFilesTheyAre and how much room there is.
func TestDoctorTellsWhoseFilesTheyAre(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	if f := g.finding("MiB are free"); f.About != "disk" {
		t.Errorf("got %+v; want one about the disk", f)
	}
	if os.Geteuid() != 0 {
		return // only root gives files away; the rest was looked at
	}
	if err := os.Chown(g.dir+"/db.keyset.json", 12345, -1); err != nil {
		t.Fatal(err)
	}
	if f := g.finding("belongs to another user"); f.Result != resultDangerous {
		t.Errorf("got %+v; want dangerous", f)
	}
}

// TestRecipesShutTheirSideDoors puts each recipe before an app that answers everything with a page.
func TestRecipesShutTheirSideDoors(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", "Basic")
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "everything")
	}))
	t.Cleanup(app.Close)
	g := newGateway(t)
	g.socket = g.dir + "/admin.sock"
	for _, name := range recipes() {
		if err := g.load("", proxying(strings.TrimPrefix(app.URL, "http://"), "login_form "+name)); err != nil {
			t.Fatal(err)
		}
		d := g.diagnosis()
		c, err := readRecipe(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Sites) != 1 || len(d.Sites[0].Doors) < len(knownDoors)+len(c.Try) {
			t.Fatalf("%s: doors = %+v; want those of the recipe, too", name, d.Sites)
		}
		for _, door := range d.Sites[0].Doors {
			if door.Result == resultDangerous {
				t.Errorf("%s: %+v", name, door)
			}
		}
	}
}
