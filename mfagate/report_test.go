package mfagate

import "testing"

func TestFormulaCells(t *testing.T) {
	for _, cell := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=x", "＝x"} {
		if got := inert(cell); got != "'"+cell {
			t.Errorf("inert(%q) = %q; want an apostrophe before it", cell, got)
		}
	}
	for _, cell := range []string{"", "alice", "a=1", "'x", "user@example.com", "2026-01-01T00:00:00Z"} {
		if got := inert(cell); got != cell {
			t.Errorf("inert(%q) = %q; want it as it is", cell, got)
		}
	}
}
