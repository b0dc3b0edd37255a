package caddymodule

import (
	"fmt"
	"strings"
	"testing"
)

func TestReadUsers(t *testing.T) {
	users, err := readUsers(strings.NewReader("\ufeffemail,name,groups\r\na@example.com,\"Alice, B\",sales; staff;\r\n\r\n,bob,\r\n"))
	want := "[{{Alice, B a@example.com [sales staff]} 2} {{bob  []} 4}]"
	if got := fmt.Sprint(users); err != nil || got != want {
		t.Errorf("readUsers = %s, %v; want %s", got, err, want)
	}
	for name, test := range map[string]struct{ file, says string }{
		"empty":           {"", "first line"},
		"no header":       {"alice,alice@example.com\n", `got "alice"`},
		"header twice":    {"name,name\nalice,bob\n", "at most once"},
		"unknown column":  {"name,password\nalice,x\n", `got "password"`},
		"no name":         {"email\na@example.com\n", "name among them"},
		"header alone":    {"name\n", "no user"},
		"missing name":    {"name,email\nalice,\n,x@example.com\n", "line 3: the name is missing"},
		"too few columns": {"name,email\nalice\n", "line 2: got 1 columns; want 2"},
		"too many":        {"name\nalice,=cmd()\n", "line 2: got 2 columns; want 1"},
		"open quote":      {"name\nalice\n\"bob\n", "line 3:"},
		"bare quote":      {"name\nali\"ce\nbob\n", "line 2:"},
		"not UTF-8":       {"name\n\xff\xfe\n", "line 2: name is not UTF-8"},
		"many":            {"name,email\n" + strings.Repeat("x\n", 50), "and 1 more"},
	} {
		if users, err := readUsers(strings.NewReader(test.file)); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: readUsers = %v, %v; want an error that says %q", name, users, err, test.says)
		}
	}
}

// What is on a line must not steer the terminal of whoever is told of it.
func TestWrongLinesArePrintable(t *testing.T) {
	if err := wrongLines([]string{"line 2: \x1b]0;owned\x07"}); strings.ContainsAny(err.Error(), "\x1b\x07") {
		t.Errorf("error = %q; want no control characters", err)
	}
}

func TestReadUsersOf100000Lines(t *testing.T) {
	var b strings.Builder
	b.WriteString("name\n")
	for i := range 100_000 {
		fmt.Fprintf(&b, "user%06d\n", i)
	}
	users, err := readUsers(strings.NewReader(b.String()))
	if err != nil || len(users) != 100_000 || users[99_999].line != 100_001 {
		t.Errorf("%d users, %v; want 100000", len(users), err)
	}
}
