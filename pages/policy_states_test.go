package pages

import "time"

// policyStates are what people see of what is asked of everybody.
func policyStates() []state {
	f := Frame{Site: "Intranet", User: "alice", Token: "form-token", Return: "/reports?year=2026", SignOut: true}
	admin := Frame{Site: "Intranet", User: "dora", Token: "form-token", SignOut: true}
	done, changed, silent := admin, admin, admin
	done.Notice = Text{Key: "notice.made_optional"}
	changed.Error = Text{Key: "error.mode_changed"}
	silent.Error = Text{Key: "error.admin_reason"}
	christmas := time.Date(2026, time.December, 25, 0, 0, 0, 0, time.UTC)
	mode := AdminMode{Counted: made, Users: 1204, Missing: 37, Seen: "seen"}
	chosen := mode
	chosen.Actor, chosen.Reason, chosen.Changed = "otto", "decided by the management on Monday", made
	grace, days, single := mode, mode, mode
	grace.GraceUntil, days.GraceDays = christmas, 14
	single.Users, single.Missing = 2, 1
	fixed, observed := mode, AdminMode{Fixed: "observe"}
	fixed.Fixed, fixed.Mandatory = "required", true
	look := chosen
	look.LookOnly, look.Mandatory = true, true
	codes := RecoveryCodes{Codes: codesFixture, Set: "set-1", Count: 10, First: true, Made: made}
	before, confirm := codes, codes
	before.Before, confirm.Confirm = true, true
	return []state{
		{"recovery-codes-before", f, before},
		{"recovery-codes-confirm", f, confirm},
		{"enrol-totp-last", f, Enrol{Factor: "totp", View: totpFixture(), Last: true}},
		{"reminder", f, Reminder{}},
		{"reminder-grace", f, Reminder{Until: christmas, Left: 9*24*time.Hour + time.Minute}},
		{"reminder-last-day", f, Reminder{Until: christmas, Left: time.Hour}},
		{"admin-settings", done, AdminSettings{chosen}},
		{"admin-settings-grace", admin, AdminSettings{grace}},
		{"admin-settings-fixed", admin, AdminSettings{fixed}},
		{"admin-settings-observe", admin, AdminSettings{observed}},
		{"admin-settings-look", admin, AdminSettings{look}},
		{"admin-settings-unreadable", admin, AdminSettings{AdminMode{Unreadable: true, Mandatory: true}}},
		{"admin-mode-required", admin, AdminModeOrder{AdminMode: single, Make: true}},
		{"admin-mode-required-grace", silent, AdminModeOrder{AdminMode: days, Make: true}},
		{"admin-mode-required-changed", changed, AdminModeOrder{AdminMode: mode, Make: true, Because: "decided by the management on Monday"}},
		{"admin-mode-optional", admin, AdminModeOrder{AdminMode: mode}},
	}
}
