package mfagate

import (
	"context"
	"errors"
	"net/url"

	"github.com/mfagate/caddy-mfagate/storage"
)

// A filter says which users are wanted.
type filter string

// The filters, as URLs name them.
const (
	everybody   filter = ""
	notEnrolled filter = "none"
	onlyLocked  filter = "locked"
	fewCodes    filter = "low"
)

// A search is for users of a realm whose names begin with a prefix in canonical
// form, after a name.
type search struct {
	realm, prefix, after string
	filter               filter
}

// Bounds of one page of users. A filter looks at each user, so what one request
// looks at is bounded, and the page says where to go on.
const (
	usersPerPage = 50
	mostScanned  = 5000
	scannedBatch = 250
)

// A foundUsers is one page of users.
type foundUsers struct {
	users   []UserStatus
	next    string // the name to go on after; empty at the end
	scanned bool   // there may be more, but the bound was reached
}

// search returns a page of users in the byte order of their keys.
func (g *Gate) search(ctx context.Context, q search) (found foundUsers, err error) {
	kind, batch := kindUser, scannedBatch
	switch q.filter {
	case everybody:
		batch = usersPerPage + 1
	case onlyLocked:
		kind = kindAttempts // which few users have
	default: // who is wanted is seen only by looking at each
	}
	pre, after, name := prefix(kind, q.realm)+url.PathEscape(q.prefix), "", ""
	if q.after != "" {
		after = key(kind, q.realm, q.after)
	}
	for range mostScanned / batch {
		records, err := g.records.store.List(ctx, pre, after, batch)
		if err != nil {
			return found, err
		}
		for _, rec := range records {
			if name, err = lastPart(rec.Key); err != nil {
				return found, err
			}
			after = rec.Key
			u, err := g.match(ctx, rec, Subject{q.realm, name}, q.filter)
			if err != nil {
				return found, err
			}
			if u == nil {
				continue
			}
			if n := len(found.users); n == usersPerPage {
				found.next = found.users[n-1].Name
				return found, nil
			}
			found.users = append(found.users, *u)
		}
		if len(records) < batch {
			return found, nil
		}
	}
	found.next, found.scanned = name, true
	return found, nil
}

// match returns the status of a user whom a filter lets through, or nil. listed is
// one of the user's records.
func (g *Gate) match(ctx context.Context, listed storage.Record, s Subject, f filter) (*UserStatus, error) {
	t := newTxn(ctx, g.records.store)
	t.read[listed.Key] = listed // need not be read again
	a, err := t.existing(s)
	if errors.Is(err, ErrUnknownUser) {
		return nil, nil // gone meanwhile
	}
	if err != nil || f == notEnrolled && a.enrolled(g.recoveryName()) {
		return nil, err
	}
	if f == fewCodes {
		left, err := g.codesLeft(a)
		if err != nil || left > lowCodes || !a.enrolled(g.recoveryName()) {
			return nil, err
		}
	}
	u, err := g.status(t, a)
	if err != nil || f == onlyLocked && u.LockedUntil.IsZero() {
		return nil, err
	}
	return &u, nil
}
