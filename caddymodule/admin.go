package caddymodule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func init() {
	caddy.RegisterModule(AdminAPI{})
}

// AdminAPI adds routes under /mfa/ to Caddy's admin API, by which the command
// "caddy mfa" manages users. Whoever reaches the admin API can take a second
// factor away: keep it on a unix socket. No answer holds a secret but that of a
// ticket, which holds the ticket.
type AdminAPI struct{}

// CaddyModule returns the Caddy module information.
func (AdminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.mfa",
		New: func() caddy.Module { return new(AdminAPI) },
	}
}

// Routes implements caddy.AdminRouter.
func (AdminAPI) Routes() []caddy.AdminRoute {
	return append(requestRoutes(), []caddy.AdminRoute{
		{Pattern: "GET /mfa/realms", Handler: adminHandler(listRealms)},
		{Pattern: "GET /mfa/realms/{realm}/mode", Handler: adminHandler(showMode)},
		{Pattern: "POST /mfa/realms/{realm}/mode", Handler: adminHandler(changeMode)},
		{Pattern: "POST /mfa/check", Handler: adminHandler(checkRequest)},
		{Pattern: "GET /mfa/doctor", Handler: adminHandler(diagnose)},
		{Pattern: "GET /mfa/learnt", Handler: adminHandler(showLearnt)},
		{Pattern: "GET /mfa/users", Handler: adminHandler(listUsers)},
		{Pattern: "GET /mfa/events", Handler: adminHandler(listEvents)},
		{Pattern: "GET /mfa/report", Handler: caddy.AdminHandlerFunc(report)},
		{Pattern: "GET /mfa/backup", Handler: caddy.AdminHandlerFunc(sendBackup)},
		{Pattern: "POST /mfa/restore", Handler: adminTaker(takeBackup)},
		{Pattern: "GET /mfa/keys", Handler: adminHandler(showKeys)},
		{Pattern: "POST /mfa/keys/rotate", Handler: adminHandler(rotateKeys)},
		{Pattern: "POST /mfa/keys/reseal", Handler: adminHandler(resealRecords)},
		{Pattern: "POST /mfa/import", Handler: adminHandler(importUsers)},
		{Pattern: "GET /mfa/users/{realm}/{user}", Handler: adminHandler(showUser)},
		{Pattern: "POST /mfa/users/{realm}/{user}/reset", Handler: adminHandler(order(resetUser))},
		{Pattern: "POST /mfa/users/{realm}/{user}/disable", Handler: adminHandler(order(disableUser))},
		{Pattern: "POST /mfa/users/{realm}/{user}/unlock", Handler: adminHandler(order(unlockUser))},
		{Pattern: "POST /mfa/users/{realm}/{user}/sign-out", Handler: adminHandler(order(signOutUser))},
		{Pattern: "POST /mfa/users/{realm}/{user}/tickets", Handler: adminHandler(order(issueTicket))},
	}...)
}

// administration is what the routes need of the running configuration.
type administration struct {
	app  *App
	gate administrator
}

// An administrator is what the routes need of a gate.
type administrator interface {
	modeKeeper
	requestKeeper
	Realms(ctx context.Context) ([]string, error)
	Users(ctx context.Context, realm, after string, limit int) ([]mfagate.UserStatus, error)
	User(ctx context.Context, s mfagate.Subject) (mfagate.UserStatus, error)
	Events(ctx context.Context, s mfagate.Subject, limit int) ([]mfagate.Event, error)
	Audit(ctx context.Context, after string, limit int) ([]mfagate.Event, error)
	AuditUser(ctx context.Context, s mfagate.Subject, after string, limit int) ([]mfagate.Event, error)
	Reset(ctx context.Context, actor string, s mfagate.Subject, reason string, valid time.Duration) (mfagate.Ticket, error)
	Disable(ctx context.Context, actor string, s mfagate.Subject, reason string) error
	Unlock(ctx context.Context, actor string, s mfagate.Subject) error
	SignOut(ctx context.Context, actor string, s mfagate.Subject) (int, error)
	Import(ctx context.Context, actor, realm string, users []mfagate.ImportedUser, dry bool) ([]mfagate.ImportOutcome, error)
	IssueTicket(ctx context.Context, actor string, s mfagate.Subject, valid time.Duration) (mfagate.Ticket, error)
}

// adminHandler calls f with the app of the running configuration. It is looked
// up for each request: after a failed reload the admin server, and so this
// module, belongs to the configuration that failed.
func adminHandler(f func(administration, *http.Request) (any, error)) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, err := running()
		if err != nil {
			return err
		}
		v, err := f(a, r)
		if err != nil {
			return apiError(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		return json.NewEncoder(w).Encode(v)
	}
}

func running() (administration, error) {
	mod, err := caddy.ActiveContext().AppIfConfigured("mfa")
	if err != nil {
		return administration{}, failed(http.StatusNotFound, errors.New("the running configuration has no mfa"))
	}
	app, ok := mod.(*App)
	if !ok {
		return administration{}, failed(http.StatusInternalServerError, fmt.Errorf("the app mfa is %T", mod))
	}
	gate, err := app.Gate()
	if err != nil {
		return administration{}, failed(http.StatusServiceUnavailable, err)
	}
	return administration{app, gate}, nil
}

func failed(status int, err error) caddy.APIError {
	return caddy.APIError{HTTPStatus: status, Err: err, Message: err.Error()}
}

func apiError(err error) error {
	switch {
	case errors.As(err, new(caddy.APIError)):
		return err
	case errors.Is(err, mfagate.ErrUnknownUser), errors.Is(err, mfagate.ErrNoRequest):
		return failed(http.StatusNotFound, err)
	case errors.Is(err, mfagate.ErrEnrolled), errors.Is(err, mfagate.ErrRequestChanged),
		errors.Is(err, mfagate.ErrRequestNotDue), errors.Is(err, mfagate.ErrRequestHeld):
		return failed(http.StatusConflict, err)
	}
	return failed(http.StatusInternalServerError, err)
}

// subject reads the user of a route, whose name may be in any form.
func (a administration) subject(r *http.Request) (mfagate.Subject, error) {
	realm := r.PathValue("realm")
	name, err := a.app.sites.canonical(realm, r.PathValue("user"))
	if err != nil {
		return mfagate.Subject{}, failed(http.StatusBadRequest, err)
	}
	return mfagate.Subject{Realm: realm, Name: name}, nil
}

const (
	usualUsers = 100
	mostUsers  = 1000
	lastEvents = 20
)

type userList struct {
	Users []mfagate.UserStatus `json:"users"`
}

type realmList struct {
	Realms     []string `json:"realms"`     // that have users
	Configured []string `json:"configured"` // that sites have
}

// listRealms lists the realms that have users.
func listRealms(a administration, r *http.Request) (any, error) {
	realms, err := a.gate.Realms(r.Context())
	if realms == nil {
		realms = []string{}
	}
	return realmList{realms, a.app.sites.realms()}, err
}

func readLimit(q url.Values) (int, error) {
	text := q.Get("limit")
	if text == "" {
		return usualUsers, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostUsers {
		return 0, failed(http.StatusBadRequest, fmt.Errorf("limit %q: want a number from 1 to %d", text, mostUsers))
	}
	return n, nil
}

// listUsers lists users of a realm in order of name: GET /mfa/users?realm=&after=&limit=
func listUsers(a administration, r *http.Request) (any, error) {
	q := r.URL.Query()
	limit, err := readLimit(q)
	if err != nil {
		return nil, err
	}
	users, err := a.gate.Users(r.Context(), cmp.Or(q.Get("realm"), defaultRealm), q.Get("after"), limit)
	if users == nil {
		users = []mfagate.UserStatus{}
	}
	return userList{users}, err
}

type userDetail struct {
	mfagate.UserStatus
	Events []mfagate.Event `json:"events"` // newest first
}

func showUser(a administration, r *http.Request) (any, error) {
	s, err := a.subject(r)
	if err != nil {
		return nil, err
	}
	status, err := a.gate.User(r.Context(), s)
	if err != nil {
		return nil, err
	}
	events, err := a.gate.Events(r.Context(), s, lastEvents)
	if events == nil {
		events = []mfagate.Event{}
	}
	return userDetail{status, events}, err
}

// An orderBody is the body of the routes that change something. All may be left out.
type orderBody struct {
	Actor  string         `json:"actor"`  // who gives the order; default: cli
	Reason string         `json:"reason"` // for the record of a reset
	Valid  caddy.Duration `json:"valid"`  // of a ticket; default: 24h
	Seen   string         `json:"seen"`   // of a request: as the request that is decided on tells it
}

type orderFunc func(a administration, r *http.Request, s mfagate.Subject, o orderBody) (any, error)

// order reads what the routes that change something have in common. The type of
// the content must be JSON, which a page of another site cannot send unasked.
func order(f orderFunc) func(administration, *http.Request) (any, error) {
	return func(a administration, r *http.Request) (any, error) {
		s, err := a.subject(r)
		if err != nil {
			return nil, err
		}
		o, err := readOrder(r)
		if err != nil {
			return nil, err
		}
		return f(a, r, s, o)
	}
}

// readBody reads a body of JSON with at most so many bytes into v. An empty one
// leaves v as it is.
func readBody(r *http.Request, limit int64, v any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return failed(http.StatusUnsupportedMediaType, errors.New("want Content-Type: application/json"))
	}
	d := json.NewDecoder(io.LimitReader(r.Body, limit))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return failed(http.StatusBadRequest, fmt.Errorf("reading body: %w", err))
	}
	return nil
}

func readOrder(r *http.Request) (orderBody, error) {
	o := orderBody{}
	if err := readBody(r, 64<<10, &o); err != nil {
		return o, err
	}
	if o.Valid < 0 || time.Duration(o.Valid) > 24*time.Hour {
		return o, failed(http.StatusBadRequest, errors.New("valid: want at most 24h"))
	}
	if o.Actor == "" {
		o.Actor = "cli"
	}
	return o, nil
}

// An issuedTicket is a ticket with the places where it can be used.
type issuedTicket struct {
	mfagate.Ticket
	URLs []string `json:"urls"` // of the sites of the realm, without a slash at the end
}

func resetUser(a administration, r *http.Request, s mfagate.Subject, o orderBody) (any, error) {
	t, err := a.gate.Reset(r.Context(), o.Actor, s, o.Reason, time.Duration(o.Valid))
	return issuedTicket{t, a.app.sites.urls(s.Realm)}, err
}

// disableUser refuses what would only open the account to whoever has the password
// and enrols first.
func disableUser(a administration, r *http.Request, s mfagate.Subject, o orderBody) (any, error) {
	if a.requires(r.Context(), s.Realm) {
		return nil, failed(http.StatusConflict, fmt.Errorf("a second factor is required in realm %s, so it cannot be switched off for anybody; reset makes a link for a new set-up", s.Realm))
	}
	return s, a.gate.Disable(r.Context(), o.Actor, s, o.Reason)
}

func unlockUser(a administration, r *http.Request, s mfagate.Subject, o orderBody) (any, error) {
	return s, a.gate.Unlock(r.Context(), o.Actor, s)
}

type signedOut struct {
	mfagate.Subject
	Sessions int `json:"sessions"` // that were ended
}

func signOutUser(a administration, r *http.Request, s mfagate.Subject, o orderBody) (any, error) {
	n, err := a.gate.SignOut(r.Context(), o.Actor, s)
	return signedOut{s, n}, err
}

func issueTicket(a administration, r *http.Request, s mfagate.Subject, o orderBody) (any, error) {
	if err := a.app.sites.knows(s.Realm); err != nil {
		return nil, failed(http.StatusNotFound, err)
	}
	t, err := a.gate.IssueTicket(r.Context(), o.Actor, s, time.Duration(o.Valid))
	return issuedTicket{t, a.app.sites.urls(s.Realm)}, err
}

// Interface guards
var _ caddy.AdminRouter = AdminAPI{}
