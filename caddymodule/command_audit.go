package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

const pollEvery = time.Second

func auditCommand() *cobra.Command {
	cmd := newCommand("audit [--follow] [--since <duration>] [--user <name>]", "Shows what happened to users, oldest first", 0, cmdAudit)
	cmd.Flags().BoolP("follow", "f", false, "Go on with what happens, until Ctrl-C")
	cmd.Flags().String("since", "24h", "How far to look back, such as 30m or 7d")
	cmd.Flags().String("user", "", "Only what happened to this user of the realm")
	return cmd
}

// A trail reads the events in order of time and prints each once. Without --user
// and --realm it has those of all realms.
type trail struct {
	commandLine
	query url.Values
	show  func(mfagate.Event) error
	after string               // the cursor
	seen  map[string]time.Time // of the events after the cursor that were printed, by ID
}

func cmdAudit(l commandLine) error {
	since, err := caddy.ParseDuration(l.String("since"))
	if err != nil || since < 0 {
		return usageError("--since: want a duration, such as 30m or 7d")
	}
	t := &trail{
		commandLine: l, after: mfagate.CursorAt(time.Now().Add(-since)), seen: make(map[string]time.Time),
		query: url.Values{"user": {l.String("user")}, "limit": {strconv.Itoa(mostUsers)}},
	}
	t.show = t.print
	if l.Changed("realm") || l.String("user") != "" {
		realm, err := l.realm()
		if err != nil {
			return err
		}
		t.query.Set("realm", realm)
	}
	ctx := context.Background()
	if l.Bool("follow") {
		var stop func()
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM) // before anything is shown that somebody could wait for
		defer stop()
		context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	}
	if err := t.header(); err != nil {
		return err
	}
	if err := t.poll(); err != nil || !l.Bool("follow") {
		return err
	}
	return t.follow(ctx)
}

// follow polls until ctx is done. A server that is away is waited for.
func (t *trail) follow(ctx context.Context) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for away := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := t.poll()
		if err != nil && !away {
			fmt.Fprintln(os.Stderr, "Waiting for the server:", printable(err.Error()))
		}
		away = err != nil
	}
}

// poll prints what is new. It begins a little before the end of what it has read,
// where further events may still appear.
func (t *trail) poll() error {
	for cursor := t.after; ; {
		t.query.Set("after", cursor)
		var list eventList
		if err := t.call(http.MethodGet, "/mfa/events?"+t.query.Encode(), nil, &list); err != nil {
			return err
		}
		if err := t.take(list.Events); err != nil {
			return err
		}
		if cursor = list.Next; !list.More {
			return nil
		}
	}
}

// take prints those of events that it has not yet, and moves the cursor.
func (t *trail) take(events []mfagate.Event) error {
	for _, e := range events {
		if _, ok := t.seen[e.ID]; ok {
			continue
		}
		t.seen[e.ID] = e.Time
		if err := t.show(e); err != nil {
			return err
		}
	}
	if len(events) == 0 {
		return nil
	}
	settled := events[len(events)-1].Time.Add(-mfagate.Late)
	t.after = max(t.after, mfagate.CursorAt(settled))
	maps.DeleteFunc(t.seen, func(_ string, at time.Time) bool { return at.Before(settled) })
	return nil
}

const auditLine = "%-19s  %-21s  %-12s  %-20s  %-8s  %-15s  %-8s  %s"

func (t *trail) header() error {
	if t.Bool("json") {
		return nil
	}
	return printf(auditLine+"\n", "TIME", "EVENT", "REALM", "USER", "FACTOR", "FROM", "BY", "DETAIL")
}

// print prints e on a line of its own.
func (t *trail) print(e mfagate.Event) error {
	if t.Bool("json") {
		return json.NewEncoder(os.Stdout).Encode(e)
	}
	cells := []any{when(e.Time), e.Kind, e.Realm, e.Name, e.Factor, e.Remote, e.Actor, e.Detail}
	for i, cell := range cells {
		cells[i] = printable(cell.(string))
	}
	return printf("%s\n", strings.TrimRight(fmt.Sprintf(auditLine, cells...), " "))
}
