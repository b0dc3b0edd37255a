package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The budgets of CONTRIBUTING.md, in lines.
const (
	longestFile     = 400
	longestFunction = 100
	medianFunction  = 12
	mostFunctions   = 40 // nine in ten are no longer
)

type function struct {
	where string
	lines int
}

// TestBudgets measures all Go that is not a test.
func TestBudgets(t *testing.T) {
	var functions []function
	for _, name := range tracked(t) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata/") {
			continue
		}
		functions = append(functions, measure(t, name)...)
	}
	if len(functions) == 0 {
		t.Fatal("no functions found")
	}
	slices.SortFunc(functions, func(a, b function) int { return a.lines - b.lines })
	for _, f := range functions {
		if f.lines > longestFunction {
			t.Errorf("%s has %d lines; want at most %d", f.where, f.lines, longestFunction)
		}
	}
	median, most := functions[len(functions)/2].lines, functions[len(functions)*9/10].lines
	if median > medianFunction || most > mostFunctions {
		t.Errorf("of %d functions half have up to %d lines and nine in ten up to %d; want %d and %d",
			len(functions), median, most, medianFunction, mostFunctions)
	}
	t.Logf("%d functions: median %d lines, nine in ten up to %d, longest %d (%s)",
		len(functions), median, most, functions[len(functions)-1].lines, functions[len(functions)-1].where)
}

func measure(t *testing.T, name string) []function {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, filepath.Join(root(t), name), nil, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if ast.IsGenerated(file) {
		return nil
	}
	if lines := fset.Position(file.FileEnd).Line; lines > longestFile {
		t.Errorf("%s has %d lines; want at most %d", name, lines, longestFile)
	}
	var functions []function
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			lines := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1
			functions = append(functions, function{name + ": " + f.Name.Name, lines})
		}
	}
	return functions
}

// TestPackageNames refuses names that say nothing.
func TestPackageNames(t *testing.T) {
	empty := []string{"util", "utils", "common", "helper", "helpers", "manager", "impl", "misc", "shared"}
	for _, name := range tracked(t) {
		if path.Ext(name) != ".go" {
			continue
		}
		if slices.Contains(empty, path.Base(path.Dir(name))) {
			t.Errorf("%s: the folder's name does not say what is in it", name)
		}
		if stem, _ := strings.CutSuffix(strings.TrimSuffix(path.Base(name), ".go"), "_test"); slices.Contains(empty, stem) {
			t.Errorf("%s: the file's name does not say what is in it", name)
		}
	}
}
