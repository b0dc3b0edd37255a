package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func TestGroups(t *testing.T) {
	tests := []struct {
		name, placeholder string
		values            []string // of the header or placeholder
		want              []string // nil: not known
		refused           bool
	}{
		{"not asked for", "", []string{"a"}, nil, false},
		{"none", "{header.Remote-Groups}", nil, []string{}, false},
		{"empty", "{header.Remote-Groups}", []string{" "}, []string{}, false},
		{"one", "{header.Remote-Groups}", []string{"helpdesk"}, []string{"helpdesk"}, false},
		{"commas", "{header.Remote-Groups}", []string{"staff, Domain Admins,,helpdesk "}, []string{"staff", "Domain Admins", "helpdesk"}, false},
		{"spaces", "{header.Remote-Groups}", []string{"staff  helpdesk"}, []string{"staff", "helpdesk"}, false},
		{"twice", "{header.Remote-Groups}", []string{"staff", "helpdesk"}, nil, true},
		{"of an answer", "{http.reverse_proxy.header.Remote-Groups}", []string{"staff,helpdesk"}, []string{"staff", "helpdesk"}, false},
		{"of a module", "{http.auth.user.groups}", []string{"staff helpdesk"}, []string{"staff", "helpdesk"}, false},
		{"not set", "{http.auth.user.groups}", nil, []string{}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &PlaceholderSource{Groups: test.placeholder}
			if err := s.Provision(caddy.Context{}); err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			repl := caddy.NewReplacer()
			r = caddyhttp.PrepareRequest(r, repl, nil, new(caddyhttp.Server))
			repl.Set("http.auth.user.id", "bob")
			for _, v := range test.values {
				r.Header.Add("Remote-Groups", v)
				repl.Set("http.reverse_proxy.header.Remote-Groups", v)
				repl.Set("http.auth.user.groups", v)
			}
			id, err := s.Identify(r)
			if test.refused {
				if !errors.Is(err, mfagate.ErrName) {
					t.Errorf("Identify = %+v, %v; want ErrName", id, err)
				}
				return
			}
			if err != nil || !slices.Equal(id.Groups, test.want) || (id.Groups == nil) != (test.want == nil) {
				t.Errorf("groups = %#v, %v; want %#v", id.Groups, err, test.want)
			}
		})
	}
}

// From everybody but the named proxy the header is taken off, so that nobody puts
// himself into a group.
func TestGroupsOfAnybody(t *testing.T) {
	const lines = "mfa /admin/* {\nuser {header.X-User}\ngroups {header.X-Groups}\nheader_from 192.0.2.1\n}\nhandle {\nrespond \"groups=[{header.X-Groups}]\"\n}"
	g := serve(t, lines)
	if got := g.get("/public", "X-Groups", "helpdesk").body; got != "groups=[]" {
		t.Errorf("the app was told %q; want groups=[]", got)
	}
}

// Whoever writes groups in one block and forgets them in another is told.
func TestForgottenGroupsAreLogged(t *testing.T) {
	const source = "user {http.vars.u}\n"
	tests := []struct {
		name, more string
		warned     bool
	}{
		{"in each", "mfa /payroll/* {\n" + source + "groups {http.vars.g}\n}", false},
		{"forgotten", "mfa /payroll/* {\n" + source + "}", true},
		{"pages", "mfa_pages", true},
	}
	for _, test := range tests {
		adapted, err := adapt("app.example.com {\nmfa {\n" + source + "groups {http.vars.g}\nadmins @helpdesk\n}\n" + test.more + "\n}\n")
		if err != nil {
			t.Fatal(err)
		}
		var config caddy.Config
		if err := json.Unmarshal(adapted, &config); err != nil {
			t.Fatal(err)
		}
		ctx, err := caddy.ProvisionContext(&config)
		if err != nil {
			t.Fatal(err)
		}
		app, err := ctx.AppIfConfigured("mfa")
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		app.(*App).sites.logOpenEnrolment(slog.New(slog.NewTextHandler(&log, nil)))
		if got := strings.Contains(log.String(), "write groups in each"); got != test.warned {
			t.Errorf("%s: the log says %q; want a warning: %v", test.name, log.String(), test.warned)
		}
	}
}
