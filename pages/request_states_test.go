package pages

import "time"

// requestStates are what people see of requests for a reset.
func requestStates() []state {
	f := Frame{Site: "Intranet", User: "alice", Token: "form-token", Return: "/reports?year=2026", SignOut: true,
		Support: Support{Text: "IT service desk, extension 4711", URL: "mailto:help@example.com"}}
	dora := Frame{Site: "Intranet", User: "dora", Token: "form-token", SignOut: true}
	wrong := func(f Frame, key string) Frame { f.Error = Text{Key: key}; return f }
	told := func(key string) Frame { g := dora; g.Notice = Text{Key: key}; return g }
	in := func(state string) Request {
		return Request{State: state, Filed: made, Due: made.Add(72 * time.Hour), Decided: made.Add(time.Hour), Remote: "192.0.2.7", App: "intranet.example.com"}
	}
	help := func(state string) Help { return Help{Case: "K7QF-3M2A", Request: in(state)} }
	offer := Help{Offer: true, Delay: 72 * time.Hour}
	often := offer
	often.Case, often.Message = "K7QF-3M2A", "Phone stolen on Monday"
	refused := help("refused")
	refused.Offer, refused.Delay = true, 72*time.Hour
	own := func(state string) OwnRequest {
		return OwnRequest{Request: in(state), Seen: "id", Continue: "/reports?year=2026"}
	}
	one := AdminRequest{Request: in("filed"), Name: "alice", Case: "K7QF-3M2A", Message: "My phone was stolen on Monday, and the codes were in the same bag.",
		Expires: made.Add(408 * time.Hour), Seen: "id.filed", Proved: true}
	unproved := one
	unproved.Proved, unproved.Prove = false, "/.mfa/challenge?purpose=settings"
	approved := one
	approved.Request, approved.Actor, approved.Reason = in("approved"), "dora", "called back on the number in the staff list"
	due := approved
	due.State = "due"
	held := one
	held.Held = true
	look := one
	look.LookOnly = true
	self := one
	self.Self = true
	again := one
	again.Given = "called back"
	bob := AdminRequest{Request: in("due"), Name: "bob smith", Case: "ZZ4K-22QP", Held: true}
	waiting := AdminUsers{Requests: true, Waiting: 2, Users: []AdminEntry{{Name: "alice", Enrolled: true, Factors: 2, CodesLeft: 9, LastProof: made}}}
	user := AdminUser{AdminAccount: AdminAccount{Name: "alice", Known: true, Enrolled: true, CodesLeft: 9}, LastProof: made, Request: true, Actions: []string{"reset"}}
	return []state{
		{"help-offer", f, offer},
		{"help-offer-often", wrong(f, "error.request_often"), often},
		{"help-request-filed", f, help("filed")},
		{"help-request-approved", f, help("approved")},
		{"help-request-due", f, help("due")},
		{"help-request-refused", f, refused},
		{"reset-request", f, own("filed")},
		{"reset-request-approved", f, own("approved")},
		{"reset-request-due", f, own("due")},
		{"security-request", f, Security{Request: true, HasCodes: true, CodesLeft: 9, CodesTotal: 10, CodesMade: made, Credentials: []Credential{{"1", "totp", "Work phone", made, made}}}},
		{"admin-requests", told("notice.request_refused"), AdminRequests{Requests: []AdminRequest{one, approved, bob}, Later: true, Next: "/.mfa/admin/requests?after=bob+smith"}},
		{"admin-requests-none", dora, AdminRequests{}},
		{"admin-request", dora, one},
		{"admin-request-unproved", dora, unproved},
		{"admin-request-approved", told("notice.request_approved"), approved},
		{"admin-request-due", dora, due},
		{"admin-request-held", wrong(dora, "error.request_not_yet"), held},
		{"admin-request-changed", wrong(dora, "error.request_changed"), again},
		{"admin-request-look", dora, look},
		{"admin-request-self", dora, self},
		{"admin-users-requests", dora, waiting},
		{"admin-user-request", dora, user},
		{"message-request-over", dora, Message{Title: Text{Key: "message.request_over.title"}, Text: Text{Key: "message.request_over.text"},
			Link: "/.mfa/admin/user?user=alice", Label: Text{Key: "label.continue"}}},
	}
}
