package pages

import (
	"html"
	"slices"
	"strings"
	"testing"
)

// TestAdvice holds the pages to what the help of an app would tell people, in each
// language: so that nobody has to look for it elsewhere.
func TestAdvice(t *testing.T) {
	tests := []struct {
		rows  string
		state string
		keys  []string
	}{
		{"S2, S26, S58, S72", "challenge", []string{"challenge.title", "challenge.submit"}},
		{"S5, S10, S34", "enrol-totp", []string{"totp.open", "totp.scan", "totp.enter", "enrol.submit"}},
		{"S9, S33, S78", "enrol-totp", []string{"totp.manual", "totp.manual_help", "totp.account", "totp.issuer"}},
		{"S6, S31, S57", "enrol-totp", []string{"totp.get", "totp.get_help", "totp.ios", "totp.android"}},
		{"S7", "enrol-totp-phone", []string{"totp.open_app", "totp.show_qr"}},
		{"S27", "challenge", []string{"challenge.never_share"}},
		{"S13, S14, S74", "recovery-codes-first", []string{"recovery.download", "recovery.copy", "recovery.print", "recovery.print_hint"}},
		{"S15, S27, S50, S75, S76, S77", "recovery-codes-first", []string{
			"recovery.saved", "recovery.keep_safe", "recovery.keep_away", "recovery.keep_once", "recovery.why",
		}},
		{"S28", "recovery-codes-new", []string{"recovery.replaced"}},
		{"S35", "enrol-totp-wrong", []string{"error.code_wrong_enrol"}},
		{"S90", "challenge", []string{"challenge.lost", "recovery.enter_help", "recovery.enter_submit"}},
		{"S41, S91", "challenge-recovery", []string{"recovery.enter_none", "help.open"}},
		{"S41, S77, S91", "help", []string{"help.codes", "help.ask_below", "help.case_submit"}},
		{"S41", "help-case", []string{"help.case"}},
		{"S91, S92", "help-offer", []string{"request.offer_told", "request.submit"}},
		{"S20, S22", "security-optional", []string{"disable.open", "recovery.new_submit", "recovery.view"}},
		{"S23, S24", "disable", []string{"disable.what", "disable.password", "disable.submit"}},
		{"S40, S62", "disable-no-password", []string{"disable.no_password"}},
		{"S25, S63", "message-disabled", []string{"message.disabled.title", "message.disabled.text"}},
		{"S43, S47", "enrol-sms", []string{"factor.sms.explain", "factor.sms.to_help"}},
		{"S89", "ask", []string{"ask.name_help", "ask.code_help", "ask.none"}},
	}
	s := newSet(t, Options{})
	for _, c := range s.languages {
		for _, test := range tests {
			i := slices.IndexFunc(states(), func(st state) bool { return st.name == test.state })
			if i < 0 {
				t.Fatalf("%s: there is no state %s", test.rows, test.state)
			}
			page := html.UnescapeString(string(s.html(t, c, states()[i])))
			for _, key := range test.keys {
				want := s.Text(c.tag.String(), Text{Key: key})
				if want == "" || !strings.Contains(page, want) {
					t.Errorf("%s: the page %s in %s does not say %q", test.rows, test.state, c.tag, want)
				}
			}
		}
	}
}
