package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// Bounds of one request of an import.
const (
	mostImported  = 500
	importedBytes = 2 << 20
)

// An importBody is the body of POST /mfa/import.
type importBody struct {
	Realm string         `json:"realm"`
	Actor string         `json:"actor"` // default: cli
	Dry   bool           `json:"dry_run"`
	Users []importedUser `json:"users"`
}

type importedUser struct {
	Name   string   `json:"name"` // in any form
	Email  string   `json:"email,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

type importResult struct {
	Name    string                `json:"name"` // as it is stored
	Outcome mfagate.ImportOutcome `json:"outcome,omitempty"`
	Error   string                `json:"error,omitempty"` // why the user cannot be imported
}

type importResults struct {
	Results []importResult `json:"results"` // in the order of the users
}

// importUsers imports all users of the request or, if one of them cannot be, none.
func importUsers(a administration, r *http.Request) (any, error) {
	var body importBody
	if err := readBody(r, importedBytes, &body); err != nil {
		return nil, err
	}
	if len(body.Users) == 0 || len(body.Users) > mostImported {
		return nil, failed(http.StatusBadRequest, fmt.Errorf("users: want 1 to %d at once", mostImported))
	}
	realm := cmp.Or(body.Realm, defaultRealm)
	if err := a.app.sites.knows(realm); err != nil {
		return nil, failed(http.StatusNotFound, err)
	}
	results, users := a.readImport(realm, body.Users)
	if len(users) < len(results) {
		if body.Dry {
			return importResults{results}, nil
		}
		return nil, failed(http.StatusUnprocessableEntity, errors.New("some users cannot be imported, and none was: ask with dry_run which"))
	}
	outcomes, err := a.gate.Import(r.Context(), cmp.Or(body.Actor, "cli"), realm, users, body.Dry)
	for i := range outcomes {
		results[i].Outcome = outcomes[i]
	}
	return importResults{results}, err
}

// readImport returns the users that can be imported, and a result for each.
func (a administration) readImport(realm string, list []importedUser) (results []importResult, users []mfagate.ImportedUser) {
	for _, u := range list {
		name, err := a.app.sites.canonical(realm, u.Name)
		user := mfagate.ImportedUser{Name: name, Email: u.Email, Groups: u.Groups}
		if err == nil {
			err = user.Validate()
		}
		result := importResult{Name: name}
		if err != nil {
			result.Error = err.Error()
		} else {
			users = append(users, user)
		}
		results = append(results, result)
	}
	return results, users
}
