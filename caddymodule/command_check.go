package caddymodule

import (
	"fmt"
	"net/http"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check <method> <url> [--user <name>] [--header <name: value>]",
		Short: "Explains what a request would get, without making it",
		RunE: caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if fl.NArg() != 2 {
				return exitUsage, fmt.Errorf("want: caddy mfa check <method> <url>")
			}
			return code(cmdCheck(commandLine{fl}))
		}),
	}
	cmd.Flags().String("user", "", "Whom the first factor names; default: as the request itself tells")
	cmd.Flags().StringArrayP("header", "H", nil, "A header of the request, as \"Name: value\"; can be repeated")
	return cmd
}

func cmdCheck(l commandLine) error {
	lines, err := l.GetStringArray("header")
	if err != nil {
		return err
	}
	header := make(http.Header)
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return usageError(fmt.Sprintf("--header %q: want \"Name: value\"", line))
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	var v verdict
	body := checkBody{Method: strings.ToUpper(l.Arg(0)), URL: l.Arg(1), User: l.String("user"), Header: header}
	if err := l.call(http.MethodPost, "/mfa/check", body, &v); err != nil {
		return err
	}
	if l.Bool("json") {
		return printJSON(v)
	}
	return printVerdict(v)
}

// printVerdict prints the blocks, and what they make of the request together.
func printVerdict(v verdict) error {
	for _, s := range v.Sites {
		if err := printf("Site %s: realm %s, mode %s\n", printable(s.Name), printable(s.Realm), s.Mode); err != nil {
			return err
		}
	}
	if len(v.Sites) == 0 {
		return printf("No site with mfa has this address: the gate does not see such a request.\n")
	}
	rows := [][]string{{"BLOCK", "MATCHES", "USER FROM", "FACTORS", "VERDICT", "WHY"}}
	for i, b := range v.Blocks {
		rows = append(rows, []string{fmt.Sprint(i + 1), yesNo(b.Matches), b.Source, factorsOf(b), dash(b.Verdict), dash(b.Why)})
	}
	if err := printTable(rows); err != nil {
		return err
	}
	return printf("\n%s\n", summaryOf(v.Verdict))
}

func factorsOf(b verdictBlock) string {
	text := strings.Join(b.Factors, ",")
	if text == "" {
		text = "any"
	}
	if b.MaxAge != "" {
		text += ", at most " + b.MaxAge + " old"
	}
	return text
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// summaryOf says in a sentence what becomes of a request.
func summaryOf(verdict string) string {
	switch verdict {
	case "pass":
		return "It passes without a second factor."
	case "challenge":
		return "It is stopped until a factor is proved."
	case "enrol":
		return "It is stopped until a factor is set up."
	case "refuse":
		return "It is refused, or led to the first factor."
	}
	return "No block matches: IT PASSES WITHOUT THE GATE."
}
