package httpsender

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// A preset is a file: to add one takes no change of the program.
//
//go:embed presets/*.json
var presetFiles embed.FS

type preset struct {
	URL           string            `json:"url"`
	Method        string            `json:"method"`
	Basic         bool              `json:"basic"`
	Header        map[string]string `json:"header"`
	Query         map[string]string `json:"query"`
	Form          map[string]string `json:"form"`
	JSON          json.RawMessage   `json:"json"`
	Needs         [][]string        `json:"needs"` // of each list at least one: url, user, password, from, "form NAME", "query NAME"
	Success       []int             `json:"success"`
	SuccessBody   string            `json:"success_body"`
	Undeliverable []Rule            `json:"undeliverable"`
	ErrorCode     string            `json:"error_code"`
}

// Presets lists the names of the presets.
func Presets() []string {
	files, err := presetFiles.ReadDir("presets")
	if err != nil {
		panic(err) // unreachable: the folder is in the program
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(f.Name(), ".json")
	}
	return names
}

func readPreset(name string) (p preset, err error) {
	if !slices.Contains(Presets(), name) {
		return p, fmt.Errorf("preset %q: want one of: %s", name, strings.Join(Presets(), ", "))
	}
	b, err := presetFiles.ReadFile(path.Join("presets", name+".json"))
	if err != nil {
		return p, fmt.Errorf("preset %s: %w", name, err)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("preset %s: %w", name, err)
	}
	return p, nil
}

// fill puts the values of the preset where c has none.
func (c *Config) fill() error {
	if c.Preset == "" {
		if c.URL == "" {
			return errors.New("want a URL, such as https://sms.example.com/send, or a preset: " + strings.Join(Presets(), ", "))
		}
		return nil
	}
	p, err := readPreset(c.Preset)
	if err != nil {
		return err
	}
	if err := c.lacks(p); err != nil {
		return err
	}
	c.URL, c.Method = either(c.URL, p.URL), either(c.Method, p.Method)
	c.Basic = c.Basic || p.Basic
	c.Header, c.Query, c.Form = merged(p.Header, c.Header), merged(p.Query, c.Query), merged(p.Form, c.Form)
	c.JSON, c.SuccessBody, c.ErrorCode = either(c.JSON, string(p.JSON)), either(c.SuccessBody, p.SuccessBody), either(c.ErrorCode, p.ErrorCode)
	if c.Success == nil {
		c.Success = p.Success
	}
	c.Undeliverable = append(slices.Clone(c.Undeliverable), p.Undeliverable...)
	return nil
}

func (c *Config) lacks(p preset) error {
	for _, alternatives := range p.Needs {
		if !slices.ContainsFunc(alternatives, c.has) {
			return fmt.Errorf("preset %s: %s is missing", c.Preset, strings.Join(alternatives, " or "))
		}
	}
	return nil
}

func (c *Config) has(what string) bool {
	kind, name, _ := strings.Cut(what, " ")
	fields := map[string]string{"url": c.URL, "user": c.User, "password": c.Password, "from": c.From, "form": c.Form[name], "query": c.Query[name]}
	return fields[kind] != ""
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func merged(below, above map[string]string) map[string]string {
	m := make(map[string]string)
	maps.Copy(m, below)
	maps.Copy(m, above)
	return m
}
