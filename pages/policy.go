package pages

import "time"

// Reminder tells somebody who still passes without a factor to set one up. Posts
// to /.mfa/reminder for "later".
type Reminder struct {
	Until time.Time     // from when on a factor is required; zero means that it is optional
	Left  time.Duration // until then
}

// AdminMode is whether the users of a realm need a factor, and what that means.
type AdminMode struct {
	Mandatory  bool
	Fixed      string // the mode that is written in the configuration; empty means that it is chosen here
	Unreadable bool   // what was chosen cannot be read, and counts as mandatory
	LookOnly   bool   // the person is an auditor

	Actor, Reason string // of the last change; empty means that there was none
	Changed       time.Time
	Seen          string // names what was shown

	Counted        time.Time // when these were counted; zero: not yet
	Users, Missing int       // users that are known, and those of them without a factor

	GraceUntil time.Time // until when people without a factor still pass; zero means no such date
	GraceDays  int       // for how many days after they are first seen they still pass
}

// AdminSettings shows it. Its form leads to AdminModeOrder. GET /.mfa/admin/settings
type AdminSettings struct{ AdminMode }

// AdminModeOrder says what a change of it does, and asks for the reason. Posts
// mandatory, reason and seen to /.mfa/admin/mode.
type AdminModeOrder struct {
	AdminMode
	Make    bool   // it mandatory
	Because string // the reason so far
}

func (Reminder) template() string       { return "reminder" }
func (AdminSettings) template() string  { return "admin_settings" }
func (AdminModeOrder) template() string { return "admin_mode" }

// DaysLeft is how many days are left, the last one that has begun included.
func (r Reminder) DaysLeft() int {
	const day = 24 * time.Hour
	return int((r.Left + day - 1) / day)
}
