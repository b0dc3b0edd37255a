package caddymodule

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	ownModule  = "github.com/mfagate/caddy-mfagate"
	xcaddyFile = "../xcaddy.json"
)

type xcaddyConfig struct {
	Dependencies []dependency `json:"dependencies"`
}

type dependency struct {
	Module  string `json:"module"`
	Version string `json:"version"`
}

// xcaddy.json lists the modules that our packages in the binary import, with the
// versions of go.mod. It leaves out what only tests import, and what comes along.
// After a change of go.mod: go test ./caddymodule -run XCaddy -update
func TestXCaddy(t *testing.T) {
	want := xcaddyConfig{Dependencies: directDependencies(t)}
	if *update {
		writeXCaddy(t, want)
	}
	data, err := os.ReadFile(xcaddyFile)
	if err != nil {
		t.Fatal(err)
	}
	var got xcaddyConfig
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Dependencies, want.Dependencies) {
		t.Errorf("xcaddy.json has %v; go.mod and the imports want %v", got.Dependencies, want.Dependencies)
	}
}

func writeXCaddy(t *testing.T, c xcaddyConfig) {
	data, err := json.MarshalIndent(c, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(xcaddyFile, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func directDependencies(t *testing.T) []dependency {
	imports := goList(t, "-deps", "-f", `{{with .Module}}{{if eq .Path "`+ownModule+`"}}{{join $.Imports "\n"}}{{end}}{{end}}`, ownModule)
	modules := goList(t, append([]string{"-f", `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}`}, imports...)...)
	var all []dependency
	for _, line := range modules {
		path, version, _ := strings.Cut(line, " ")
		all = append(all, dependency{path, version})
	}
	return all
}

// goList returns the lines that go list prints, sorted and once each.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Env = environ // with the caches of the person who tests
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(s string) bool { return s == "" || s == "C" })
	slices.Sort(lines)
	return slices.Compact(lines)
}
