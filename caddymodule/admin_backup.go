package caddymodule

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// backupType is the type of a backup. No page of a browser can send it unasked.
const backupType = "application/vnd.mfagate.backup"

// vault returns the open store of the running configuration.
func (a administration) vault() *vault {
	a.app.resource.mu.Lock()
	defer a.app.resource.mu.Unlock()
	return a.app.resource.vault
}

// sendBackup streams a backup: GET /mfa/backup. On an error the connection is cut, and the
// backup lacks its end.
func sendBackup(w http.ResponseWriter, r *http.Request) error {
	a, err := running()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", backupType)
	w.Header().Set("Cache-Control", "no-store")
	n, err := a.vault().stream(w, r)
	if _, ok := errors.AsType[backupError](err); ok && n == 0 {
		w.Header().Del("Content-Type")
		return failed(http.StatusConflict, err)
	}
	if err != nil {
		a.app.logger.Error("backup broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
	a.app.logger.Info("backup was made", "records", n)
	if records, err := a.app.resource.open(r.Context()); err != nil {
		a.app.logger.Error("noting the backup", "error", err)
	} else if err := records.NoteBackup(r.Context(), time.Now()); err != nil {
		a.app.logger.Error("noting the backup", "error", err)
	}
	return nil
}

type restored struct {
	Records int `json:"records"`
}

// takeBackup restores a backup into an empty store: POST /mfa/restore.
func takeBackup(a administration, w http.ResponseWriter, r *http.Request) (any, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != backupType {
		return nil, failed(http.StatusUnsupportedMediaType, fmt.Errorf("want Content-Type: %s", backupType))
	}
	// Caddy gives a request 10 seconds, which does for little orders only.
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	n, err := a.vault().restore(r.Context(), r.Body)
	if _, ok := errors.AsType[backupError](err); ok {
		return nil, failed(http.StatusConflict, err)
	}
	if err != nil {
		a.app.logger.Error("restore broke off", "error", err)
		return nil, err
	}
	a.app.logger.Warn("a backup was restored", "records", n)
	return restored{n}, nil
}

// rotateKeys makes a new primary key: POST /mfa/keys/rotate.
func rotateKeys(a administration, r *http.Request) (any, error) {
	return a.changeKeys(r, func(v *vault) error { return v.rotate(r.Context()) }, "the keyset has a new primary key")
}

// resealRecords seals anew what an earlier rotation has left: POST /mfa/keys/reseal.
func resealRecords(a administration, r *http.Request) (any, error) {
	return a.changeKeys(r, (*vault).resume, "records are being sealed anew")
}

func (a administration) changeKeys(r *http.Request, change func(*vault) error, done string) (any, error) {
	if err := readBody(r, 1<<10, &struct{}{}); err != nil {
		return nil, err
	}
	v := a.vault()
	err := change(v)
	if errors.Is(err, errSharedKey) {
		return nil, failed(http.StatusConflict, err)
	}
	if err != nil {
		return nil, err
	}
	a.app.logger.Warn(done, "keyset", v.path)
	return v.keys(), nil
}

// showKeys tells of the keyset, and never of a key: GET /mfa/keys.
func showKeys(a administration, _ *http.Request) (any, error) { return a.vault().keys(), nil }

// adminTaker is an adminHandler of what needs the answer's writer too.
func adminTaker(f func(administration, http.ResponseWriter, *http.Request) (any, error)) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		return adminHandler(func(a administration, r *http.Request) (any, error) { return f(a, w, r) })(w, r)
	}
}
