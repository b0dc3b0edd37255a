package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

func requestsCommand() *cobra.Command {
	cmd := newCommand("requests", "Lists the open requests for a reset, and decides on them", 0, cmdRequests)
	cmd.AddCommand(
		newCommand("list", "Lists the open requests for a reset", 0, cmdRequests),
		decisionCommand("approve", "Approves a request; nothing happens before its delay is over"),
		decisionCommand("refuse", "Refuses a request, also after it was approved"),
		completeCommand(),
	)
	return cmd
}

func decisionCommand(action, short string) *cobra.Command {
	cmd := newCommand(action+" <user> --reason <text> [--yes]", short, 1, func(l commandLine) error { return l.decide(action) })
	cmd.Flags().BoolP("yes", "y", false, "Do not ask")
	cmd.Flags().String("reason", "", "Why, for the record")
	return cmd
}

func completeCommand() *cobra.Command {
	cmd := newCommand("complete <user> [--yes]", "Resets a user whose request is approved and due, and prints a link to enrol anew", 1, cmdComplete)
	cmd.Flags().BoolP("yes", "y", false, "Do not ask")
	ticketFlags(cmd)
	return cmd
}

func cmdRequests(l commandLine) error {
	realm, err := l.realm()
	if err != nil {
		return err
	}
	all, after := []mfagate.ResetRequest{}, ""
	for {
		query := url.Values{"realm": {realm}, "after": {after}, "limit": {strconv.Itoa(mostUsers)}}
		var list requestList
		if err := l.call(http.MethodGet, "/mfa/requests?"+query.Encode(), nil, &list); err != nil {
			return err
		}
		all = append(all, list.Requests...)
		if len(list.Requests) < mostUsers {
			break
		}
		after = list.Requests[len(list.Requests)-1].Name
	}
	if l.Bool("json") {
		return printJSON(requestList{all})
	}
	return printRequests(all)
}

func printRequests(list []mfagate.ResetRequest) error {
	rows := [][]string{{"USER", "CASE", "STATE", "FILED", "NOT BEFORE", "FROM", "MESSAGE"}}
	for _, q := range list {
		rows = append(rows, []string{q.Name, q.Case, stateOf(q), when(q.Filed), when(q.Due), q.Remote, q.Message})
	}
	return printTable(rows)
}

// stateOf tells where a request stands, in words.
func stateOf(q mfagate.ResetRequest) string {
	switch {
	case q.Held:
		return "on hold: the user has signed in since"
	case q.State == mfagate.RequestApproved && !time.Now().Before(q.Due):
		return "due, approved by " + q.Actor
	case q.State == mfagate.RequestApproved:
		return "approved by " + q.Actor
	}
	return "not decided"
}

// lookedAt fetches the request of the user who is named and shows it: a decision is
// on what was shown.
func (l commandLine) lookedAt() (mfagate.ResetRequest, error) {
	var q mfagate.ResetRequest
	if err := l.ofUser(http.MethodGet, "/request", nil, &q); err != nil {
		return q, err
	}
	fmt.Fprintf(os.Stderr, "Case %s, filed %s from %s, %s\n", q.Case, when(q.Filed), printable(q.Remote), printable(stateOf(q)))
	if q.Message != "" {
		fmt.Fprintf(os.Stderr, "Message: %s\n", printable(q.Message))
	}
	return q, nil
}

func (l commandLine) decide(action string) error {
	reason := strings.TrimSpace(l.String("reason"))
	if reason == "" {
		return usageError("--reason: want the reason, for the record")
	}
	q, err := l.lookedAt()
	if err != nil {
		return err
	}
	if err := l.confirm(strings.ToUpper(action[:1]) + action[1:] + " the request of %s in realm %s?"); err != nil {
		return err
	}
	var done mfagate.ResetRequest // of which a refusal tells the user only
	if err := l.ofUser(http.MethodPost, "/request/"+action, orderBody{Reason: reason, Seen: q.Seen}, &done); err != nil {
		return err
	}
	switch {
	case l.Bool("json") && action == "refuse":
		return printJSON(done.Subject)
	case l.Bool("json"):
		return printJSON(done)
	case action == "refuse":
		return printf("The request of %s is refused.\n", printable(q.Name))
	}
	return printf("The request of %s is approved. It can be carried out from %s on: caddy mfa requests complete\n", printable(q.Name), when(done.Due))
}

func cmdComplete(l commandLine) error {
	q, err := l.lookedAt()
	if err != nil {
		return err
	}
	if err := l.confirm("Remove all factors, recovery codes and sessions of %s in realm %s?"); err != nil {
		return err
	}
	return l.ticket("/request/complete", orderBody{Seen: q.Seen})
}
