package caddymodule

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// requestRoutes are those for requests for a reset.
func requestRoutes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "GET /mfa/requests", Handler: adminHandler(listRequests)},
		{Pattern: "GET /mfa/users/{realm}/{user}/request", Handler: adminHandler(showRequest)},
		{Pattern: "POST /mfa/users/{realm}/{user}/request/approve", Handler: adminHandler(order(approveRequest))},
		{Pattern: "POST /mfa/users/{realm}/{user}/request/refuse", Handler: adminHandler(order(refuseRequest))},
		{Pattern: "POST /mfa/users/{realm}/{user}/request/complete", Handler: adminHandler(order(completeRequest))},
	}
}

// A requestKeeper is what these routes need of a gate.
type requestKeeper interface {
	ResetRequests(ctx context.Context, realm, after string, limit int) ([]mfagate.ResetRequest, error)
	ResetRequest(ctx context.Context, s mfagate.Subject) (mfagate.ResetRequest, error)
	ApproveReset(ctx context.Context, actor string, s mfagate.Subject, seen, reason string) (mfagate.ResetRequest, error)
	RefuseReset(ctx context.Context, actor string, s mfagate.Subject, seen, reason string) error
	CompleteReset(ctx context.Context, actor string, s mfagate.Subject, seen string, valid time.Duration) (mfagate.Ticket, error)
}

type requestList struct {
	Requests []mfagate.ResetRequest `json:"requests"`
}

// listRequests lists open requests in order of name: GET /mfa/requests?realm=&after=&limit=
func listRequests(a administration, r *http.Request) (any, error) {
	q := r.URL.Query()
	limit, err := readLimit(q)
	if err != nil {
		return nil, err
	}
	list, err := a.gate.ResetRequests(r.Context(), cmp.Or(q.Get("realm"), defaultRealm), q.Get("after"), limit)
	return requestList{list}, err
}

func showRequest(a administration, r *http.Request) (any, error) {
	s, err := a.subject(r)
	if err != nil {
		return nil, err
	}
	return a.gate.ResetRequest(r.Context(), s)
}

func approveRequest(a administration, r *http.Request, s mfagate.Subject, o orderBody) (any, error) {
	return a.gate.ApproveReset(r.Context(), o.Actor, s, o.Seen, o.Reason)
}

func refuseRequest(a administration, r *http.Request, s mfagate.Subject, o orderBody) (any, error) {
	return s, a.gate.RefuseReset(r.Context(), o.Actor, s, o.Seen, o.Reason)
}

func completeRequest(a administration, r *http.Request, s mfagate.Subject, o orderBody) (any, error) {
	t, err := a.gate.CompleteReset(r.Context(), o.Actor, s, o.Seen, time.Duration(o.Valid))
	return issuedTicket{t, a.app.sites.urls(s.Realm)}, err
}
