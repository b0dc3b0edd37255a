package mfagate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
	"github.com/mfagate/caddy-mfagate/pages"
)

// locationHeader tells scripts of the app where the second factor is asked for.
const locationHeader = "Mfa-Location"

// jar is how the app's cookies go out and come back, without any box yet.
func (v *visit) jar() *loginform.Jar {
	c := v.login.Form.Config()
	return &loginform.Jar{Pass: c.PassCookies, Bound: c.BoundCookies, Secure: v.client.Secure, Reserved: ownCookie, Asks: v.login.Form.Asks()}
}

// closedJar lets the app delete its cookies, and do nothing else with them.
func (v *visit) closedJar() *loginform.Jar {
	return &loginform.Jar{Reserved: ownCookie, Secure: v.client.Secure, Asks: v.login.Form.Asks()}
}

// sentPath is the path of the request as it stands in the browser's address.
func (v *visit) sentPath() string { return v.client.Sent.EscapedPath() }

func readCookies(jar *loginform.Jar, h http.Header) (loginform.Cookies, error) {
	c, err := jar.Read(h)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCookies, err)
	}
	return c, nil
}

// appRequest is r as it goes to the app while nobody may see the answer yet: with
// these cookies and none else, without credentials, and asking for an
// answer that can be read.
func (v *visit) appRequest(ctx context.Context, r *http.Request, cookies loginform.Cookies) *http.Request {
	r = r.Clone(context.WithValue(ctx, byLogin{}, true))
	v.login.Form.Strip(r.Header)
	for _, name := range []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "Expect", "Te", "Trailer"} {
		r.Header.Del(name)
	}
	loginform.StripMethod(r.Header)
	r.Trailer, r.Form, r.PostForm, r.MultipartForm = nil, nil, nil, nil
	r.Header.Set("Accept-Encoding", "identity")
	setCookieLine(r, cookies.Header(v.sentPath()))
	return r
}

// setBody makes the judged form the body of a request, and the judged credentials its header: what the
// app reads is what the gate has read.
func setBody(r *http.Request, sub *loginform.Submission) {
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(sub.Body)), int64(len(sub.Body)), nil
	if sub.Authorization != "" {
		r.Header.Set("Authorization", sub.Authorization)
	}
	if len(sub.Body) == 0 {
		r.Body = http.NoBody
		r.Header.Del("Content-Type")
		r.Header.Del("Content-Length")
		return
	}
	r.Header.Set("Content-Type", sub.ContentType)
	r.Header.Set("Content-Length", strconv.Itoa(len(sub.Body)))
}

// vouch gives a request to the app the credentials that it wants on each, if any. It
// is for requests whose answer only the gate sees, and for those that may pass.
func (v *visit) vouch(r *http.Request) {
	if v.vouching != "" {
		name, _ := v.login.Form.Credentials()
		r.Header.Set(name, v.vouching)
	}
}

// setCookieLine makes h the header Cookie of a request, and nothing else; the empty one is none.
func setCookieLine(r *http.Request, h string) {
	switch lines := r.Header["Cookie"]; {
	case h == "":
		delete(r.Header, "Cookie")
	case len(lines) > 0: // the request's own, as hideCookies does it
		lines[0] = h
		r.Header["Cookie"] = lines[:1]
	default:
		r.Header["Cookie"] = []string{h}
	}
}

// hold asks the app and holds its answer. What comes when nobody waits any more is none:
// a proxy answers in the app's place then. One that is too long is cut off, and still has its status.
func (v *visit) hold(r *http.Request, next Next) (*loginform.Answer, error) {
	asked := &url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery} // before what stands behind takes off a prefix
	rec := new(loginform.Recorder)
	if err := recordAnswer(rec, r, next); err != nil && !rec.Full() {
		return nil, err
	}
	if rec.Full() {
		v.gate.log.Warn("an answer of the app is too long to be read whole", "site", v.site.Name, "path", asked.Path, "limit", loginform.MaxAnswer)
	}
	if err := r.Context().Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", errAppDown, err)
	}
	answer := rec.Answer()
	loginform.SetPaths(answer.Header, v.browserPath(asked))
	if v.login.Form.Config().RewriteLocation {
		localize(answer.Header, r.Host)
	}
	answer.URL = asked
	return answer, nil
}

// browserPath is the path by which a browser keeps the cookies that come from an address: its own where
// that is the visit's, which may have been rewritten since.
func (v *visit) browserPath(asked *url.URL) string {
	if asked.Path == v.r.URL.Path {
		return v.sentPath()
	}
	return asked.EscapedPath()
}

// recordAnswer asks the app. An answer that ends half-way is none.
func recordAnswer(rec *loginform.Recorder, r *http.Request, next Next) (err error) {
	defer func() {
		p := recover()
		if cause, ok := p.(error); ok && errors.Is(cause, http.ErrAbortHandler) { // so a proxy tells of it
			err = fmt.Errorf("%w: it broke off", errAppDown)
		} else if p != nil {
			panic(p)
		}
	}()
	if err := next(rec, r, Decision{}); err != nil {
		return fmt.Errorf("%w: %w", errAppDown, err)
	}
	return nil
}

// probe makes a request of the gate's own with the given cookies. Redirections are
// not followed.
func (v *visit) probe(ctx context.Context, method, uri string, cookies loginform.Cookies, next Next) (*loginform.Answer, error) {
	target, err := url.ParseRequestURI(uri)
	if err != nil {
		return nil, fmt.Errorf("probing the app: %w", err)
	}
	r := v.subrequest(ctx, method, target)
	r = v.appRequest(r.Context(), r, nil)
	v.vouch(r)
	if h := cookies.Header(target.EscapedPath()); h != "" {
		r.Header.Set("Cookie", h)
	}
	return v.hold(r, next)
}

// ofBrowser are the headers that a request of the gate's own takes over: by which apps
// tie a session to a browser, or make their links. Any other could lead the app
// astray, or tell it a user: a key, say, whose owner is not whose session it is.
var ofBrowser = map[string]bool{
	"User-Agent": true, "Accept-Language": true, "Forwarded": true, "X-Real-Ip": true,
	"X-Forwarded-For": true, "X-Forwarded-Host": true, "X-Forwarded-Proto": true, "X-Forwarded-Port": true,
}

// subrequest is a request of the gate's own on behalf of the visit's.
func (v *visit) subrequest(ctx context.Context, method string, target *url.URL) *http.Request {
	r := v.r.WithContext(ctx)
	if v.login.Subrequest != nil {
		r = v.login.Subrequest(r, method, target)
	} else {
		r = r.Clone(ctx)
		r.Method, r.URL, r.RequestURI = method, target, target.RequestURI()
	}
	r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, 0, nil
	for name := range r.Header {
		if !ofBrowser[name] {
			delete(r.Header, name)
		}
	}
	r.Header.Set("Accept", "*/*")
	return r
}

// sealAnswer puts the cookies of an attempt into the answer, sealed.
func (v *visit) sealAnswer(a *loginAttempt, p loginform.Purpose) error {
	box, err := v.box(p, a.binding)
	if err != nil {
		return err
	}
	jar := v.jar()
	jar.Seal = box
	h := http.Header{"Set-Cookie": a.lines}
	if err := jar.Write(h, v.now); err != nil {
		return fmt.Errorf("%w: %w", errCookieSize, err)
	}
	own := v.w.Header()
	own["Set-Cookie"] = append(own["Set-Cookie"], h["Set-Cookie"]...)
	return nil
}

// sendAnswer sends a held answer to the person. Its cookies are in place already.
func (v *visit) sendAnswer(answer *loginform.Answer) error {
	h := v.w.Header()
	for name, values := range answer.Header {
		switch name {
		case "Set-Cookie", "Content-Length", "Connection", "Keep-Alive", "Transfer-Encoding", "Trailer", "Upgrade",
			"Etag", "Last-Modified", "Accept-Ranges", "Www-Authenticate", "Clear-Site-Data":
		default:
			h[name] = values
		}
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(answer.Body)))
	v.w.WriteHeader(answer.Status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(answer.Body) // the person may have left
	}
	return nil
}

// fixed sends an answer that the operator has written.
func (v *visit) fixed(ans *loginform.Answering) {
	h := v.w.Header()
	pages.SetHeaders(h)
	h.Set("Content-Type", ans.Type)
	h.Set("Content-Length", strconv.Itoa(len(ans.Body)))
	v.w.WriteHeader(ans.Status)
	_, _ = v.w.Write([]byte(ans.Body))
}

// tryAgain says that nobody is signed in, with the way back to the login page.
func (v *visit) tryAgain(status int) error {
	if !v.page() {
		v.problemIn(fault{status: status, name: "login_failed"}, "")
		return nil
	}
	v.render(status, v.frame(), pages.Message{
		Title: pages.Text{Key: "message.login_failed.title"}, Text: pages.Text{Key: "message.login_failed.text"},
		Link: v.login.Form.LoginURI(), Label: pages.Text{Key: "label.try_again"},
	})
	return nil
}
