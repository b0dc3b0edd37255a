package mfagate

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Report writes users as CSV (RFC 4180, in UTF-8, with a header): what
// [UserStatus] holds, and so no secret. [NewReport] makes one.
type Report struct{ out *csv.Writer }

var reportHeader = []string{
	"realm", "user", "enrolled", "factors", "recovery_codes_left", "last_proof",
	"locked_until", "ticket_needed", "sessions", "failed_codes_24h", "never_seen", "groups", "first_seen", "last_exempt",
}

// NewReport returns a report that writes to w, and writes its header.
func NewReport(w io.Writer) (*Report, error) {
	r := &Report{csv.NewWriter(w)}
	r.out.UseCRLF = true
	return r, r.out.Write(reportHeader)
}

// Add adds a user. A cell that a spreadsheet could take for a formula gets an
// apostrophe before it.
func (r *Report) Add(u UserStatus) error {
	row := u.row()
	for i := range row {
		row[i] = inert(row[i])
	}
	return r.out.Write(row)
}

// Flush writes what is still held back, and tells the first error of all writes.
func (r *Report) Flush() error {
	r.out.Flush()
	return r.out.Error()
}

// row is the line of a user in a report.
func (u UserStatus) row() []string {
	return []string{
		u.Realm, u.Name, yesNo(u.Enrolled), strings.Join(u.kinds(), " "), strconv.Itoa(u.RecoveryLeft), stamp(u.LastProof),
		stamp(u.LockedUntil), yesNo(u.TicketNeeded), strconv.Itoa(u.Sessions), strconv.Itoa(u.FailedCodes24),
		yesNo(u.NeverSeen), groupList(u.Groups),
		stamp(u.FirstSeen), stamp(u.LastExempt),
	}
}

// kinds names the factor of each of the user's credentials.
func (u UserStatus) kinds() (names []string) {
	for _, c := range u.Factors {
		names = append(names, c.Factor)
	}
	return names
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// stamp writes a time as RFC 3339, and none as nothing.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// inert keeps a spreadsheet from taking a cell for a formula. In many languages it
// takes a semicolon for the border of a cell, so what follows one is looked at too.
func inert(cell string) string {
	var b strings.Builder
	for i, part := range strings.SplitAfter(cell, ";") {
		begins := part
		if i > 0 {
			begins = strings.TrimLeft(part, `" `)
		}
		if begins != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(begins)[0]) {
			b.WriteByte('\'')
		}
		b.WriteString(part)
	}
	return b.String()
}

// A summary counts the users of a realm.
type summary struct {
	users, enrolled, locked int
	neverSeen               int
	factors                 map[string]int // users who have one of the kind
	at                      time.Time      // when it was counted
	took                    time.Duration
}

// Counting looks at every user, so it is done in the background, and whoever asks
// waits only a little: less if there is an older count to show.
const (
	summaryLife  = 30 * time.Second
	summaryPause = 20 // times as long as the count took, so that it never takes much of the machine
	summaryFirst = 2 * time.Second
	summaryNext  = 300 * time.Millisecond
)

func (s summary) fresh() bool {
	return !s.at.IsZero() && time.Since(s.at) < max(summaryLife, summaryPause*s.took)
}

// summaries are the counts of each realm that somebody asked for.
type summaries struct {
	mu      sync.Mutex
	last    map[string]summary
	running map[string]chan struct{} // closed when the count under way is done
	closed  bool
}

// summary returns the latest count of a realm, and whether the next one is under
// way. at is zero if there is none yet.
func (g *Gate) summary(ctx context.Context, realm string) (s summary, counting bool) {
	last, done := g.beginCount(realm)
	if done == nil {
		return last, false
	}
	wait := summaryNext
	if last.at.IsZero() {
		wait = summaryFirst
	}
	patience := time.NewTimer(wait)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
		counting = true
	case <-ctx.Done():
	}
	g.records.summaries.mu.Lock()
	defer g.records.summaries.mu.Unlock()
	return g.records.summaries.last[realm], counting
}

// beginCount sees to it that the users of a realm are counted, unless the last count
// will do. It does not wait: the second result is closed when the next one is done.
func (g *Gate) beginCount(realm string) (last summary, done <-chan struct{}) {
	return g.records.count(realm, func(ctx context.Context) (summary, error) {
		s, err := g.countUsers(ctx, realm)
		if err != nil && ctx.Err() == nil {
			g.log.Error("counting users", "realm", realm, "error", err)
		}
		return s, err
	})
}

// count returns the last count and, unless that will do, what is closed when the
// next one is done.
func (r *Records) count(realm string, count func(context.Context) (summary, error)) (summary, <-chan struct{}) {
	s := &r.summaries
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last[realm]
	if s.closed || last.fresh() {
		return last, nil
	}
	if s.running == nil {
		s.running, s.last = make(map[string]chan struct{}), make(map[string]summary)
	}
	if done, ok := s.running[realm]; ok {
		return last, done
	}
	done := make(chan struct{})
	s.running[realm] = done
	r.done.Go(func() {
		next, err := count(r.open)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil {
			s.last[realm] = next
		}
		delete(s.running, realm)
		close(done)
	})
	return last, done
}

// close lets no further count begin.
func (s *summaries) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// countUsers reads all accounts of a realm, a part at a time.
func (g *Gate) countUsers(ctx context.Context, realm string) (summary, error) {
	begun := time.Now()
	s := summary{factors: make(map[string]int)}
	err := g.eachValue(ctx, prefix(kindUser, realm), func(value []byte) error {
		a := new(countedAccount)
		if err := decode(value, a); err != nil {
			return err
		}
		s.add(a, g.recoveryName())
		return nil
	})
	if err != nil {
		return s, err
	}
	now := time.Now()
	err = g.eachValue(ctx, prefix(kindAttempts, realm), func(value []byte) error {
		att := new(attempts)
		if err := decode(value, att); err != nil {
			return err
		}
		if !g.lockedUntil(att, now).IsZero() {
			s.locked++
		}
		return nil
	})
	s.at, s.took = now, time.Since(begun)
	return s, err
}

// A countedAccount is what counting needs of an account's record: to read only that
// takes half as long as to read all.
type countedAccount struct {
	versioned
	Credentials []struct {
		Factor string `json:"factor"`
	} `json:"credentials"`
	LastProof time.Time `json:"last_proof"`
	Imported  time.Time `json:"imported"`
	Seen      time.Time `json:"seen"`
}

func (s *summary) add(a *countedAccount, recovery string) {
	s.users++
	if neverSeen(a.Imported, a.Seen, a.LastProof, len(a.Credentials)) {
		s.neverSeen++
	}
	had := make(map[string]bool)
	for _, c := range a.Credentials {
		if c.Factor != recovery && !had[c.Factor] {
			had[c.Factor] = true
			s.factors[c.Factor]++
		}
	}
	if len(had) > 0 { // recovery codes alone do not count
		s.enrolled++
	}
}

// lockedUntil is the latest time until which one of the user's factors is locked,
// or zero.
func (g *Gate) lockedUntil(att *attempts, now time.Time) (until time.Time) {
	for name, tally := range att.Factors {
		b := g.budget(name)
		t := latest(tally.lockedUntil(b, false, now), tally.lockedUntil(b, true, now))
		if t.After(now) && t.After(until) {
			until = t.UTC()
		}
	}
	return until
}

// eachValue calls f for each record of a prefix.
func (g *Gate) eachValue(ctx context.Context, prefix string, f func([]byte) error) error {
	for after := ""; ; {
		records, err := g.records.store.List(ctx, prefix, after, auditPart)
		if err != nil {
			return err
		}
		for _, rec := range records {
			after = rec.Key
			if err := f(rec.Value); err != nil {
				return fmt.Errorf("record %q: %w", rec.Key, err)
			}
		}
		if len(records) < auditPart {
			return ctx.Err()
		}
	}
}

var errBusy = errors.New("mfagate: too many are doing this at the same time")

// WriteReport writes the users of a realm as a [Report], a part at a time, so that
// their number does not matter to the memory. flush, if not nil, is called after
// each part. An error may come after a part was written.
func (g *Gate) WriteReport(ctx context.Context, w io.Writer, realm string, flush func() error) error {
	report, err := NewReport(w)
	if err != nil {
		return err
	}
	for after := ""; ; {
		users, err := g.Users(ctx, realm, after, auditPart)
		if err != nil {
			return err
		}
		for _, u := range users {
			after = u.Name
			if err := report.Add(u); err != nil {
				return err
			}
		}
		if err := report.Flush(); err != nil {
			return err
		}
		if flush != nil {
			if err := flush(); err != nil {
				return err
			}
		}
		if len(users) < auditPart {
			return nil
		}
	}
}
