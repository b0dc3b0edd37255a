package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "mfa",
		Usage: "<command> [--address <interface>] [--config <path>] [--realm <name>] [--json]",
		Short: "Manages the second factors of users",
		Long: `Manages the second factors of users, through the admin API of the running server.

The server is found by --address, or by the admin address in the file that
--config names, or in the Caddyfile of the current folder.

Exit codes: 0 done; 1 not done, the server said why; 2 asked in a wrong way.`,
		CobraFunc: addCommands,
	})
}

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func addCommands(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.String("address", "", "Address of the admin API, such as unix//run/caddy.sock or localhost:2019")
	flags.StringP("config", "c", "", "Configuration file that names the admin address")
	flags.StringP("adapter", "a", "", "Name of the config adapter to apply")
	flags.String("realm", "", "Realm of the user; needed if there are several")
	flags.Bool("json", false, "Print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return exit(cmd, exitUsage, fmt.Errorf("no such command: mfa %s; see caddy mfa --help", args[0]))
		}
		return cmd.Help()
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return exit(cmd, exitUsage, err) })
	cmd.AddCommand(
		usersCommand(),
		newCommand("show <user>", "Shows what a user has enrolled, and what happened lately", 1, cmdShow),
		resetCommand(),
		disableCommand(),
		newCommand("codes <user>", "Tells how many recovery codes of a user are left, never which", 1, cmdCodes),
		newCommand("unlock <user>", "Forgets the wrong codes that a user typed", 1, cmdUnlock),
		signOutCommand(),
		enrollCommand(),
		importCommand(),
		requestsCommand(),
		backupCommand(),
		restoreCommand(),
		keysCommand(),
		auditCommand(),
		reportCommand(),
		requireCommand(),
		suggestCommand(),
		doctorCommand(),
		checkCommand(),
	)
}

// newCommand returns a command with a number of arguments.
func newCommand(use, short string, args int, run func(commandLine) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		RunE: caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if fl.NArg() != args {
				return exitUsage, fmt.Errorf("want: caddy mfa %s", use)
			}
			return code(run(commandLine{fl}))
		}),
	}
}

// A usageError is a mistake of the person at the keyboard.
type usageError string

func (e usageError) Error() string { return string(e) }

func code(err error) (int, error) {
	if err == nil {
		return exitDone, nil
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage, err
	}
	return exitFailed, err
}

// exit makes an error that ends the program with an exit code.
func exit(cmd *cobra.Command, status int, err error) error {
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return status, err })(cmd, nil)
}

func usersCommand() *cobra.Command {
	cmd := newCommand("users [--all]", "Lists the users of a realm", 0, cmdUsers)
	cmd.Flags().Bool("all", false, "List the users of all realms")
	return cmd
}

func cmdUsers(l commandLine) error {
	users, err := l.users()
	if err != nil {
		return err
	}
	if l.Bool("json") {
		return printJSON(userList{users})
	}
	return printUsers(users, l.Bool("all"))
}

func cmdShow(l commandLine) error {
	var user userDetail
	if err := l.ofUser(http.MethodGet, "", nil, &user); err != nil {
		return err
	}
	if l.Bool("json") {
		return printJSON(user)
	}
	return printUser(user)
}

func cmdUnlock(l commandLine) error {
	var done struct {
		Realm string `json:"realm"`
		User  string `json:"user"`
	}
	if err := l.ofUser(http.MethodPost, "/unlock", orderBody{}, &done); err != nil {
		return err
	}
	if l.Bool("json") {
		return printJSON(done)
	}
	return printf("%s can try again.\n", done.User)
}

func signOutCommand() *cobra.Command {
	cmd := newCommand("sign-out <user> [--yes]", "Ends all sessions of a user", 1, cmdSignOut)
	cmd.Flags().BoolP("yes", "y", false, "Do not ask")
	return cmd
}

func cmdSignOut(l commandLine) error {
	if err := l.confirm("End all sessions of %s in realm %s?"); err != nil {
		return err
	}
	var done signedOut
	if err := l.ofUser(http.MethodPost, "/sign-out", orderBody{}, &done); err != nil {
		return err
	}
	if l.Bool("json") {
		return printJSON(done)
	}
	return printf("%s is signed out; sessions ended: %d.\n", done.Name, done.Sessions)
}

func resetCommand() *cobra.Command {
	cmd := newCommand("reset <user> [--reason <text>] [--yes]", "Removes all factors of a user and prints a link to enrol anew", 1, cmdReset)
	cmd.Flags().BoolP("yes", "y", false, "Do not ask")
	cmd.Flags().String("reason", "", "Why, for the record")
	ticketFlags(cmd)
	return cmd
}

func cmdReset(l commandLine) error {
	if err := l.confirm("Remove all factors, recovery codes and sessions of %s in realm %s?"); err != nil {
		return err
	}
	return l.ticket("/reset", orderBody{Reason: l.String("reason")})
}

func enrollCommand() *cobra.Command {
	cmd := newCommand("enroll <user>", "Prints a link that admits one first enrolment", 1, func(l commandLine) error {
		return l.ticket("/tickets", orderBody{})
	})
	ticketFlags(cmd)
	return cmd
}

func ticketFlags(cmd *cobra.Command) {
	cmd.Flags().String("url", "", "URL of the app, such as https://app.example.com; default: as in the running configuration")
	cmd.Flags().Duration("valid", 24*time.Hour, "How long the link is good; at most 24h")
}
