package pages

import "time"

// sentView has the fields of the view that factors give to their pages that send
// codes.
type sentView struct {
	SentTo, Kind, To, Known string
	Fixed                   bool
	Choices                 []sentChoice
}

type sentChoice struct {
	ID, To     string
	Sent, Main bool
}

// sentStates are those of the factors that send codes.
func sentStates() []state {
	f := Frame{Site: "Intranet", User: "alice", Token: "form-token", Return: "/reports?year=2026", SignOut: true,
		Support: Support{Text: "IT service desk, extension 4711", URL: "mailto:help@example.com"}}
	wrong := func(key string, args ...any) Frame { g := f; g.Error = Text{key, args}; return g }
	number := Enrol{Factor: "sms", ID: "E1", View: sentView{Kind: "tel"}}
	known := Enrol{Factor: "sms", ID: "E1", View: sentView{Kind: "tel", Fixed: true, Known: "•• 42"}}
	typed := Enrol{Factor: "sms", ID: "E1", Typed: "0900 12345", View: sentView{Kind: "tel"}}
	sent := Enrol{Factor: "sms", ID: "E1", View: sentView{Kind: "tel", SentTo: "•• 42"}, Resend: 30 * time.Second}
	mail := Enrol{Factor: "email", ID: "E2", View: sentView{Kind: "email", To: "alice@example.com", Known: "a•••@example.com"}, Further: true}
	mailSent := Enrol{Factor: "email", ID: "E2", View: sentView{Kind: "email", SentTo: "a•••@example.com"}, Further: true}
	methods := []string{"totp", "email", "sms", "recovery"}
	ask := Challenge{Method: "sms", Methods: methods, Purpose: "sign_in", View: sentView{Choices: []sentChoice{{"1", "•• 42", false, true}}}}
	two := ask
	two.View = sentView{Choices: []sentChoice{{"1", "•• 42", false, true}, {"2", "Work (•• 99)", false, false}}}
	code := ask
	code.View, code.Resend = sentView{SentTo: "•• 42", Choices: []sentChoice{{"1", "•• 42", true, false}, {"2", "Work (•• 99)", false, false}}}, 30*time.Second
	byMail := Challenge{Method: "email", Methods: methods, Purpose: "settings", View: sentView{SentTo: "a•••@example.com", Choices: []sentChoice{{"3", "a•••@example.com", true, false}}}}
	return []state{
		{"choose-sent", f, Choose{Factors: []string{"totp", "email", "sms"}, First: true}},
		{"choose-no-address", wrong("error.no_address"), Choose{Factors: []string{"totp", "sms"}, First: true}},
		{"enrol-sms", f, number},
		{"enrol-sms-barred", wrong("factor.sms.to_barred"), typed},
		{"enrol-sms-known", f, known},
		{"enrol-sms-sent", f, sent},
		{"enrol-sms-wrong", wrong("factor.sms.wrong"), sent},
		{"enrol-email", f, mail},
		{"enrol-email-sent", f, mailSent},
		{"challenge-sms", f, ask},
		{"challenge-sms-two", f, two},
		{"challenge-sms-sent", f, code},
		{"challenge-sms-wrong", wrong("factor.sms.wrong"), code},
		{"challenge-sms-unsent", wrong("error.unsent"), ask},
		{"challenge-email-sent", f, byMail},
		{"security-sent", f, Security{HasCodes: true, CodesLeft: 9, CodesTotal: 10, CodesMade: made, Credentials: []Credential{
			{"1", "sms", "•• 42", made, made}, {"2", "email", "Work", made, time.Time{}}},
			Activity: []Activity{{Kind: "code_sent", Factor: "sms", Label: "•• 42", Remote: "192.0.2.7", Time: made}}}},
	}
}
