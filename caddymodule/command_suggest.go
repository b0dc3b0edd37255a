package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func suggestCommand() *cobra.Command {
	return newSiteCommand("suggest [<site>]", "Prints a login_form block from what a site with \"mode observe\" has seen", cmdSuggest)
}

// newSiteCommand returns a command that takes the name of a site, or nothing where there is one.
func newSiteCommand(use, short string, run func(commandLine) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		RunE: caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if fl.NArg() > 1 {
				return exitUsage, fmt.Errorf("want: caddy mfa %s", use)
			}
			return code(run(commandLine{fl}))
		}),
	}
}

// errNothingSeen is the answer to whoever asks too early.
var errNothingSeen = errors.New("no sign-in was seen yet: write \"mode observe\" and \"login_form\" in the site's mfa block, reload, and sign in at the app once with a wrong password and once with the right one")

func cmdSuggest(l commandLine) error {
	var seen learnt
	if err := l.call(http.MethodGet, "/mfa/learnt?site="+url.QueryEscape(l.Arg(0)), nil, &seen); err != nil {
		return err
	}
	if l.Bool("json") {
		return printJSON(seen)
	}
	text, uncertain := suggest(seen)
	if scheme := unseen(seen.Guarded); text == "" && scheme != "" {
		return fmt.Errorf("the app asks for %s credentials, which the gate cannot watch: see \"Apps whose login cannot be observed\" in the manual of the login form", scheme)
	}
	if text == "" {
		return errNothingSeen
	}
	if uncertain {
		fmt.Fprintln(os.Stderr, "Look after the lines that are marked UNCERTAIN before you use this.")
	}
	return printf("%s", text)
}
