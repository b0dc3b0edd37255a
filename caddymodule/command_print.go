package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func printf(format string, args ...any) error {
	_, err := fmt.Printf(format, args...)
	return err
}

func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printTable prints rows in columns.
func printTable(rows [][]string) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// printable keeps what a person typed from steering the terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return '?'
		}
		return c
	}, s)
}

func printUsers(users []mfagate.UserStatus, realms bool) error {
	header := []string{"USER", "FACTORS", "RECOVERY CODES", "LAST PROOF", "SESSIONS", "NOTE"}
	if realms {
		header = append([]string{"REALM"}, header...)
	}
	rows := [][]string{header}
	for _, u := range users {
		row := []string{u.Name, factorNames(u), fmt.Sprint(u.RecoveryLeft), when(u.LastProof), fmt.Sprint(u.Sessions), note(u)}
		if realms {
			row = append([]string{u.Realm}, row...)
		}
		rows = append(rows, row)
	}
	return printTable(rows)
}

func factorNames(u mfagate.UserStatus) string {
	var names []string
	for _, f := range u.Factors {
		names = append(names, f.Factor)
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}

func note(u mfagate.UserStatus) string {
	var notes []string
	if u.LockedUntil.After(time.Now()) {
		notes = append(notes, "locked until "+when(u.LockedUntil))
	}
	if u.NeverSeen {
		notes = append(notes, "never been here")
	}
	if u.TicketNeeded {
		notes = append(notes, "needs a ticket")
	}
	if !u.Enrolled && !u.LastExempt.IsZero() {
		notes = append(notes, "passed as exempt on "+u.LastExempt.Local().Format(time.DateOnly))
	}
	return strings.Join(notes, ", ")
}

// when tells a time as it is here, and where that is: pages tell it in UTC.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

func printUser(u userDetail) error {
	err := printTable([][]string{
		{"User:", u.Name},
		{"Realm:", u.Realm},
		{"Enrolled:", yesNo(u.Enrolled)},
		{"Recovery codes left:", fmt.Sprint(u.RecoveryLeft)},
		{"Last proof:", when(u.LastProof)},
		{"Sessions:", fmt.Sprint(u.Sessions)},
		{"Wrong codes in 24 h:", fmt.Sprint(u.FailedCodes24)},
		{"Note:", note(u.UserStatus)},
	})
	if err != nil {
		return err
	}
	if err := printFactors(u.Factors); err != nil {
		return err
	}
	return printEvents(u.Events)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func printFactors(factors []mfagate.CredentialStatus) error {
	if len(factors) == 0 {
		return nil
	}
	rows := [][]string{{"FACTOR", "LABEL", "ADDED", "LAST USED"}}
	for _, f := range factors {
		rows = append(rows, []string{f.Factor, f.Label, when(f.Created), when(f.Used)})
	}
	return printSection(rows)
}

func printEvents(events []mfagate.Event) error {
	if len(events) == 0 {
		return nil
	}
	rows := [][]string{{"TIME", "EVENT", "FACTOR", "FROM", "BY", "DETAIL"}}
	for _, e := range events {
		rows = append(rows, []string{when(e.Time), e.Kind, e.Factor, e.Remote, e.Actor, e.Detail})
	}
	return printSection(rows)
}

// printSection prints a table after an empty line.
func printSection(rows [][]string) error {
	if err := printf("\n"); err != nil {
		return err
	}
	return printTable(rows)
}

// printTicket prints the links for scripts to take, and what they are good for
// beside them.
func printTicket(t issuedTicket) error {
	fmt.Fprintf(os.Stderr, "Good for one enrolment of %s until %s:\n", printable(t.Name), when(t.Expires))
	if len(t.URLs) == 0 {
		fmt.Fprintln(os.Stderr, "(the configuration tells no address to open; give one with --url, or put the app's in front)")
		t.URLs = []string{""}
	}
	for _, base := range t.URLs {
		if _, err := io.WriteString(os.Stdout, ticketLink(base, t.Code)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func ticketLink(base, ticket string) string {
	return base + mfagate.Prefix + "enroll?ticket=" + url.QueryEscape(ticket)
}
