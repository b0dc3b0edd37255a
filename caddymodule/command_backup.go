package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/backup"
)

func backupCommand() *cobra.Command {
	cmd := newCommand("backup <file> [--yes]", "Writes all records to a file, sealed as they are; the keyset is not in it", 1, cmdBackup)
	cmd.Flags().BoolP("yes", "y", false, "Replace the file if it is there")
	return cmd
}

type backedUp struct {
	File    string `json:"file"`
	Records int    `json:"records"`
	Keyset  string `json:"keyset"` // the file that must be kept too, elsewhere
}

// cmdBackup writes beside the file first, so that a backup which breaks off never
// takes the place of a whole one.
func cmdBackup(l commandLine) error {
	name := l.Arg(0)
	if _, err := os.Lstat(name); err == nil && !l.Bool("yes") {
		return usageError(name + " is there already; give --yes to replace it")
	}
	var keys keyProgress
	if err := l.call(http.MethodGet, "/mfa/keys", nil, &keys); err != nil {
		return err
	}
	answer, err := l.open(http.MethodGet, "/mfa/backup", nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	n, err := keepBackup(name, answer)
	if err != nil {
		return fmt.Errorf("there is no backup: %w", err)
	}
	if l.Bool("json") {
		return printJSON(backedUp{name, n, keys.Keyset})
	}
	fmt.Fprintf(os.Stderr, "The keys are not in it, and without them it is worth nothing. Keep a copy of this file too, in another place:\n%s\n", keys.Keyset)
	return printf("%d records are in %s.\n", n, name)
}

// keepBackup writes a backup to a file of a name (mode 0600) once it is whole and on
// the disk.
func keepBackup(name string, r io.Reader) (n int, err error) {
	part := name + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer os.Remove(part)
	bar := newProgress("Written", "records", 0)
	n, err = backup.Read(io.TeeReader(r, f), func(storage.Record) error {
		bar.add(1)
		return nil
	})
	bar.end()
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(part, name)
}

func restoreCommand() *cobra.Command {
	cmd := newCommand("restore <file> [--yes]", "Fills the empty store of the running server from a backup", 1, cmdRestore)
	cmd.Flags().BoolP("yes", "y", false, "Do not ask")
	return cmd
}

func cmdRestore(l commandLine) error {
	f, err := os.Open(l.Arg(0))
	if err != nil {
		return usageError(err.Error())
	}
	defer f.Close()
	records, err := backup.Read(f, func(storage.Record) error { return nil })
	if err != nil {
		return fmt.Errorf("nothing was restored from %s: %w", l.Arg(0), err)
	}
	if err := l.ask(fmt.Sprintf("Fill the server's empty store with the %d records of %s?", records, l.Arg(0))); err != nil {
		return err
	}
	done, err := l.upload(f)
	if err != nil {
		return err
	}
	if l.Bool("json") {
		return printJSON(done)
	}
	return printf("%d records were restored. Sessions and tickets are not among them: everybody signs in anew.\n", done.Records)
}

func (l commandLine) upload(f *os.File) (done restored, err error) {
	info, err := f.Stat()
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return done, err
	}
	bar := newProgress("Sent", "bytes", info.Size())
	answer, err := l.send(http.MethodPost, "/mfa/restore", http.Header{"Content-Type": {backupType}}, &countedReader{f, bar})
	bar.end()
	if err != nil {
		return done, err
	}
	defer answer.Close()
	return done, json.NewDecoder(answer).Decode(&done)
}

// A countedReader shows how much of it was read.
type countedReader struct {
	io.Reader
	bar *progress
}

func (c *countedReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.bar.add(int64(n))
	return n, err
}
