package caddymodule

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// events asks for events part by part, and returns their kinds.
func (g *gateway) events(query url.Values) (kinds []string) {
	g.t.Helper()
	for range 100 {
		got := g.admin("GET", "/mfa/events?"+query.Encode(), "")
		var list eventList
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != http.StatusOK {
			g.t.Fatalf("events = %d %s", got.status, got.body)
		}
		for _, e := range list.Events {
			kinds = append(kinds, e.Name+" "+e.Kind)
		}
		if !list.More {
			return kinds
		}
		query.Set("after", list.Next)
	}
	g.t.Fatal("the events have no end")
	return nil
}

func TestAdminEvents(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	enrol(g)
	for _, path := range []string{"bob/tickets", "ALICE/unlock"} {
		if got := g.admin("POST", "/mfa/users/default/"+path, "{}"); got.status != 200 {
			t.Fatalf("%s = %d %s", path, got.status, got.body)
		}
	}
	alices := []string{"alice enrolled", "alice codes_made", "alice unlocked"}
	all := []string{"alice enrolled", "alice codes_made", "bob ticket_issued", "alice unlocked"}
	tests := []struct {
		query string
		want  []string
	}{
		{"", all},
		{"limit=1", all},
		{"limit=4", all},
		{"realm=default&limit=3", all},
		{"realm=elsewhere", nil},
		{"user=Alice", alices},
		{"user=alice&realm=default&limit=2", alices},
		{"user=alice&realm=elsewhere", nil},
		{"user=nobody", nil},
		{"after=" + mfagate.CursorAt(time.Now().Add(time.Hour)), nil},
	}
	for _, test := range tests {
		query, err := url.ParseQuery(test.query)
		if err != nil {
			t.Fatal(err)
		}
		got := g.events(query)
		if !slices.Equal(got, test.want) {
			t.Errorf("%q: events = %q; want %q", test.query, got, test.want)
		}
	}
	for query, want := range map[string]string{
		"limit=0":                            "want a number",
		"limit=1001":                         "want a number",
		"after=" + strings.Repeat("x", 1000): "after",
		"user=" + strings.Repeat("x", 1000):  "bytes",
	} {
		got := g.admin("GET", "/mfa/events?"+query, "")
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, want) {
			t.Errorf("%.20q = %d %s; want 400 with %q", query, got.status, got.body, want)
		}
	}
	if got := g.admin("GET", "/mfa/events", ""); strings.Contains(got.body, `"more":true`) || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("events = %v %s; want an end, and nothing stored", got.header, got.body)
	}
}

func TestAdminReport(t *testing.T) {
	g := serveAdmin(t, "PASSWORD\nmfa")
	for _, query := range []string{"", "?realm=default"} {
		if got := g.admin("GET", "/mfa/report"+query, ""); got.status != 200 || got.body != "{\"users\":[\n]}\n" {
			t.Errorf("report%s of nobody = %d %q", query, got.status, got.body)
		}
	}
	enrol(g)
	for query, want := range map[string]int{"": 1, "?realm=default": 1, "?realm=elsewhere": 0} {
		got := g.admin("GET", "/mfa/report"+query, "")
		var list userList
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || len(list.Users) != want {
			t.Errorf("report%s = %d %s; want %d users", query, got.status, got.body, want)
		}
	}
}

// A crowd is an administrator of many users, which exist only while they are read.
type crowd struct {
	administrator
	users  int
	broken int   // the user that cannot be read; zero: none
	sizes  []int // of the parts that were asked for
}

func (c *crowd) Users(_ context.Context, realm, after string, limit int) ([]mfagate.UserStatus, error) {
	c.sizes = append(c.sizes, limit)
	i := 0
	if after != "" {
		fmt.Sscanf(after, "=user%d", &i)
	}
	var users []mfagate.UserStatus
	for i++; i <= c.users && len(users) < limit; i++ {
		if i == c.broken {
			return nil, errors.New("disk is away")
		}
		users = append(users, mfagate.UserStatus{Subject: mfagate.Subject{Realm: realm, Name: fmt.Sprintf("=user%06d", i)}})
	}
	return users, nil
}

// stream serves the report of a crowd and turns it into CSV.
func stream(t *testing.T, c *crowd) (rows [][]string, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := streamUsers(r.Context(), w, c, []string{"a", "b"}); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out bytes.Buffer
	err = writeCSV(&out, resp.Body)
	if strings.Contains(strings.ReplaceAll(out.String(), "\r\n", ""), "\n") {
		t.Error("a line ends without CR LF")
	}
	rows, csvErr := csv.NewReader(&out).ReadAll()
	if csvErr != nil {
		t.Fatal(csvErr)
	}
	return rows, err
}

const reportHeader = "realm,user,enrolled,factors,recovery_codes_left,last_proof,locked_until,ticket_needed,sessions,failed_codes_24h,never_seen,groups,first_seen,last_exempt"

func TestReportOf100000Users(t *testing.T) {
	c := &crowd{users: 50_000}
	rows, err := stream(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 100_001 || !slices.Equal(rows[0], strings.Split(reportHeader, ",")) {
		t.Fatalf("the report has %d rows, the first %q; want 100001 with a header", len(rows), rows[0])
	}
	for i, want := range map[int]string{1: "a '=user000001", 50_000: "a '=user050000", 50_001: "b '=user000001", 100_000: "b '=user050000"} {
		if got := strings.Join(rows[i][:2], " "); got != want {
			t.Errorf("row %d is of %q; want %q", i, got, want)
		}
	}
	if most := slices.Max(c.sizes); most > mostUsers {
		t.Errorf("%d users were read at once; want at most %d", most, mostUsers)
	}
}

// Half a report must not look like a whole one.
func TestReportThatBreaks(t *testing.T) {
	for _, broken := range []int{1, 1001, 2500} {
		if rows, err := stream(t, &crowd{users: 3000, broken: broken}); err == nil {
			t.Errorf("broken at user %d: %d rows and no error", broken, len(rows))
		}
	}
}

func TestCSVQuotes(t *testing.T) {
	list, err := json.Marshal(userList{[]mfagate.UserStatus{{
		Subject: mfagate.Subject{Realm: `the "works", Ltd`, Name: "-alice"}, Enrolled: true, RecoveryLeft: 9,
		Factors:   []mfagate.CredentialStatus{{Factor: "totp", Label: "=phone"}, {Factor: "totp"}},
		LastProof: time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)), TicketNeeded: true, Sessions: 2, FailedCodes24: 3,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := writeCSV(&out, bytes.NewReader(list)); err != nil {
		t.Fatal(err)
	}
	want := reportHeader + "\r\n" +
		`"the ""works"", Ltd",'-alice,yes,totp totp,9,2026-01-02T02:04:05Z,,yes,2,3,no,,,` + "\r\n"
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// An event can appear before others that were printed already, if its commit took
// long. It is printed, and the others are not printed again.
func TestTrailFindsLateEvents(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) mfagate.Event {
		when := start.Add(time.Duration(seconds) * time.Second)
		return mfagate.Event{ID: mfagate.CursorAt(when) + "-0X", Time: when}
	}
	var printed []string
	tr := &trail{after: mfagate.CursorAt(start), seen: make(map[string]time.Time), show: func(e mfagate.Event) error {
		printed = append(printed, fmt.Sprint(e.Time.Sub(start).Seconds()))
		return nil
	}}
	var stored []mfagate.Event
	for _, came := range [][]int{{1, 2}, {40}, {30, 41}, {}, {39, 300}, {299}} {
		for _, s := range came {
			stored = append(stored, at(s))
		}
		slices.SortFunc(stored, func(a, b mfagate.Event) int { return strings.Compare(a.ID, b.ID) })
		i := slices.IndexFunc(stored, func(e mfagate.Event) bool { return e.ID > tr.after })
		if err := tr.take(stored[i:]); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(printed, " "), "1 2 40 30 41 39 300 299"; got != want {
		t.Errorf("printed %s; want %s", got, want)
	}
	if len(tr.seen) != 2 {
		t.Errorf("%d events are remembered; want the two of the last %s", len(tr.seen), mfagate.Late)
	}
}
