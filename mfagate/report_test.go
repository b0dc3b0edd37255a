package mfagate

import (
	"bytes"
	"strings"
	"testing"
)

func TestFormulaCells(t *testing.T) {
	for _, cell := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=x", "＝x"} {
		if got := inert(cell); got != "'"+cell {
			t.Errorf("inert(%q) = %q; want an apostrophe before it", cell, got)
		}
	}
	for _, cell := range []string{"", "alice", "a=1", "'x", "user@example.com", "2026-01-01T00:00:00Z", "staff;admins", "a; b", "a;b=c"} {
		if got := inert(cell); got != cell {
			t.Errorf("inert(%q) = %q; want it as it is", cell, got)
		}
	}
}

// A spreadsheet set to German, and to many other languages, takes a semicolon for the
// border between two cells, whatever the file says of commas.
func TestFormulaBehindASemicolon(t *testing.T) {
	users := []UserStatus{
		{Subject: Subject{"default", `x;=HYPERLINK("http://evil.example","here")`}},
		{Subject: Subject{"default", "x;;@SUM(A1)"}},
		{Subject: Subject{"default", `x;"=1+1`}},
		{Subject: Subject{"default", "x; +1"}},
		{Subject: Subject{"default", "x"}, Groups: []string{"staff", "=1+1", "-2"}},
	}
	var file bytes.Buffer
	report, err := NewReport(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		if err := report.Add(u); err != nil {
			t.Fatal(err)
		}
	}
	if err := report.Flush(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(file.String()) {
		for cell := range strings.SplitSeq(line, ";") {
			if cell = strings.TrimLeft(cell, `" `); cell != "" && strings.ContainsAny(cell[:1], "=+-@\t") {
				t.Errorf("line %q: cell %q would be a formula", line, cell)
			}
		}
	}
}
