package mfagate

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// Some apps answer a login with a token, which their scripts send in a header. It is
// treated as a cookie is: it reaches the browser sealed, and opens in its own
// binding only.

const tokenName = "bearer" // under which tokens are sealed

// vouchBy makes a token what the visit's requests to the app show.
func (v *visit) vouchBy(token string) {
	_, scheme := v.login.Form.Credentials()
	v.vouching = strings.TrimPrefix(scheme+" "+token, " ")
}

// takeToken takes the token of an answer, for the gate's own requests.
func (v *visit) takeToken(answer *loginform.Answer) {
	b := v.login.Form.Config().Bearer
	if b == nil || answer.Truncated {
		return
	}
	if token, ok := loginform.TextAt(answer.Body, b.JSON); ok && validToken(token) {
		v.vouchBy(token)
	}
}

// sealedToken is what a script is told that has signed in: the app's answer, with the
// token sealed, and without any text but the person's own name, since others may tell
// what only the person may know. nil means that the app gives no token.
func (v *visit) sealedToken(binding string, answer *loginform.Answer) map[string]any {
	b := v.login.Form.Config().Bearer
	if b == nil || v.vouching == "" {
		return nil
	}
	box, err := v.box(loginform.ForSession, binding)
	if err != nil {
		v.gate.log.Error("sealing a token of the app", "site", v.site.Name, "error", err)
		return nil
	}
	var given map[string]any
	if json.Unmarshal(answer.Body, &given) != nil {
		return nil
	}
	_, scheme := v.login.Form.Credentials()
	token := strings.TrimPrefix(v.vouching, scheme+" ")
	told := v.tellable(given, strings.Split(strings.TrimPrefix(b.JSON, "/"), "/"))
	if loginform.PutText(told, b.JSON, v.seenToken(token, box.Seal(tokenName, token))) != nil {
		return nil
	}
	for _, t := range v.login.Form.TokensIn(answer) {
		if t.JSON != b.JSON && loginform.PutText(told, t.JSON, v.seenToken(t.Token, box.Seal(tokenName, t.Token))) != nil {
			return nil
		}
	}
	return told
}

// tellable is what of an answer is no secret before the second factor: numbers and switches
// beside the token, to which path leads, what kind of token it is, the name of whoever signed
// in, and what the operator lists.
func (v *visit) tellable(given map[string]any, path []string) map[string]any {
	told := make(map[string]any)
	for name, value := range given {
		if slices.Contains(v.login.Form.Config().Tell, name) {
			if !v.holdsToken(value) {
				told[name] = value
			}
			continue
		}
		switch value := value.(type) {
		case float64, bool:
			if len(path) > 0 {
				told[name] = value
			}
		case string:
			if v.isName(value) || strings.EqualFold(name, "token_type") && strings.EqualFold(value, "bearer") { // RFC 6749 section 5.1 wants it there
				told[name] = value
			}
		case map[string]any:
			var rest []string
			if len(path) > 1 && path[0] == name {
				rest = path[1:]
			}
			if inner := v.tellable(value, rest); len(inner) > 0 {
				told[name] = inner
			}
		}
	}
	return told
}

// holdsToken tells whether the token stands somewhere in a value, in clear.
func (v *visit) holdsToken(value any) bool {
	_, scheme := v.login.Form.Credentials()
	switch value := value.(type) {
	case string:
		return strings.Contains(value, strings.TrimPrefix(v.vouching, scheme+" "))
	case map[string]any:
		for _, inner := range value {
			if v.holdsToken(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, v.holdsToken)
	}
	return false
}

// isName tells whether a text is the name of the visit's user.
func (v *visit) isName(text string) bool {
	name, err := v.site.Names.Canonical(text)
	return err == nil && name == v.Name
}

// seenToken is a sealed token as scripts see it. Some look into theirs, to see how long it
// lives or whose it is (RFC 7519): such a token keeps what may be told of it, and has the sealed
// one in the place of its signature. Nobody but they believes what stands there.
func (v *visit) seenToken(token, sealed string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return sealed
	}
	header, claims := jwtPart(parts[0]), jwtPart(parts[1])
	if header == nil || claims == nil {
		return sealed
	}
	seen := make(map[string]any)
	for _, name := range []string{"alg", "typ"} {
		if value, ok := header[name].(string); ok {
			seen[name] = value
		}
	}
	return putJWTPart(seen) + "." + putJWTPart(v.tellable(claims, []string{""})) + "." + sealed
}

func jwtPart(text string) (part map[string]any) {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(data, &part) != nil {
		return nil
	}
	return part
}

func putJWTPart(part map[string]any) string {
	data, err := json.Marshal(part)
	if err != nil {
		panic(err) // unreachable: it was read as JSON
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// openToken opens the token of a request: in its header, in cookies that scripts have
// made of it; inURL is the one that was there. One that does not open is left out. It
// returns cookies and those that are the token. It is for apps that have tokens.
func (v *visit) openToken(boxes []*loginform.Box, cookies loginform.Cookies, inURL string) loginform.Cookies {
	token := inURL
	if name, scheme := v.login.Form.Credentials(); len(v.r.Header[name]) == 1 {
		sealed := strings.TrimPrefix(v.r.Header[name][0], scheme+" ")
		if opened, ok := unsealToken(boxes, sealed); ok {
			token = opened
		}
	}
	for _, c := range v.r.Cookies() {
		opened, ok := unsealToken(boxes, c.Value)
		if strings.ContainsAny(opened, `;,"\`) { // of which a script makes no cookie as it is, and the app would read several
			continue
		}
		if _, known := cookies.Value(c.Name); ok && !known && !ownCookie(c.Name) {
			cookies = append(slices.Clip(cookies), loginform.Cookie{Name: c.Name, Value: opened})
			token = cmp.Or(token, opened)
		}
	}
	if token != "" {
		v.vouchBy(token)
	}
	return cookies
}

// guardToken is guard for somebody who may pass: a sealed token of the session's own may
// stand in the URL, under a name that is refused with anything else. Scripts have no
// other place for it where a browser loads a file or opens a WebSocket. It is returned opened.
func (v *visit) guardToken(boxes []*loginform.Box) (string, error) {
	c := v.login.Form.Config()
	if c.Bearer == nil || len(c.QueryKeys) == 0 {
		return "", v.guard()
	}
	pairs := strings.Split(v.r.URL.RawQuery, "&")
	token := ""
	at := slices.IndexFunc(pairs, func(pair string) (ok bool) {
		name, value, _ := strings.Cut(pair, "=")
		if slices.Contains(c.QueryKeys, name) {
			token, ok = unsealToken(boxes, value)
		}
		return ok
	})
	if at < 0 {
		return "", v.guard()
	}
	name, _, _ := strings.Cut(pairs[at], "=")
	own := *v.r.URL
	v.r.URL = &own
	own.RawQuery = strings.Join(slices.Delete(slices.Clone(pairs), at, at+1), "&")
	if err := v.guard(); err != nil {
		return "", err
	}
	pairs[at] = name + "=" + url.QueryEscape(token)
	own.RawQuery = strings.Join(pairs, "&")
	return token, nil
}

// unsealToken opens a token, be it as scripts see it or not.
func unsealToken(boxes []*loginform.Box, seen string) (string, bool) {
	if strings.Count(seen, ".") == 2 {
		seen = seen[strings.LastIndexByte(seen, '.')+1:]
	}
	if seen == "" {
		return "", false
	}
	for _, b := range boxes {
		if token, ok := b.Open(tokenName, seen); ok && validToken(token) {
			return token, true
		}
	}
	return "", false
}

// validToken tells whether a token may stand in a header.
func validToken(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
