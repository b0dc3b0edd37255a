package house_test

import (
	"bytes"
	"path"
	"slices"
	"testing"
)

// TestNoMachinePaths finds paths of the machine on which something was written:
// whoever reads them has another one.
func TestNoMachinePaths(t *testing.T) {
	binary := []string{".png", ".jpg", ".ico", ".webp", ".woff2", ".gz"}
	// In pieces, so that this file does not hold them.
	needles := []string{"/wor" + "k/", "/tmp/bash" + "_jobs", "/root" + "/go/", "/hom" + "e/runner"}
	for _, name := range tracked(t) {
		if slices.Contains(binary, path.Ext(name)) {
			continue
		}
		data := read(t, name)
		for _, needle := range needles {
			if before, _, found := bytes.Cut(data, []byte(needle)); found {
				t.Errorf("%s:%d names %s", name, 1+bytes.Count(before, []byte("\n")), needle)
			}
		}
	}
}

// TestNoConflictMarks finds what a merge left behind.
func TestNoConflictMarks(t *testing.T) {
	for _, name := range tracked(t) {
		if bytes.Contains(read(t, name), []byte("\n<<<<<<"+"< ")) {
			t.Errorf("%s holds a conflict of a merge", name)
		}
	}
}
