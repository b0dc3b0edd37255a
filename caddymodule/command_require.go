package caddymodule

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

func requireCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "require [on|off] [--reason <text>] [--yes]",
		Short: "Makes the second factor mandatory or optional, or tells which it is",
		RunE: caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if fl.NArg() > 1 || fl.NArg() == 1 && fl.Arg(0) != "on" && fl.Arg(0) != "off" {
				return exitUsage, errors.New("want: caddy mfa require, or with on or off")
			}
			return code(cmdRequire(commandLine{fl}))
		}),
	}
	cmd.Flags().BoolP("yes", "y", false, "Do not ask")
	cmd.Flags().String("reason", "", "Why, for the record")
	return cmd
}

func cmdRequire(l commandLine) error {
	realm, err := l.realm()
	if err != nil {
		return err
	}
	path := "/mfa/realms/" + url.PathEscape(realm) + "/mode"
	var m realmMode
	if err := l.call(http.MethodGet, path, nil, &m); err != nil {
		return err
	}
	if l.NArg() == 1 {
		required := l.Arg(0) == "on"
		if err := l.confirmMode(m, required); err != nil {
			return err
		}
		m = realmMode{}
		if err := l.call(http.MethodPost, path, modeBody{Required: &required, Actor: "cli", Reason: l.String("reason")}, &m); err != nil {
			return err
		}
	}
	if l.Bool("json") {
		return printJSON(m)
	}
	return printMode(m)
}

// confirmMode tells what the change will mean and asks, unless --yes was given.
func (l commandLine) confirmMode(m realmMode, required bool) error {
	if l.Bool("yes") {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usageError("this changes who gets in, and there is nobody to ask: give --yes")
	}
	question := "Let whoever has no second factor in realm %s in with the password alone? [y/N] "
	if required {
		fmt.Fprintln(os.Stderr, knownUsers(m))
		question = "Stop everybody in realm %s who has no second factor, until they have set one up? [y/N] "
	}
	fmt.Fprintf(os.Stderr, question, printable(m.Realm))
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return fmt.Errorf("nothing was changed")
}

func knownUsers(m realmMode) string {
	if m.Known == nil {
		return "users are still being counted"
	}
	counted := fmt.Sprintf("%d of %d known users have no second factor", m.Known.Users-m.Known.Enrolled, m.Known.Users)
	if time.Since(m.Known.At) > time.Minute {
		counted += ", counted " + when(m.Known.At)
	}
	return counted
}

func printMode(m realmMode) error {
	changed := "never changed"
	if !m.Changed.IsZero() {
		changed = strings.TrimSuffix(fmt.Sprintf("by %s on %s: %s", m.Actor, when(m.Changed), m.Reason), ": ")
	}
	if m.Unreadable {
		changed = "what is stored cannot be read, and counts as required"
	}
	err := printTable([][]string{
		{"Realm:", m.Realm},
		{"Second factor:", word(m.Required)},
		{"Changed:", changed},
		{"Users:", knownUsers(m)},
	})
	if err != nil {
		return err
	}
	rows := [][]string{{"SITE", "MODE", "GRACE", "EXEMPT"}}
	for _, s := range m.Sites {
		mode := s.Mode + " (configuration)"
		if s.Mode == "" {
			mode = word(m.Required)
		}
		rows = append(rows, []string{s.Site, mode, orDash(s.Grace), orDash(strings.Join(s.Exempt, " "))})
	}
	return printSection(rows)
}

func word(required bool) string {
	if required {
		return "required"
	}
	return "optional"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
