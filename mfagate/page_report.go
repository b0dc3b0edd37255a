package mfagate

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
)

// getReport counts the users of the realm, and lists them.
func (v *visit) getReport() error {
	if ok, err := v.looking(); !ok {
		return err
	}
	q := search{realm: v.realm, after: v.query("after")}
	if len(q.after) > MaxName {
		return errBadRequest
	}
	found, err := v.gate.search(v.r.Context(), q)
	if err != nil {
		return err
	}
	p := pages.AdminReport{Later: q.after != "", Summary: shownSummary(v.gate.summary(v.r.Context(), v.realm))}
	mode := v.mode(v.r.Context())
	for _, u := range found.users {
		e := v.gate.entry(u)
		e.Standing = v.standing(u, mode)
		p.Users = append(p.Users, e)
	}
	if found.next != "" {
		p.Next = page("admin/report", "", "after", found.next)
	}
	v.render(http.StatusOK, v.frame(), p)
	return nil
}

// standing says what a user who is not enrolled meets on this site: as leaveOf will
// decide, but for groups, which only the user's own requests tell.
func (v *visit) standing(u UserStatus, mode Mode) pages.Text {
	grace := v.site.Grace
	switch {
	case u.Enrolled:
		return pages.Text{}
	case mode == Observe:
		return pages.Text{Key: "report.observed"}
	case u.TicketNeeded:
		return pages.Text{Key: "report.ticket"}
	case len(v.site.Exempt) > 0 && !u.LastExempt.IsZero():
		return pages.Text{Key: "report.exempt", Args: []any{u.LastExempt}}
	case mode == Optional:
		return pages.Text{Key: "report.optional"}
	case grace.For >= day && u.FirstSeen.IsZero():
		return pages.Text{Key: "report.grace_days", Args: []any{int(grace.For / day)}}
	case grace.For > 0 && u.FirstSeen.IsZero():
		return pages.Text{Key: "report.grace_hours", Args: []any{grace.For}}
	}
	if end := grace.end(u.FirstSeen, v.now); v.now.Before(end) {
		return pages.Text{Key: "report.grace", Args: []any{end}}
	}
	return pages.Text{Key: "report.stopped"}
}

func shownSummary(s summary, counting bool) pages.AdminSummary {
	shown := pages.AdminSummary{
		Counted: s.at, Counting: counting, Users: s.users, Enrolled: s.enrolled, NotEnrolled: s.users - s.enrolled, Locked: s.locked, NeverSeen: s.neverSeen,
	}
	for _, name := range slices.Sorted(maps.Keys(s.factors)) {
		shown.Factors = append(shown.Factors, pages.FactorCount{Factor: name, Users: s.factors[name]})
	}
	return shown
}

// Bounds of what an export may take. Each part must be written within exportPace.
const (
	maxExports = 2
	exportPace = time.Minute
)

// byteOrderMark tells spreadsheets that a file is UTF-8.
const byteOrderMark = "\ufeff"

// postReport sends the list of all users as a file. Auditors may too, and it is
// recorded who did.
func (v *visit) postReport() error {
	if v.sess == nil || v.sess.Proved.IsZero() || v.sess.Hold {
		return errNoSession
	}
	if v.gate.records.exports.Add(1) > maxExports {
		v.gate.records.exports.Add(-1)
		return errBusy
	}
	defer v.gate.records.exports.Add(-1)
	err := v.commit(func(t *txn) error {
		if _, err := t.session(v.token); err != nil {
			return err
		}
		t.event(v.event(EventExported))
		return nil
	})
	if err != nil {
		return err
	}
	h := v.w.Header()
	pages.SetHeaders(h)
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="mfa-report-%s.csv"`, v.now.UTC().Format(time.DateOnly)))
	if err := v.writeReport(v.r.Context()); err != nil {
		v.gate.log.Error("writing the report", "realm", v.realm, "error", err)
		panic(http.ErrAbortHandler) // an answer that ends well would look complete
	}
	return nil
}

func (v *visit) writeReport(ctx context.Context) error {
	if _, err := io.WriteString(v.w, byteOrderMark); err != nil {
		return err
	}
	control := http.NewResponseController(v.w)
	hurry := func() { _ = control.SetWriteDeadline(time.Now().Add(exportPace)) } // not every server can
	hurry()
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }()
	return v.gate.WriteReport(ctx, v.w, v.realm, func() error {
		hurry()
		return nil
	})
}
