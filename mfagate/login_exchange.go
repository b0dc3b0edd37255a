package mfagate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// Many tokens live for minutes, and scripts exchange them for new ones, some with a second
// token that is for nothing else. What comes of that belongs to the same binding.

// errTokenEnded says that a token is nobody's any more, where scripts can get a new one.
var errTokenEnded = errors.New("mfagate: the app's token has ended")

// exchanges tells whether the app's tokens are exchanged for new ones.
func (v *visit) exchanges() bool {
	c := v.login.Form.Config()
	return c.Bearer != nil && len(c.Renew) > 0
}

// sealedText is what could be a sealed token, in any kind of body.
var sealedText = regexp.MustCompile(`[A-Za-z0-9_.-]{40,}`)

// exchange hands a request for a new token to the app, with the session's own tokens in
// its body opened, and the answer to the script, with the app's sealed.
func (v *visit) exchange(w *sealingWriter, r *http.Request, boxes []*loginform.Box, next Next) error {
	told, err := openTokens(r, boxes)
	if err != nil {
		return v.refused(err)
	}
	for _, name := range []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since"} {
		r.Header.Del(name)
	}
	r.Header.Set("Accept-Encoding", "identity")
	answer, err := v.hold(r, next)
	if err == nil && answer.Truncated {
		err = loginform.ErrTooLong
	}
	if err != nil {
		v.gate.log.Error("asking the app for a new token", "site", v.site.Name, "error", err)
		return v.refused(errAppDown)
	}
	if err := v.stillUser(answer, told, next); err != nil {
		return v.refused(err)
	}
	if err := v.sealTokens(answer, boxes[0]); err != nil {
		v.gate.log.Error("sealing a token of the app", "site", v.site.Name, "error", err)
		return v.refused(errAppDown)
	}
	writeAnswer(w, answer)
	return w.finish(nil)
}

// openTokens opens the tokens in the body of a request, and tells whether it has any body.
func openTokens(r *http.Request, boxes []*loginform.Box) (bool, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return false, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, loginform.MaxForm+1))
	if err != nil {
		return false, fmt.Errorf("reading a request with a token: %w", err)
	}
	tokens := make(map[string]string)
	for _, seen := range sealedText.FindAll(body, -1) {
		if token, ok := unsealToken(boxes, string(seen)); ok {
			tokens[string(seen)] = token
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return len(body) > 0, openInBody(r, tokens)
}

// stillUser makes sure that new tokens are those of the session's user: told says that the
// app was told anything beside what was set in this session, such as a token that was stolen.
func (v *visit) stillUser(answer *loginform.Answer, told bool, next Next) error {
	if len(v.login.Form.TokensIn(answer)) == 0 {
		return nil
	}
	err := v.whoseTokens(answer, next)
	if errors.Is(err, errSignIn) && !v.login.probes() {
		if !told || v.login.Form.Config().UserConst != "" {
			return nil // there is nobody else whose it could be
		}
		v.gate.log.Warn("nobody can tell whose the new token is; identify by a probe, or by the token's claims, would", "site", v.site.Name, "path", v.loggedPath())
		return errForbidden
	}
	if errors.Is(err, errAppDown) || err == nil {
		return err
	}
	if end := v.commit(v.endSession); end != nil {
		return fmt.Errorf("ending a session: %w", end)
	}
	return err
}

// whoseTokens asks for the user of new tokens: the app, where it can be asked with them.
func (v *visit) whoseTokens(answer *loginform.Answer, next Next) error {
	if v.login.probes() {
		v.takeToken(answer)
		return v.askWho(v.shownOf(v.opened.With(loginform.ReadSetCookies(answer.Header, v.now))), next)
	}
	name, err := v.login.Form.Who(context.WithoutCancel(v.r.Context()), answer, nil)
	if err == nil {
		name, err = v.site.Names.Canonical(name)
	}
	switch {
	case err != nil:
		return errSignIn
	case name != v.Name:
		v.gate.log.Warn("the app's session becomes another user's", "site", v.site.Name, "user", v.Name, "now", name)
		return errOtherUser
	}
	return nil
}

// sealTokens puts the sealed form of each token in its place, and wherever else it stands.
func (v *visit) sealTokens(answer *loginform.Answer, box *loginform.Box) error {
	tokens := make(map[string]string) // by their sealed form
	for _, t := range v.login.Form.TokensIn(answer) {
		if !validToken(t.Token) {
			return errors.New("it cannot stand in a header")
		}
		sealed := v.seenToken(t.Token, box.Seal(tokenName, t.Token))
		answer.Body = bytes.ReplaceAll(answer.Body, []byte(written(t.Token, "application/json")), []byte(sealed))
		tokens[sealed] = t.Token
	}
	for _, t := range v.login.Form.TokensIn(answer) {
		if tokens[t.Token] == "" {
			return fmt.Errorf("at %s it is written in an unusual way", t.JSON)
		}
	}
	maps.DeleteFunc(answer.Header, func(name string, values []string) bool {
		all := strings.Join(values, ",")
		for token := range maps.Values(tokens) {
			if name != "Set-Cookie" && strings.Contains(all, token) {
				return true
			}
		}
		return false
	})
	return nil
}

// writeAnswer writes a held answer whose body has changed.
func writeAnswer(w http.ResponseWriter, answer *loginform.Answer) {
	h := w.Header()
	maps.Copy(h, answer.Header)
	for _, name := range []string{"Etag", "Last-Modified", "Accept-Ranges", "Content-Md5", "Digest", "Trailer", "Transfer-Encoding"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(answer.Body)))
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // the person may have left
}
