package pages

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	s := newSet(t, Options{})
	want := map[string]bool{}
	for _, c := range s.languages {
		for _, st := range states() {
			name := st.name + "." + c.tag.String() + ".html"
			want[name] = true
			t.Run(name, func(t *testing.T) { compare(t, filepath.Join("testdata", "golden", name), s.html(t, c, st)) })
		}
	}
	files, err := os.ReadDir(filepath.Join("testdata", "golden"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, f := range files {
		got[f.Name()] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("golden files: got %v; want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// html renders a state. The hashes in the paths of static files are left out,
// lest every change of colour change all golden files.
func (s *Set) html(t *testing.T, c *catalogue, st state) []byte {
	t.Helper()
	var b bytes.Buffer
	st.frame.Language = c.tag.String()
	if err := s.execute(&b, st.frame, st.page); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for name, path := range s.paths {
		page = strings.ReplaceAll(page, path, staticRoot+name)
	}
	return []byte(page)
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; go test ./pages -update writes it", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; go test ./pages -update, then look at the difference. got:\n%s", file, got)
	}
}
