package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/badger"
)

func init() {
	caddy.RegisterModule(BadgerStore{})
}

// BadgerStore keeps records in a Badger database: a folder that one process at
// a time can open.
type BadgerStore struct {
	// The folder of the database. It is made, readable by its owner only.
	// Default: mfagate in Caddy's data folder.
	Dir string `json:"dir,omitempty"`

	dir    string // without symbolic links
	logger *slog.Logger
}

// CaddyModule returns the Caddy module information.
func (BadgerStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "mfa.stores.badger",
		New: func() caddy.Module { return new(BadgerStore) },
	}
}

// Provision sets up s. It makes no folder.
func (s *BadgerStore) Provision(ctx caddy.Context) (err error) {
	s.logger = ctx.Slogger()
	dir := s.Dir
	if dir == "" {
		dir = filepath.Join(caddy.AppDataDir(), "mfagate")
	}
	if s.dir, err = realPath(dir); err != nil {
		return fmt.Errorf("folder of the database: %w", err)
	}
	return nil
}

// Resource implements StoreOpener.
func (s *BadgerStore) Resource() string { return "badger " + s.dir }

// Keyset implements StoreOpener. A copy of the folder must not bring its keys
// along, so they lie outside.
func (s *BadgerStore) Keyset(path string) (string, error) {
	if path == "" {
		return s.dir + ".keyset.json", nil
	}
	inside, err := filepath.Rel(s.dir, path)
	if err == nil && filepath.IsLocal(inside) {
		return "", fmt.Errorf("%s is inside the folder of the database, so that whoever copies the one has the other; put it beside", path)
	}
	return path, nil
}

// Open implements StoreOpener.
func (s *BadgerStore) Open(context.Context) (storage.Store, error) {
	return badger.Options{Dir: s.dir, Logger: s.logger}.Open()
}

// UnmarshalCaddyfile sets up s from Caddyfile tokens. Syntax:
//
//	store badger [<dir>]
func (s *BadgerStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume module name
	if d.NextArg() {
		s.Dir = d.Val()
	}
	if d.NextArg() {
		return d.Errf("store badger: unexpected value %q", d.Val())
	}
	return nil
}

// realPath returns path absolute and without symbolic links. The last parts of
// it need not be there yet.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(path) == path {
		return real, err
	}
	parent, err := realPath(filepath.Dir(path))
	return filepath.Join(parent, filepath.Base(path)), err
}

// theme returns the files of a folder that must be there, or nil for none.
func theme(dir string) (fs.FS, error) {
	if dir == "" {
		return nil, nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("theme: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("theme: %s is no folder", strings.TrimSuffix(dir, "/"))
	}
	return os.DirFS(dir), nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*BadgerStore)(nil)
	_ caddyfile.Unmarshaler = (*BadgerStore)(nil)
	_ StoreOpener           = (*BadgerStore)(nil)
)
