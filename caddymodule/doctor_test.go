package caddymodule

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/oracle"
)

const oracleForm = "login_form {\n page /login\n submit /login\n user user\n password password\n success status 302 set_cookie sid\n identify probe GET /whoami json /user\n public /static/**\n logout /logout\n"

func (g *gateway) diagnosis() diagnosis {
	g.t.Helper()
	got := g.admin(http.MethodGet, "/mfa/doctor", "")
	var d diagnosis
	if err := json.Unmarshal([]byte(got.body), &d); err != nil || got.status != http.StatusOK {
		g.t.Fatalf("GET /mfa/doctor = %d %s", got.status, got.body)
	}
	return d
}

// TestDoctorFindsNoDoor tries an app that takes credentials in every way there is.
func TestDoctorFindsNoDoor(t *testing.T) {
	app := oracle.Start(t, oracle.Everything())
	g := serveAdmin(t, observing(app, oracleForm+" refuse /xmlrpc POST|GET /api/**\n}"))
	d := g.diagnosis()
	if d.dangerous() {
		t.Errorf("dangerous: %+v", d)
	}
	if len(d.Sites) != 1 || len(d.Sites[0].Doors) < 20 {
		t.Fatalf("doors = %+v; want at least 20 of one site", d.Sites)
	}
	for _, door := range d.Sites[0].Doors {
		if door.Result != "refused" {
			t.Errorf("%+v; want refused", door)
		}
	}
	for _, a := range app.Acts() {
		if a.User != "" {
			t.Errorf("the app acted: %+v", a)
		}
	}
}

// TestDoctorFindsDoors opens some by mistake.
func TestDoctorFindsDoors(t *testing.T) {
	for name, lines := range map[string]string{
		"public for all":  "mfa {\n" + oracleForm + " public /**\n}\n}",
		"beside the gate": "@not not path /wp-json/ /api/*\nmfa @not {\n" + oracleForm + "}\n}",
	} {
		g := serveAdmin(t, lines)
		d := g.diagnosis()
		found := false
		for _, s := range d.Sites {
			for _, door := range s.Doors {
				found = found || door.Result == resultDangerous
			}
		}
		if !found || !d.dangerous() {
			t.Errorf("%s: nothing dangerous in %+v", name, d.Sites)
		}
	}
}

func TestDoctorLooksAtFiles(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	if d := g.diagnosis(); d.dangerous() {
		t.Errorf("dangerous: %+v", d.Checks)
	}
	if err := os.Chmod(filepath.Join(g.dir, "db.keyset.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := g.diagnosis()
	if !d.dangerous() || !strings.Contains(d.Checks[0].Text, "chmod 0600") {
		t.Errorf("checks = %+v; want chmod 0600 first", d.Checks)
	}
}

func TestDoctorWarnsOfObserving(t *testing.T) {
	g, _ := observed(t, oracle.Options{})
	if d := g.diagnosis(); !d.dangerous() || len(d.Sites) != 0 {
		t.Errorf("diagnosis = %+v; want a warning that everything passes", d)
	}
}

// Where only a typed name tells who people are, each needs a ticket: enrolment is not open there.
func TestDoctorKnowsWhereEnrolmentIsOpen(t *testing.T) {
	for lines, want := range map[string]bool{"user u\nidentify probe GET /me json /name": true, "user u": false, "user const shared": false} {
		g := serveAdmin(t, "mfa {\nlogin_form {\npage /login\nsubmit /login\n"+lines+"\npassword p\nsuccess status 302\n}\n}")
		open := false
		for _, check := range g.diagnosis().Checks {
			open = open || strings.Contains(check.Text, "first enrolment is open")
		}
		if open != want {
			t.Errorf("%q: told that enrolment is open: %v; want %v", lines, open, want)
		}
	}
}

// TestNobodyElseWalks: the mark is no header.
func TestNobodyElseWalks(t *testing.T) {
	w := walkOf(&http.Request{})
	w.met()
	w.passed(&http.Request{})
	if w != nil {
		t.Error("a plain request is taken for one of the doctor's")
	}
}
