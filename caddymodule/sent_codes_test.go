package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

var sentCode = regexp.MustCompile(`\b[0-9]{6}\b`)

// Alice enrols a phone, whose codes come over a gateway of HTTP, and a mailbox,
// whose codes come over a server of SMTP.
func TestSentCodes(t *testing.T) {
	texts := make(chan string, 10)
	sms := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		texts <- r.FormValue("to") + "\n" + r.FormValue("text")
	}))
	defer sms.Close()
	port, mails := newMailbox(t)
	g := newGateway(t)
	global := fmt.Sprintf("factor totp\nfactor email\nfactor sms {\ncountries DE\n}\n"+
		"sender smtp 127.0.0.1:%d {\nfrom mfa@example.com\ntls none\n}\n"+
		"sender http %s {\nform to {to}\nform text {text}\n}\n", port, sms.URL)
	if err := g.load(global, "PASSWORD\nmfa"); err != nil {
		t.Fatal(err)
	}

	p := &person{g: g}
	p.keep(g.get("/"))
	var begun struct {
		Enrollment string `json:"enrollment"`
		SentTo     string `json:"sent_to"`
	}
	var done struct {
		Credential struct{ Factor, Label string }
	}
	p.ask("POST", "enroll/sms", map[string]string{"to": "01511 2345642"}, &begun)
	text := <-texts
	if begun.SentTo != "•• 42" || !strings.HasPrefix(text, "+4915112345642\n") || !strings.Contains(text, "@localhost #"+sentCode.FindString(text[15:])) {
		t.Errorf("sent to %q the text %q; want a code to +4915112345642, bound to the host", begun.SentTo, text)
	}
	p.ask("POST", "enroll/sms/confirm", map[string]string{"enrollment": begun.Enrollment, "code": sentCode.FindString(text[15:])}, &done)
	if done.Credential.Factor != "sms" || done.Credential.Label != "•• 42" {
		t.Errorf("enrolled %+v; want sms, masked", done.Credential)
	}

	q := &person{g: g}
	q.keep(g.get("/"))
	q.ask("POST", "challenge/begin", map[string]string{"method": "sms", "purpose": "settings"}, &begun)
	q.ask("POST", "challenge", map[string]string{"method": "sms", "purpose": "settings", "code": sentCode.FindString((<-texts)[15:])}, &done)
	q.ask("POST", "enroll/email", map[string]string{"to": "alice@example.com"}, &begun)
	mail := <-mails
	if !strings.Contains(mail, "Subject: Your code for localhost") || begun.SentTo != "a•••@example.com" {
		t.Errorf("sent to %q: %s; want a code", begun.SentTo, mail)
	}
	body := mail[strings.Index(mail, "Your code for localhost is"):]
	q.ask("POST", "enroll/email/confirm", map[string]string{"enrollment": begun.Enrollment, "code": sentCode.FindString(body)}, &done)
	if done.Credential.Factor != "email" {
		t.Errorf("enrolled %+v; want email", done.Credential)
	}
}

// What a placeholder of the sender stands for must be there when the server starts,
// not when the first code is asked for.
func TestSentCodesWithoutPassword(t *testing.T) {
	g := newGateway(t)
	err := g.load("factor totp\nfactor sms {\ncountries DE\n}\nsender http https://sms.example.com/ {\nform to {to}\nform text {text}\nuser gate\npassword {env.MFAGATE_TEST_IS_NOT_SET}\n}\n", "PASSWORD\nmfa")
	if err == nil || !strings.Contains(err.Error(), "MFAGATE_TEST_IS_NOT_SET") {
		t.Errorf("got error %v; want one that names what is missing", err)
	}
}
