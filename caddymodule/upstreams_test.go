package caddymodule

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestRoutesAroundTheGate: O-39. Each configuration has an app at port 9, and one way to it past the gate or none.
func TestRoutesAroundTheGate(t *testing.T) {
	for name, test := range map[string]struct {
		lines string // of the site
		more  string // of the file
		want  string // in what is said; empty: nothing
	}{
		"one way":                       {"mfa\nreverse_proxy localhost:9", "", ""},
		"handle beside":                 {"handle /api/* {\nreverse_proxy localhost:9\n}\nhandle {\nmfa\nreverse_proxy localhost:9\n}", "", "/api/* on"},
		"handle beside, deeper":         {"handle /a/* {\nroute {\nhandle /a/b/* {\nreverse_proxy 127.0.0.1:9\n}\n}\n}\nhandle {\nmfa\nreverse_proxy localhost:9\n}", "", "/a/b/*"},
		"gate before both":              {"mfa\nhandle /api/* {\nreverse_proxy localhost:9\n}\nhandle {\nreverse_proxy localhost:9\n}", "", ""},
		"gate in each":                  {"handle /api/* {\nmfa\nreverse_proxy localhost:9\n}\nhandle {\nmfa\nreverse_proxy localhost:9\n}", "", ""},
		"the gate's matcher":            {"mfa /admin/*\nreverse_proxy localhost:9", "", ""},
		"pages protect nothing":         {"mfa_pages\nhandle /api/* {\nreverse_proxy localhost:9\n}\nhandle {\nmfa\nreverse_proxy localhost:9\n}", "", "/api/* on"},
		"another app beside":            {"handle /api/* {\nreverse_proxy localhost:8\n}\nhandle {\nmfa\nreverse_proxy localhost:9\n}", "", ""},
		"another site":                  {"mfa\nreverse_proxy localhost:9", "http://other.localhost:4 {\nreverse_proxy [::1]:9\n}", "other.localhost on :4"},
		"another site with its gate":    {"mfa {\nrealm a\n}\nreverse_proxy localhost:9", "http://other.localhost:4 {\nmfa {\nrealm b\n}\nreverse_proxy localhost:9\n}", ""},
		"a route that is named":         {"mfa\nreverse_proxy localhost:9", "&(app) {\nreverse_proxy localhost:9\n}\nhttp://other.localhost:4 {\ninvoke app\n}", "other.localhost on :4"},
		"the page for errors":           {"handle {\nmfa\nreverse_proxy localhost:9\n}\nhandle_errors {\nreverse_proxy localhost:9\n}", "", "errors"},
		"a socket":                      {"handle /api/* {\nreverse_proxy unix//run/app.sock\n}\nhandle {\nmfa\nreverse_proxy unix//run/app.sock\n}", "", "unix//run/app.sock"},
		"one of several apps":           {"handle /api/* {\nreverse_proxy localhost:7 localhost:9\n}\nhandle {\nmfa\nreverse_proxy localhost:9\n}", "", "localhost:9"},
		"forward_auth is no way to it":  {"forward_auth localhost:7 {\nuri /verify\ncopy_headers Remote-User\n}\nmfa\nreverse_proxy localhost:9", "", ""},
		"a gate for some paths, nested": {"route {\nmfa /admin/*\n}\nreverse_proxy localhost:9", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			file := g.caddyfile("", test.lines) + "\n" + test.more
			adapted, err := adapt(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.loadJSON(adapted); err != nil {
				t.Fatal(err)
			}
			found := bypasses(waysOf(caddy.ActiveContext()))
			switch {
			case test.want == "" && len(found) > 0:
				t.Errorf("got %+v; want nothing", found)
			case test.want != "" && (len(found) != 1 || !strings.Contains(found[0].text, test.want)):
				t.Errorf("got %+v; want one with %q", found, test.want)
			}
			log, err := os.ReadFile(filepath.Join(g.dir, "log"))
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Contains(string(log), "a route goes around the gate"); said != (test.want != "") {
				t.Errorf("the log warns: %v; want %v", said, test.want != "")
			}
		})
	}
}

// TestDoctorTellsOfRoutesAround, and of none where there is none.
func TestDoctorTellsOfRoutesAround(t *testing.T) {
	app := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(app.Close)
	addr := strings.TrimPrefix(app.URL, "http://")
	g := serveAdmin(t, "handle /api/* {\nreverse_proxy "+addr+"\n}\nhandle {\nmfa\nreverse_proxy "+addr+"\n}")
	if f := g.finding("without the gate"); f.Result != resultDangerous {
		t.Errorf("got %+v; want dangerous", f)
	}
	if err := g.load("", "mfa\nreverse_proxy "+addr); err != nil {
		t.Fatal(err)
	}
	if f := g.finding("no other route of this configuration"); f.Result != resultOK {
		t.Errorf("got %+v; want ok", f)
	}
}

// finding returns what the doctor says with a word in it.
func (g *gateway) finding(word string) finding {
	g.t.Helper()
	d := g.diagnosis()
	i := slices.IndexFunc(d.Checks, func(f finding) bool { return strings.Contains(f.Text, word) })
	if i < 0 {
		g.t.Errorf("nothing with %q in %+v", word, d.Checks)
		return finding{}
	}
	return d.Checks[i]
}

// TestDoctorTriesTheAppsOwnAddress: 127.0.0.2 stands for the address that others know this machine by.
func TestDoctorTriesTheAppsOwnAddress(t *testing.T) {
	real := ownAddresses
	t.Cleanup(func() { ownAddresses = real })
	ownAddresses = func() []net.IP { return []net.IP{net.IPv4(127, 0, 0, 2)} }
	for bind, want := range map[string]finding{
		"127.0.0.1": {resultOK, "", "open on this machine only"},
		"0.0.0.0":   {resultDangerous, "", "go around the gateway"},
	} {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", bind+":0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		var d diagnosis
		d.address(t.Context(), "localhost:"+port, "site")
		if len(d.Checks) != 1 || d.Checks[0].Result != want.Result || !strings.Contains(d.Checks[0].Text, want.Text) {
			t.Errorf("bound to %s: got %+v; want %s", bind, d.Checks, want.Result)
		}
		l.Close()
	}
	for upstream, want := range map[string]string{"192.0.2.7:80": resultWarning, "{http.vars.app}": resultWarning, "unix//run/app.sock": resultOK} {
		var d diagnosis
		d.address(context.Background(), upstream, "site")
		if len(d.Checks) != 1 || d.Checks[0].Result != want {
			t.Errorf("%s: got %+v; want %s", upstream, d.Checks, want)
		}
	}
}
