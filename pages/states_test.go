package pages

import (
	_ "embed"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

//go:embed testdata/qr.txt
var qrFixture string // the size, and the path on the next line

// totpView has the fields of the view that the factor totp gives to its page.
type totpView struct {
	Secret          string
	Groups          []string
	Account, Issuer string
	URL             template.URL
	QR              qrPicture
	Apps            []app
}

type (
	qrPicture struct {
		Size int
		Path string
	}
	app struct{ Name, IOS, Android, Web string }
)

func totpFixture() totpView {
	size, path, _ := strings.Cut(qrFixture, "\n")
	n, _ := strconv.Atoi(size)
	return totpView{
		Secret:  "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
		Groups:  []string{"JBSW", "Y3DP", "EHPK", "3PXP", "JBSW", "Y3DP", "EHPK", "3PXP"},
		Account: "alice", Issuer: "Intranet",
		URL: "otpauth://totp/Intranet:alice?algorithm=SHA1&digits=6&issuer=Intranet&period=30&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
		QR:  qrPicture{n, strings.TrimSpace(path)},
		Apps: []app{
			{"Microsoft Authenticator", "https://apps.apple.com/app/id983156458", "https://play.google.com/store/apps/details?id=com.azure.authenticator", ""},
			{"Google Authenticator", "https://apps.apple.com/app/id388497605", "https://play.google.com/store/apps/details?id=com.google.android.apps.authenticator2", ""},
			{"Twilio Authy", "https://apps.apple.com/app/id494168017", "https://play.google.com/store/apps/details?id=com.authy.authy", "https://www.authy.com/download/"},
		},
	}
}

var (
	made = time.Date(2026, time.November, 21, 18, 5, 0, 0, time.UTC)

	codesFixture = []string{
		"7K3M-Q9TZ-0WXE-R5AN", "H2VB-8CYD-6GJP-S41F", "M9QA-3ETN-ZX70-KW5R", "B6DC-Y8PV-J2GH-14FS", "T0ZN-5RXW-A7QK-E3M9",
		"C1PF-VJ6Y-4SDG-28HB", "W5EX-K0MA-9NTR-Q73Z", "G8JS-D2BH-F1YC-6VP4", "3RQZ-TM7K-XE0N-W9A5", "P4YF-61SV-HBDC-J8G2",
	}
)

// A state is one thing that a person can see.
type state struct {
	name  string
	frame Frame
	page  Page
}

// states are all that is looked at, in every language.
func states() []state {
	f := Frame{Site: "Intranet", User: "alice", Token: "form-token", Return: "/reports?year=2026", SignOut: true,
		Support: Support{Text: "IT service desk, extension 4711", URL: "mailto:help@example.com"}}
	with := func(change func(*Frame)) Frame { g := f; change(&g); return g }
	wrong := func(key string, args ...any) Frame {
		return with(func(g *Frame) { g.Error = Text{key, args} })
	}
	notice := func(key string, args ...any) Frame {
		return with(func(g *Frame) { g.Notice = Text{key, args} })
	}
	stranger := with(func(g *Frame) { g.User, g.SignOut, g.Return = "", false, "/reset-password?token=4711" })
	strangerWrong := func(key string, args ...any) Frame {
		g := stranger
		g.Error = Text{key, args}
		return g
	}
	phone := with(func(g *Frame) { g.Device = "ios" })
	enrol := Enrol{Factor: "totp", View: totpFixture()}
	methods := []string{"totp", "recovery"}
	challenge := Challenge{Method: "totp", Methods: methods, Purpose: "sign_in"}
	recovery := Challenge{Method: "recovery", Methods: methods, Purpose: "sign_in"}
	several := Challenge{Method: "totp", Methods: []string{"totp", "webauthn", "sms", "recovery"}, Purpose: "settings"}
	wait := challenge
	wait.Wait = 90 * time.Second
	codes := RecoveryCodes{Codes: codesFixture, Set: "set-1", Count: 10, First: true, Made: made}
	fresh := codes
	fresh.First = false
	security := Security{HasCodes: true, CodesLeft: 9, CodesTotal: 10, CodesMade: made, Proved: true, CodesShown: true, Continue: "/reports?year=2026", Activity: []Activity{
		{Kind: "passed", Factor: "totp", Label: "My phone", Remote: "192.0.2.7", Time: made},
		{Kind: "codes_made", Time: made}, {Kind: "carrier_pigeon", Remote: "2001:db8::1", Time: made}},
		Credentials: []Credential{
			{"1", "totp", "Work phone", made, made.Add(50 * time.Hour)},
			{"2", "totp", "", made.Add(24 * time.Hour), time.Time{}},
		}}
	away := Missed{Last: "m3", Notices: []Activity{
		{Kind: "enrolled", Factor: "totp", Label: "Work phone", Remote: "192.0.2.7", Time: made.Add(time.Hour)},
		{Kind: "reset", Time: made}, {Kind: "recovery_used", Factor: "recovery", Remote: "2001:db8::1", Time: made.Add(-time.Hour)}}}
	missed := security
	missed.Missed = away
	mailed, unmailed := security, security
	mailed.Mail, unmailed.Mail = Mail{On: true, To: "a•••@example.com"}, Mail{On: true, Choose: true}
	optional := security
	optional.Optional = true
	low := security
	low.CodesLeft, low.Proved = 1, false
	none := low
	none.CodesLeft = 0
	hashed := security
	hashed.CodesShown = false
	return append(slices.Concat(sentStates(), adminStates(), requestStates(), loginStates()), []state{
		{"choose", f, Choose{Factors: []string{"totp"}, First: true}},
		{"choose-later", f, Choose{Factors: []string{"totp"}, First: true, Later: "/"}},
		{"choose-ticket-later", f, Choose{TicketNeeded: true, First: true, Later: "/reports?year=2026"}},
		{"choose-several", f, Choose{Factors: []string{"totp", "webauthn"}}},
		{"choose-ticket", f, Choose{TicketNeeded: true, First: true}},
		{"choose-ticket-wrong", wrong("error.ticket_wrong"), Choose{TicketNeeded: true, First: true}},
		{"choose-ticket-accepted", f, Choose{Factors: []string{"totp"}, TicketNeeded: true, HasTicket: true, First: true}},
		{"choose-network", wrong("error.network"), Choose{First: true}},
		{"enrol-totp", f, enrol},
		{"enrol-totp-phone", phone, enrol},
		{"enrol-totp-wrong", wrong("error.code_wrong_enrol"), enrol},
		{"recovery-codes-first", notice("notice.enrolled"), codes},
		{"recovery-codes-unsaved", wrong("error.saved_required"), codes},
		{"recovery-codes-view", f, RecoveryCodes{Codes: codesFixture[:7], Count: 7, View: true, Made: made}},
		{"recovery-codes-new", notice("notice.codes_made"), fresh},
		{"challenge", f, challenge},
		{"challenge-wrong", wrong("error.code_wrong"), challenge},
		{"challenge-wait", f, wait},
		{"challenge-locked", wrong("error.locked", 90*time.Second), wait},
		{"challenge-several", f, several},
		{"challenge-recovery", f, recovery},
		{"challenge-recovery-wrong", wrong("error.recovery_wrong"), recovery},
		{"challenge-recovery-only", f, Challenge{Method: "recovery", Methods: []string{"recovery"}}},
		{"security", f, security},
		{"security-mail", f, mailed},
		{"security-no-mail", f, unmailed},
		{"address", f, Address{}},
		{"address-bad", wrong("error.address_bad"), Address{To: "a•••@example.com"}},
		{"address-code", f, Address{Asked: "alice@example.com"}},
		{"address-code-wrong", wrong("error.address_code"), Address{Asked: "alice@example.com"}},
		{"address-given", f, Address{To: "a•••@example.com", Given: true}},
		{"security-missed", f, missed},
		{"missed", f, away},
		{"security-optional", f, optional},
		{"security-hashed", f, hashed},
		{"sign-out", f, SignOut{}},
		{"help", f, Help{}},
		{"help-case", f, Help{Case: "K7QF-3M2A"}},
		{"ask", stranger, Ask{}},
		{"ask-wrong", strangerWrong("ask.wrong"), Ask{Name: "alice"}},
		{"ask-locked", strangerWrong("ask.locked", 14*time.Minute), Ask{Name: "alice"}},
		{"ask-app", stranger, Ask{App: true}},
		{"ask-ticket", stranger, AskTicket{Ticket: "7ZK3M9QXT4BN8WRC5VHJ2PDGAE"}},
		{"ask-ticket-wrong", strangerWrong("ask.ticket_wrong"), AskTicket{Name: "alice", Ticket: "7ZK3M9QXT4BN8WRC5VHJ2PDGAE"}},
		{"sign-out-app", f, SignOut{App: true}},
		{"disable", f, Disable{Password: true}},
		{"disable-wrong", wrong("error.password_wrong"), Disable{Password: true}},
		{"disable-no-password", f, Disable{}},
		{"disable-not-asked", f, Disable{Unasked: true}},
		{"disable-required", f, Disable{Required: true}},
		{"message-disabled", Frame{Site: "Intranet"}, Message{Title: Text{Key: "message.disabled.title"}, Text: Text{Key: "message.disabled.text"}, Link: "/", Label: Text{Key: "label.continue"}}},
		{"security-low", notice("notice.passed_recovery", 1), low},
		{"security-empty", wrong("error.try_again"), none},
		{"security-nothing", f, Security{}},
		{"message", f, Message{Title: Text{Key: "message.unavailable.title"}, Text: Text{Key: "message.unavailable.text"},
			Status: 503, Link: "/.mfa/", Label: Text{Key: "label.security"}}},
		{"message-signed-out-all", Frame{Site: "Intranet", Notice: Text{Key: "notice.signed_out_all"}}, Message{Title: Text{Key: "message.signed_out.title"},
			Text: Text{Key: "message.signed_out.text"}}},
		{"message-signed-out", Frame{Site: "Intranet", Notice: Text{Key: "notice.signed_out"}}, Message{Status: 200, Title: Text{Key: "message.signed_out.title"},
			Text: Text{Key: "message.signed_out.text"}, Link: "/", Label: Text{Key: "label.sign_in_again"}}},
	}...)
}

func newSet(t *testing.T, o Options) *Set {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return made }
	return s
}
