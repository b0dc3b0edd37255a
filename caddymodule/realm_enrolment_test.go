package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A factor that was enrolled on one site of a realm opens all of them, so the
// weakest site must not decide who may enrol.
func TestEnrolmentIsOfTheRealm(t *testing.T) {
	g := newGateway(t)
	second := gatetest.FreePort(t)
	text := g.caddyfile("realm office", "PASSWORD\nmfa {\nenroll_from ticket\n}")
	sister := strings.NewReplacer("PASSWORD", alicesPassword).Replace("\nhttp://localhost:PORT {\nbind 127.0.0.1\nPASSWORD\nmfa\nrespond APP-ANSWERED\n}\n")
	text += strings.ReplaceAll(sister, "PORT", fmt.Sprint(second))
	adapted, err := adapt(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.loadJSON(adapted); err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://localhost:"+fmt.Sprint(second)+"/.mfa/api/v1/enroll/totp", strings.NewReader("{}"))
	r.SetBasicAuth("alice", "correct horse battery staple")
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("enrolment on the sister site = %d; want 403", resp.StatusCode)
	}
}
