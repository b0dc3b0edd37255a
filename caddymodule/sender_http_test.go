package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// The password comes from the environment when the server starts, and is not in the
// configuration.
func TestHTTPSenderPassword(t *testing.T) {
	var user, password string
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { user, password, _ = r.BasicAuth() }))
	defer service.Close()
	s := &HTTPSender{
		URL: service.URL, User: "gate", Password: "{env.MFAGATE_TEST_SMS}",
		Form: map[string]string{"to": "{to}", "text": "{text}"},
	}
	if err := s.Validate(); err != nil {
		t.Errorf("Validate without the environment: %v; want nothing", err)
	}
	if _, err := s.Sender(); err == nil || !strings.Contains(err.Error(), "password: {env.MFAGATE_TEST_SMS}") {
		t.Errorf("err = %v; want one that names what is missing", err)
	}
	t.Setenv("MFAGATE_TEST_SMS", "s3cret{to}\n")
	sender, err := s.Sender()
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), "+491701234567", mfagate.Message{Text: "x"}); err != nil || user != "gate" || password != "s3cret{to}" {
		t.Errorf("%v; signed in as %q with %q; want gate with the password from the environment", err, user, password)
	}
}

// A placeholder of a request would let somebody else choose what is sent where.
func TestHTTPSenderPlaceholderOfRequest(t *testing.T) {
	for _, value := range []string{"{http.request.header.X}", "{system.hostname}", "{time.now}", "{}"} {
		s := &HTTPSender{URL: "https://sms.example.com/", Form: map[string]string{"to": "{to}", "text": "{text}", "x": value}}
		if err := s.Validate(); err == nil {
			t.Errorf("%s is accepted", value)
		}
	}
}
