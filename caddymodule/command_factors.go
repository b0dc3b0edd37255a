package caddymodule

import (
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func disableCommand() *cobra.Command {
	cmd := newCommand("disable <user> [--reason <text>] [--yes]", "Removes all factors of a user, where none is required", 1, cmdDisable)
	cmd.Flags().BoolP("yes", "y", false, "Do not ask")
	cmd.Flags().String("reason", "", "Why, for the record")
	return cmd
}

func cmdDisable(l commandLine) error {
	if err := l.confirm("Remove all factors, recovery codes and sessions of %s in realm %s, so that the password alone is enough?"); err != nil {
		return err
	}
	var done mfagate.Subject
	if err := l.ofUser(http.MethodPost, "/disable", orderBody{Reason: l.String("reason")}, &done); err != nil {
		return err
	}
	if l.Bool("json") {
		return printJSON(done)
	}
	return printf("The second factor of %s is switched off.\n", printable(done.Name))
}

// codesLeft is what "codes" tells: numbers, and no code.
type codesLeft struct {
	mfagate.Subject
	Left int `json:"recovery_codes_left"`
	Made int `json:"recovery_codes_made"`
}

func cmdCodes(l commandLine) error {
	var user userDetail
	if err := l.ofUser(http.MethodGet, "", nil, &user); err != nil {
		return err
	}
	codes := codesLeft{Subject: user.Subject, Left: user.RecoveryLeft, Made: user.RecoveryMade}
	if l.Bool("json") {
		return printJSON(codes)
	}
	return printTable([][]string{{"USER", "LEFT", "MADE"}, {codes.Name, strconv.Itoa(codes.Left), strconv.Itoa(codes.Made)}})
}
