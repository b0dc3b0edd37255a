package docs_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A tree is what docs/parity.md calls on.
type tree struct {
	tests   map[string]bool // folder.Name of each test; false if it is always skipped
	texts   map[string]bool // keys of the texts of the pages
	anchors map[string]bool // FILE#anchor of the headings of docs, README.md and so on
}

// rows is how many lines docs/parity.md has, S1 and so on.
const rows = 94

// none stands in a cell that says nothing.
const none = "-"

var (
	row     = regexp.MustCompile(`^\| S(\d+) \|`)
	textKey = regexp.MustCompile("`([a-z_]+(?:\\.[a-z_]+)+)`")
)

// faultsOfParity says what is wrong with the table: a row that is missing or there
// twice, that neither a test proves nor a limit explains, or that calls on a test, a
// text or a section that is not there.
func faultsOfParity(text string, have tree) (faults []string) {
	seen := make(map[int]int)
	for line := range strings.Lines(text) {
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		var n int
		fmt.Sscan(m[1], &n)
		seen[n]++
		for _, fault := range faultsOfRow(strings.TrimSpace(line), have) {
			faults = append(faults, fmt.Sprintf("S%d: %s", n, fault))
		}
	}
	for n := range rows {
		if got := seen[n+1]; got != 1 {
			faults = append(faults, fmt.Sprintf("S%d: is there %d times; want once", n+1, got))
		}
		delete(seen, n+1)
	}
	for n := range seen {
		faults = append(faults, fmt.Sprintf("S%d: there is no such row", n))
	}
	slices.Sort(faults)
	return faults
}

func faultsOfRow(line string, have tree) (faults []string) {
	cells := strings.Split(strings.Trim(line, "| "), " | ")
	if len(cells) != 5 {
		return []string{fmt.Sprintf("has %d cells; want row, what, here, shown by, limit", len(cells))}
	}
	shown, limit := cells[3], cells[4]
	tests := named.FindAllStringSubmatch(shown, -1)
	if len(tests) == 0 && limit == none {
		faults = append(faults, "has neither a test nor a limit")
	}
	if len(tests) == 0 && shown != none {
		faults = append(faults, fmt.Sprintf("%q names no test", shown))
	}
	for _, m := range tests {
		name := m[1] + "." + m[2]
		if runs, ok := have.tests[name]; !ok {
			faults = append(faults, name+" is not there")
		} else if !runs {
			faults = append(faults, name+" is always skipped")
		}
	}
	if limit == none {
		return faults
	}
	told := 0
	for _, m := range textKey.FindAllStringSubmatch(limit, -1) {
		if told++; !have.texts[m[1]] {
			faults = append(faults, "no page has the text "+m[1])
		}
	}
	for _, m := range link.FindAllStringSubmatch(limit, -1) {
		if told++; !have.anchors[m[1]] {
			faults = append(faults, "there is no section "+m[1])
		}
	}
	if told == 0 {
		faults = append(faults, "tells nobody of its limit: want the key of a text, or a link to a section")
	}
	return faults
}

// TestParity holds docs/parity.md to the tests, pages and documents.
func TestParity(t *testing.T) {
	text, ok := documents(t)["docs/parity.md"]
	if !ok {
		t.Fatal("there is no docs/parity.md")
	}
	for _, fault := range faultsOfParity(text, treeOf(t, text)) {
		t.Error(fault)
	}
}

// TestParityFindsFaults breaks a table that is right in each way that counts.
func TestParityFindsFaults(t *testing.T) {
	have := tree{
		tests:   map[string]bool{"mfagate.TestA": true, "mfagate.TestSkipped": false},
		texts:   map[string]bool{"help.ask": true},
		anchors: map[string]bool{"operator.md#install": true},
	}
	var table strings.Builder
	for n := range rows {
		fmt.Fprintf(&table, "| S%d | what | here | `mfagate.TestA` | - |\n", n+1)
	}
	right := table.String()
	if got := faultsOfParity(right, have); len(got) > 0 {
		t.Fatalf("got %q; want no fault", got)
	}
	const third = "| S3 | what | here | `mfagate.TestA` | - |\n"
	tests := map[string]struct{ line, want string }{
		"missing":            {"", "S3: is there 0 times"},
		"doubled":            {third + third, "S3: is there 2 times"},
		"one too many":       {third + "| S95 | what | here | `mfagate.TestA` | - |\n", "S95: there is no such row"},
		"neither":            {"| S3 | what | here | - | - |\n", "neither a test nor a limit"},
		"words for a test":   {"| S3 | what | here | by hand | - |\n", "names no test"},
		"unknown test":       {"| S3 | what | here | `mfagate.TestB` | - |\n", "mfagate.TestB is not there"},
		"other folder":       {"| S3 | what | here | `pages.TestA` | - |\n", "pages.TestA is not there"},
		"skipped":            {"| S3 | what | here | `mfagate.TestSkipped` | - |\n", "is always skipped"},
		"limit in the dark":  {"| S3 | what | here | - | it does not work |\n", "tells nobody"},
		"unknown text":       {"| S3 | what | here | - | limit: `help.gone` |\n", "no page has the text help.gone"},
		"unknown section":    {"| S3 | what | here | - | limit: [x](operator.md#gone) |\n", "no section operator.md#gone"},
		"document, no place": {"| S3 | what | here | - | limit: [x](operator.md) |\n", "no section operator.md"},
		"cell left out":      {"| S3 | what | `mfagate.TestA` | - |\n", "has 4 cells"},
	}
	for name, test := range tests {
		got := faultsOfParity(strings.Replace(right, third, test.line, 1), have)
		if len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), test.want) {
			t.Errorf("%s: got %q; want %q", name, got, test.want)
		}
	}
	limited := "| S3 | what | here | - | limit: `help.ask`, [x](operator.md#install) |\n"
	if got := faultsOfParity(strings.Replace(right, third, limited, 1), have); len(got) > 0 {
		t.Errorf("a limit that is told: got %q; want no fault", got)
	}
}

// treeOf reads what there is in the repository; of the tests those in the folders
// that a document names.
func treeOf(t *testing.T, text string) tree {
	t.Helper()
	have := tree{tests: make(map[string]bool), texts: pageTexts(t), anchors: make(map[string]bool)}
	for name, document := range documents(t) {
		for anchor := range anchorsOf(document) {
			from, err := filepath.Rel("docs", name)
			if err != nil {
				t.Fatal(err)
			}
			have.anchors[from+"#"+anchor] = true
		}
	}
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		addTests(t, have.tests, m[1])
	}
	return have
}

// pageTexts are the keys of the texts in English; other languages have the same.
func pageTexts(t *testing.T) map[string]bool {
	t.Helper()
	keys := make(map[string]bool)
	files, err := filepath.Glob(filepath.Join(root, "pages/lang/en/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no texts of pages: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var texts map[string]any
		if err := json.Unmarshal(data, &texts); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for key := range texts {
			keys[key] = true
		}
	}
	return keys
}

// addTests adds the tests of a folder, and whether each of them runs.
func addTests(t *testing.T, tests map[string]bool, folder string) {
	t.Helper()
	if tests[folder] {
		return
	}
	tests[folder] = true // read once
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[folder+"."+f.Name.Name] = !alwaysSkips(f)
			}
		}
	}
}

// alwaysSkips tells whether a test is skipped on no condition: by a statement of its
// own body.
func alwaysSkips(f *ast.FuncDecl) bool {
	for _, s := range f.Body.List {
		e, ok := s.(*ast.ExprStmt)
		if !ok {
			continue
		}
		call, ok := e.X.(*ast.CallExpr)
		if !ok {
			continue
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && strings.HasPrefix(sel.Sel.Name, "Skip") {
			return true
		}
	}
	return false
}

func TestAlwaysSkips(t *testing.T) {
	const source = `package p
func TestRuns(t *testing.T) { t.Log("no") ; if testing.Short() { t.Skip("long") } }
func TestSkip(t *testing.T) { x := 1; t.Skip(x) }
func TestSkipf(t *testing.T) { t.Skipf("later %d", 1) }
func TestSkipNow(t *testing.T) { t.SkipNow() }`
	parsed, err := parser.ParseFile(token.NewFileSet(), "p_test.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		f := d.(*ast.FuncDecl)
		if got, want := alwaysSkips(f), f.Name.Name != "TestRuns"; got != want {
			t.Errorf("%s: got %v; want %v", f.Name.Name, got, want)
		}
	}
}
