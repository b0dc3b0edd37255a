package mfagate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// An ImportedUser is somebody on a list of users that another system made. Name is
// canonical, see [Names.Canonical]; Email and Groups may be empty.
type ImportedUser struct {
	Name   string
	Email  string
	Groups []string // told in reports, and never what decides who may do what
}

// What an import does with a user.
type ImportOutcome string

// The outcomes.
const (
	ImportNew       ImportOutcome = "new"       // the user is in the list and the report from now on
	ImportKnown     ImportOutcome = "known"     // nothing changes
	ImportCompleted ImportOutcome = "completed" // something is added to what is known
)

// Bounds of an import. A commit must fit into the engine's transactions.
const (
	importPart    = 100
	maxGroupsText = 1024 // bytes of all groups of a user together
)

// Validate says what is wrong with u, except for its name.
func (u ImportedUser) Validate() error {
	if _, ok := address(u.Email); u.Email != "" && !ok {
		return fmt.Errorf("mfagate: %.80q is no e-mail address", u.Email)
	}
	n := 0
	for _, group := range u.Groups {
		n += len(group)
		if group == "" || cleanLine(group, maxGroupsText) != group || !utf8.ValidString(group) {
			return fmt.Errorf("mfagate: %.80q is no group", group)
		}
	}
	if n > maxGroupsText {
		return fmt.Errorf("mfagate: groups have %d bytes; want at most %d", n, maxGroupsText)
	}
	return nil
}

// Import adds users whom the gate has never seen to those that it lists, and tells
// what it does with each. Their next enrolment is as it was before: an import is no
// ticket. Of users who are known it adds an e-mail address where there is none, and
// replaces the groups. A dry import changes nothing. If an error comes in the midst,
// the users before are imported; the import can be repeated.
func (g *Gate) Import(ctx context.Context, actor, realm string, users []ImportedUser, dry bool) ([]ImportOutcome, error) {
	outcomes := make([]ImportOutcome, 0, len(users))
	for part := range slices.Chunk(users, importPart) {
		for _, u := range part {
			if err := u.Validate(); err != nil {
				return outcomes, fmt.Errorf("user %q: %w", u.Name, err)
			}
		}
		done, err := g.importPart(ctx, actor, realm, part, dry)
		if err != nil {
			return outcomes, fmt.Errorf("importing users: %w", err)
		}
		outcomes = append(outcomes, done...)
	}
	return outcomes, nil
}

// importPart imports users in one commit.
func (g *Gate) importPart(ctx context.Context, actor, realm string, users []ImportedUser, dry bool) (outcomes []ImportOutcome, err error) {
	t, err := g.commit(ctx, func(t *txn) error {
		outcomes = outcomes[:0]
		for _, u := range users {
			outcome, err := t.importUser(realm, u)
			if err != nil {
				return err
			}
			outcomes = append(outcomes, outcome)
		}
		if dry {
			t.changes, t.index = nil, make(map[string]int)
			return nil
		}
		if len(t.changes) > 0 {
			t.event(Event{Kind: EventImported, Subject: Subject{Realm: realm}, Actor: actor, Detail: fmt.Sprintf("%d users", len(t.changes))})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	g.tell(ctx, t.events)
	return outcomes, nil
}

func (t *txn) importUser(realm string, u ImportedUser) (ImportOutcome, error) {
	s := Subject{realm, u.Name}
	a, err := t.account(s)
	if err != nil {
		return "", err
	}
	outcome := ImportKnown
	if _, stored := t.index[accountKey(s)]; t.read[accountKey(s)].Version == 0 && !stored {
		a.Imported, outcome = t.now.UTC().Truncate(time.Second), ImportNew
	}
	email, _ := address(u.Email)
	if addEmail := a.Email == "" && email != ""; addEmail || !slices.Equal(a.Groups, u.Groups) && u.Groups != nil {
		if addEmail {
			a.Email = email
		}
		if u.Groups != nil {
			a.Groups = slices.Clone(u.Groups)
		}
		if outcome == ImportKnown {
			outcome = ImportCompleted
		}
	}
	if outcome != ImportKnown {
		t.putAccount(a)
	}
	return outcome, nil
}

// neverSeen tells whether all that is known of the user is that they were imported.
func (a *account) neverSeen() bool {
	return neverSeen(a.Imported, a.Seen, a.LastProof, len(a.Credentials))
}

func neverSeen(imported, seen, proved time.Time, credentials int) bool {
	return !imported.IsZero() && seen.IsZero() && proved.IsZero() && credentials == 0
}

func groupList(groups []string) string { return strings.Join(groups, ";") }
