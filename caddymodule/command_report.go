package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func reportCommand() *cobra.Command {
	cmd := newCommand("report --csv|--json", "Prints all users with their state, for a table or a script", 0, cmdReport)
	cmd.Flags().Bool("csv", false, "Print CSV (RFC 4180)")
	return cmd
}

func cmdReport(l commandLine) error {
	if l.Bool("csv") == l.Bool("json") {
		return usageError("want one of --csv and --json")
	}
	query := url.Values{}
	if l.Changed("realm") {
		query.Set("realm", l.String("realm"))
	}
	answer, err := l.open(http.MethodGet, "/mfa/report?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	if l.Bool("csv") {
		err = writeCSV(os.Stdout, answer)
	} else {
		_, err = io.Copy(os.Stdout, answer)
	}
	if err != nil {
		return fmt.Errorf("the report is not complete: %w", err)
	}
	return nil
}

// writeCSV turns a userList into CSV (RFC 4180, with a header), one user at a time.
func writeCSV(w io.Writer, list io.Reader) error {
	report, err := mfagate.NewReport(w)
	if err != nil {
		return err
	}
	err = eachUser(json.NewDecoder(list), report.Add)
	return errors.Join(err, report.Flush())
}

// eachUser calls f for each user of a userList, and returns an error unless the
// list has an end.
func eachUser(d *json.Decoder, f func(mfagate.UserStatus) error) error {
	for _, want := range []json.Token{json.Delim('{'), "users", json.Delim('[')} {
		if err := expect(d, want); err != nil {
			return err
		}
	}
	for d.More() {
		var u mfagate.UserStatus
		if err := d.Decode(&u); err != nil {
			return err
		}
		if err := f(u); err != nil {
			return err
		}
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if err := expect(d, want); err != nil {
			return err
		}
	}
	return nil
}

func expect(d *json.Decoder, want json.Token) error {
	switch got, err := d.Token(); {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("got %v; want %v", got, want)
	}
	return nil
}
