package mfagate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// Apps whose scripts send a token end it where these name it, in the body of the sign-out
// (RFC 7009 section 2.1): the sealed one would end nothing there.

// bindingTokens are the app's tokens in the header of a sign-out, by what the script knows
// them by; none in a session without.
func (v *visit) bindingTokens() (map[string]string, error) {
	if v.login.Form.Config().Bearer == nil || v.sess == nil || v.sess.Binding == "" {
		return nil, nil
	}
	s, err := v.gate.records.sealer(v.r.Context(), v.now)
	if err != nil {
		return nil, err
	}
	tokens := make(map[string]string)
	name, scheme := v.login.Form.Credentials()
	for _, value := range v.r.Header[name] {
		seen := strings.TrimPrefix(value, scheme+" ")
		if token, ok := unsealToken(bindingBoxes(s, v.site.Name, v.sess.Binding, v.sess.Lineage), seen); ok {
			tokens[seen] = token
			v.vouchBy(token)
		}
	}
	return tokens, nil
}

// revoke hands a sign-out to the app with its own token in header and body. No token
// comes back in clear: of an app that repeats it the answer is dropped.
func (v *visit) revoke(r *http.Request, tokens map[string]string, next Next) error {
	v.vouch(r)
	if err := openInBody(r, tokens); err != nil {
		v.gate.log.Info("signing out at the app", "site", v.site.Name, "error", err)
		return v.toForm()
	}
	answer, err := v.hold(r, next)
	if err != nil {
		v.gate.log.Info("signing out at the app", "site", v.site.Name, "error", err)
		return v.toForm()
	}
	if answer.Truncated || tells(answer, tokens) {
		return v.toForm()
	}
	return v.sendAnswer(answer)
}

// openInBody puts tokens in place of what the script knows them by, written as it is usual
// in such a body.
func openInBody(r *http.Request, tokens map[string]string) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, loginform.MaxForm+1))
	if err != nil {
		return fmt.Errorf("reading a request with a token: %w", err)
	}
	if len(body) > loginform.MaxForm {
		return loginform.ErrTooLong
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // as it stands, where nobody can tell
	for seen, token := range tokens {
		body = bytes.ReplaceAll(body, []byte(seen), []byte(written(token, media)))
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// written is a token within a text of a media type.
func written(token, media string) string {
	switch media {
	case "application/x-www-form-urlencoded":
		return url.QueryEscape(token)
	case "application/json":
		quoted, err := json.Marshal(token)
		if err != nil {
			panic(err) // unreachable: it is a text
		}
		return string(bytes.Trim(quoted, `"`))
	}
	return token
}

// tells tells whether an answer has one of the tokens in it, in clear.
func tells(answer *loginform.Answer, tokens map[string]string) bool {
	for token := range maps.Values(tokens) {
		for _, text := range []string{token, written(token, "application/x-www-form-urlencoded"), written(token, "application/json")} {
			if bytes.Contains(answer.Body, []byte(text)) {
				return true
			}
			for values := range maps.Values(answer.Header) {
				if slices.ContainsFunc(values, func(value string) bool { return strings.Contains(value, text) }) {
					return true
				}
			}
		}
	}
	return false
}
