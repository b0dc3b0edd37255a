package loginform

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
)

// OwnForm tells whether a script of the app's asks for Basic credentials on a page that is
// there without any: the first page is public.
func (f *Form) OwnForm() bool {
	return f.tryURI != ""
}

// TryURI is the path and query of the request on which Basic credentials are tried.
func (f *Form) TryURI() string {
	return cmp.Or(f.tryURI, f.loginURI)
}

// checkBasic refuses what only a form can have.
func checkBasic(c *Config) error {
	if len(c.Submit)+len(c.Success)+len(c.Failure)+len(c.Reset)+len(c.Renew) > 0 || c.User != (Field{}) || c.Password != (Field{}) || c.Bearer != nil || c.Answer != nil || c.Credentials != InFields {
		return errors.New("session basic: the app has no form then; leave out submit, user, password, credentials, success, failure, reset, renew, and answer")
	}
	if c.Identify != nil && c.Identify.Probe == "" {
		return errors.New("session basic: identify needs a probe, since there is no answer to a form")
	}
	if len(c.Page) == 0 {
		c.Page = []Pattern{{Text: "GET /"}}
	}
	return nil
}

// compileTried finds where credentials are tried, once all else is compiled: on the first page
// that is not for all or, where each is, on the probe of identify.
func (f *Form) compileTried() error {
	if !f.config.Basic || f.loginURI == "" || !f.publicURI(f.loginURI) {
		return nil
	}
	for _, p := range f.page.all {
		if uri, ok := p.plain(); ok && !f.publicURI(uri) {
			f.tryURI = uri
			return nil
		}
	}
	if f.config.Identify != nil {
		if uri, err := probeURI(f.config.Identify.Probe); err != nil || !f.publicURI(uri) {
			f.tryURI = uri // of a probe that will not do, identify itself complains
			return nil     //nolint:nilerr // see above
		}
	}
	return errors.New("session basic: all pages are public, so none tells whether credentials are right; write another page that asks for them, without wild cards, or identify with a probe that does")
}

func (f *Form) publicURI(uri string) bool {
	u, err := url.ParseRequestURI(uri)
	return err == nil && f.ShowsAnybody(&http.Request{Method: http.MethodGet, URL: u})
}
