package caddymodule

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAddressFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "addresses")
	for content, want := range map[string]map[string]string{
		"# people\n\nalice alice@example.com\r\n bob the builder\tbob@example.com": {"alice": "alice@example.com", "bob the builder": "bob@example.com", "carol": "c@example.com"},
		"alice@example.com":            nil,
		"alice":                        nil,
		"alice a@example.com,b@x.org":  nil,
		"a a@example.com\na b@x.org":   nil,
		"carol other@example.com":      nil, // the Caddyfile says something else
		"a\x00b a\x00@example.com":     nil,
		strings.Repeat("x", 100_000):   nil,
		"alice <alice@example.com>":    nil,
		"alice Alice alice@@example.c": nil,
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		n := &Notify{AddressFile: file, Addresses: map[string]string{"carol": "c@example.com"}}
		got, err := n.table()
		if want == nil {
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%.40q: err = %v; want one, in one line", content, err)
			}
			continue
		}
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", content, got, err, want)
		}
		if len(n.Addresses) != 1 {
			t.Errorf("the configuration has %v; want it as it was", n.Addresses)
		}
	}
}
