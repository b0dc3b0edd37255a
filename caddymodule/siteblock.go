package caddymodule

import (
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// siteAddresses returns the addresses that stand before the site block in which
// a directive is, however deep in handle, route or an imported snippet. It
// returns nil in a named route, which belongs to no site, and if Caddy no longer
// tells: the caller must then ask for the option "site".
//
// Caddy hands the block to directives in an unexported field only, so it is read
// by reflection; TestSiteAddresses fails when a new version of Caddy moves it.
func siteAddresses(h httpcaddyfile.Helper) []string {
	if h.IsNamedRoute() {
		return nil
	}
	block := reflect.ValueOf(h).FieldByName("parentBlock")
	if block.Kind() != reflect.Struct {
		return nil
	}
	keys := block.FieldByName("Keys")
	if keys.Kind() != reflect.Slice {
		return nil
	}
	var addresses []string
	for i := range keys.Len() {
		text, ok := tokenText(keys.Index(i))
		if !ok {
			return nil
		}
		addresses = append(addresses, text)
	}
	return addresses
}

func tokenText(token reflect.Value) (string, bool) {
	if token.Kind() != reflect.Struct {
		return "", false
	}
	text := token.FieldByName("Text")
	if text.Kind() != reflect.String || text.String() == "" {
		return "", false
	}
	return strings.ToLower(strings.TrimSuffix(text.String(), ",")), true
}

// siteName makes one name of a site's addresses, whatever their order.
func siteName(addresses []string) string {
	sorted := slices.Sorted(slices.Values(addresses))
	return strings.Join(slices.Compact(sorted), ", ")
}
