package pages

import "time"

// adminStates are what those who look after others can see.
func adminStates() []state {
	f := Frame{Site: "Intranet", User: "dora", Token: "form-token", SignOut: true}
	wrong := func(key string) Frame { g := f; g.Error = Text{Key: key}; return g }
	done := f
	done.Notice = Text{Key: "notice.admin_unlock"}
	alice := AdminAccount{Name: "alice", Known: true, Enrolled: true, CodesLeft: 9, Sessions: 2, Credentials: []Credential{
		{"1", "totp", "Work phone", made, made.Add(50 * time.Hour)},
		{"2", "totp", "", made.Add(24 * time.Hour), time.Time{}},
	}}
	history := []History{
		{Activity{Kind: "passed", Factor: "totp", Label: "Work phone", Remote: "192.0.2.7", Time: made}, "", "", ""},
		{Activity{Kind: "help", Remote: "192.0.2.7", Time: made}, "", "", "4KQ7-ZT2M"},
		{Activity{Kind: "unlocked", Time: made}, "otto", "typed the codes of the other app", ""},
		{Activity{Kind: "reset", Time: made}, "cli", "", ""},
	}
	user := AdminUser{AdminAccount: alice, LastProof: made, History: history, Actions: []string{"sign_out", "reset"}}
	locked := user
	locked.LockedUntil, locked.Failed, locked.Actions = made.Add(time.Hour), 7, []string{"unlock", "sign_out", "reset"}
	look := user
	look.LookOnly, look.Actions = true, nil
	self := user
	self.Self, self.Actions = true, nil
	fresh := AdminUser{AdminAccount: AdminAccount{Name: "bob smith", Known: true, NeverSeen: true}, TicketNeeded: true, Actions: []string{"ticket"}}
	users := AdminUsers{Next: "/.mfa/admin/?after=erika", Users: []AdminEntry{
		{Name: "alice", Enrolled: true, Factors: 2, Kinds: []string{"totp"}, CodesLeft: 9, LastProof: made},
		{Name: "bob smith", NeverSeen: true},
		{Name: "carol", Enrolled: true, Factors: 1, Kinds: []string{"totp"}, CodesLeft: 1, FewCodes: true, LastProof: made, LockedUntil: made.Add(time.Hour)},
		{Name: "a-rather-long-name-of-a-colleague-from-another-department@subsidiary.example.com", Enrolled: true, Factors: 1, Kinds: []string{"totp"}, CodesLeft: 10, LastProof: made},
	}}
	order := func(action string) AdminOrder { return AdminOrder{AdminAccount: alice, Action: action, Seen: "seen"} }
	report := AdminReport{Users: users.Users, Next: "/.mfa/admin/report?after=erika", Summary: AdminSummary{
		Counted: made, Users: 4, Enrolled: 3, NotEnrolled: 1, NeverSeen: 1, Locked: 1, Factors: []FactorCount{{"totp", 3}}}}
	standing := func(name, key string, args ...any) AdminEntry {
		return AdminEntry{Name: name, Standing: Text{key, args}}
	}
	stopped := AdminReport{Users: []AdminEntry{
		{Name: "alice", Enrolled: true, Factors: 2, Kinds: []string{"totp"}, CodesLeft: 9, LastProof: made},
		standing("bob", "report.stopped"), standing("carol", "report.observed"), standing("dave", "report.optional"),
		standing("erika", "report.ticket"), standing("frank", "report.grace", made.Add(72*time.Hour)),
		standing("grace", "report.grace_days", 14), standing("heidi", "report.grace_hours", 8*time.Hour), standing("hall-screen", "report.exempt", made),
	}}
	optional := user
	optional.Actions = []string{"sign_out", "reset", "disable"}
	again := order("reset")
	again.Reason = "phone lost, seen in person"
	admin := Security{Admin: true, HasCodes: true, CodesLeft: 9, CodesTotal: 10, CodesMade: made, Credentials: alice.Credentials}
	onTheWay := f
	onTheWay.Return = "/.mfa/admin/order?action=reset&user=alice"
	const link = "https://intranet.example.com/.mfa/enroll?ticket=ZPEV17QCHENZ98SFR7C5QN1XHC"
	return append(policyStates(), []state{
		{"admin-users", f, users},
		{"admin-users-search", f, AdminUsers{Search: "bo", Later: true, Users: users.Users[1:2], Unknown: "bo"}},
		{"admin-users-scanned", f, AdminUsers{Show: "low", Scanned: true, Later: true, Next: "/.mfa/admin/?after=k&show=low", Users: users.Users[2:3]}},
		{"admin-users-scanned-none", f, AdminUsers{Show: "none", Scanned: true, Next: "/.mfa/admin/?after=k&show=none"}},
		{"admin-users-none", f, AdminUsers{Search: "zoe", Unknown: "zoe"}},
		{"admin-users-wrong", wrong("error.admin_search"), AdminUsers{Search: "a  b"}},
		{"admin-user", f, user},
		{"admin-user-locked", done, locked},
		{"admin-user-look", f, look},
		{"admin-user-self", f, self},
		{"admin-user-fresh", f, fresh},
		{"admin-report", f, report},
		{"admin-report-recounting", f, AdminReport{Users: users.Users[:2], Summary: AdminSummary{Counted: made, Counting: true, Users: 1204, Enrolled: 1167, NotEnrolled: 37}}},
		{"admin-report-counting", f, AdminReport{Users: users.Users[:2], Later: true}},
		{"admin-report-standing", f, stopped},
		{"admin-report-nobody", f, AdminReport{Summary: AdminSummary{Counted: made}}},
		{"admin-user-optional", f, optional},
		{"admin-order-disable", f, order("disable")},
		{"admin-order-reset", f, order("reset")},
		{"admin-order-reset-changed", wrong("error.admin_changed"), again},
		{"admin-order-unlock", wrong("error.admin_reason"), order("unlock")},
		{"admin-order-sign-out", f, order("sign_out")},
		{"admin-order-ticket", f, AdminOrder{AdminAccount: AdminAccount{Name: "zoe"}, Action: "ticket"}},
		{"admin-ticket", f, AdminTicket{Name: "zoe", Link: link, Expires: made.Add(24 * time.Hour)}},
		{"admin-ticket-reset", f, AdminTicket{Name: "alice", Link: link, Expires: made.Add(24 * time.Hour), Reset: true}},
		{"security-admin", f, admin},
		{"challenge-admin", onTheWay, Challenge{Method: "totp", Methods: []string{"totp"}, Purpose: "settings"}},
	}...)
}
