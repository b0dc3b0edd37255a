package loginform

import "net/url"

// Asks returns the paths, as they stand in an address, of what the gate itself asks the app for with
// the cookies of somebody who is signed in.
func (f *Form) Asks() []string { return f.asks }

// AsksWhoAt is that of them where the app says who is signed in; empty if there is none.
func (f *Form) AsksWhoAt() string { return f.asksWhoAt }

// compileAsks notes them.
func (f *Form) compileAsks() {
	if f.identify != nil && f.identify.probe != "" {
		f.asksWhoAt = pathOf(f.identify.probe)
		f.asks = append(f.asks, f.asksWhoAt)
	}
	if f.logoutURI != "" {
		f.asks = append(f.asks, pathOf(f.logoutURI))
	}
}

// pathOf is the path of an address, as it stands there.
func pathOf(uri string) string {
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return "/" // unreachable: it would not have compiled
	}
	return u.EscapedPath()
}
