package caddymodule

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

const (
	mostScanned = 20 // parts of the events that one request looks through for a realm
	longCursor  = 100
)

// An eventList is a part of the events, in order of time.
type eventList struct {
	Events []mfagate.Event `json:"events"`
	Next   string          `json:"next"` // the cursor to go on with
	More   bool            `json:"more"` // there may be more behind it already
}

// listEvents lists events after a cursor: GET /mfa/events?after=&limit=&realm=&user=
// A user without a realm is one of the default realm.
func listEvents(a administration, r *http.Request) (any, error) {
	q := r.URL.Query()
	limit, err := readLimit(q)
	if err != nil {
		return nil, err
	}
	after := q.Get("after")
	if len(after) > longCursor {
		return nil, failed(http.StatusBadRequest, errors.New("after: want the ID of an event"))
	}
	if q.Get("user") != "" {
		return a.eventsOfUser(r.Context(), q, after, limit)
	}
	return a.eventsOfRealm(r.Context(), q.Get("realm"), after, limit)
}

func (a administration) eventsOfUser(ctx context.Context, q url.Values, after string, limit int) (any, error) {
	realm := cmp.Or(q.Get("realm"), defaultRealm)
	name, err := a.app.sites.canonical(realm, q.Get("user"))
	if err != nil {
		return nil, failed(http.StatusBadRequest, err)
	}
	events, err := a.gate.AuditUser(ctx, mfagate.Subject{Realm: realm, Name: name}, after, limit)
	if len(events) > 0 {
		after = events[len(events)-1].ID
	}
	return eventList{events, after, len(events) == limit}, err
}

// eventsOfRealm looks through the events for those of a realm; an empty one
// stands for all. It may find none although there are more: there is a bound on
// how many it looks at.
func (a administration) eventsOfRealm(ctx context.Context, realm, after string, limit int) (any, error) {
	list := eventList{Events: []mfagate.Event{}, Next: after, More: true}
	size := limit
	if realm != "" {
		size = mostUsers
	}
	for range mostScanned {
		part, err := a.gate.Audit(ctx, list.Next, size)
		if err != nil {
			return nil, err
		}
		for _, e := range part {
			list.Next = e.ID
			if realm == "" || e.Realm == realm {
				list.Events = append(list.Events, e)
			}
			if len(list.Events) == limit {
				return list, nil
			}
		}
		if len(part) < size {
			list.More = false
			break
		}
	}
	return list, nil
}

// report streams the status of all users: GET /mfa/report?realm=
// Without a realm it has those of all realms, one after the other.
func report(w http.ResponseWriter, r *http.Request) error {
	a, err := running()
	if err != nil {
		return err
	}
	realms := r.URL.Query()["realm"]
	if len(realms) == 0 || realms[0] == "" {
		if realms, err = a.gate.Realms(r.Context()); err != nil {
			return apiError(err)
		}
	}
	return streamUsers(r.Context(), w, a.gate, realms)
}

// streamUsers reads and writes part by part, so that the number of users does not
// matter to the memory. The connection is cut on an error after the first part,
// for an answer that ends well would look complete.
func streamUsers(ctx context.Context, w http.ResponseWriter, gate administrator, realms []string) error {
	out := &userStream{w: bufio.NewWriter(w)}
	for _, realm := range realms {
		for after := ""; ; {
			users, err := gate.Users(ctx, realm, after, mostUsers)
			if err == nil {
				err = out.write(w.Header(), users)
			}
			switch {
			case err != nil && out.begun:
				panic(http.ErrAbortHandler)
			case err != nil:
				return apiError(err)
			}
			if len(users) < mostUsers {
				break
			}
			after = users[len(users)-1].Name
		}
	}
	return out.end(w.Header())
}

// A userStream writes a userList.
type userStream struct {
	w     *bufio.Writer
	begun bool
	some  bool
}

func (s *userStream) begin(header http.Header) {
	if s.begun {
		return
	}
	s.begun = true
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	_, _ = s.w.WriteString(`{"users":[`)
}

// write adds users. Only Flush tells of errors, those of all writes before it.
func (s *userStream) write(header http.Header, users []mfagate.UserStatus) error {
	s.begin(header)
	for _, u := range users {
		line, err := json.Marshal(u)
		if err != nil {
			return fmt.Errorf("encoding a user: %w", err)
		}
		if s.some {
			_ = s.w.WriteByte(',')
		}
		s.some = true
		_ = s.w.WriteByte('\n')
		_, _ = s.w.Write(line)
	}
	return s.w.Flush()
}

func (s *userStream) end(header http.Header) error {
	s.begin(header)
	_, _ = s.w.WriteString("\n]}\n")
	return s.w.Flush()
}
