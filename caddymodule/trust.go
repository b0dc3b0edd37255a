package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// TrustOptions say which word of the first factor makes a proof unnecessary.
type TrustOptions struct {
	// The placeholder with the methods by which the user signed in there, such as
	// the claim amr of RFC 8176: a JSON list, or words with commas or spaces
	// between them. It must come from where the user comes from. Required.
	Methods string `json:"methods,omitempty"`

	// The methods of which one must have been used. Required.
	Values []string `json:"values,omitempty"`

	// The placeholder with the time of that sign-in, such as the claim auth_time: in
	// seconds since 1970, or as RFC 3339 writes it. Optional.
	AuthTime string `json:"auth_time,omitempty"`

	// How long ago that may have been. Needs auth_time. Default: any time.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	methods, authTime placeholder
}

// weak are methods of RFC 8176 that are no second factor by themselves.
var weak = []string{"pwd", "pin", "kba", "user", "rba", "geo"}

func (o *TrustOptions) provision() (err error) {
	if o == nil {
		return nil
	}
	if o.methods, err = parsePlaceholder(o.Methods); err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	if o.AuthTime != "" {
		if o.authTime, err = parsePlaceholder(o.AuthTime); err != nil {
			return fmt.Errorf("trust: auth_time: %w", err)
		}
	}
	return o.check()
}

func (o *TrustOptions) check() error {
	i := slices.IndexFunc(o.Values, func(v string) bool { return slices.Contains(weak, v) })
	switch {
	case len(o.Values) == 0:
		return errors.New("trust: want the methods that are trusted after the placeholder, such as: mfa hwk otp")
	case i >= 0:
		return fmt.Errorf("trust: %q is no second factor; the methods to trust are such as mfa, otp, hwk, swk", o.Values[i])
	case slices.ContainsFunc(o.Values, func(v string) bool { return v == "" || strings.ContainsAny(v, ", \t\"{}[]") }):
		return fmt.Errorf("trust: %q: want one method in each word, such as: mfa hwk otp", o.Values)
	case o.MaxAge != 0 && o.AuthTime == "":
		return errors.New("trust: max_age needs auth_time, the placeholder with the time of the sign-in")
	case o.MaxAge < 0:
		return errors.New("trust: max_age cannot be negative")
	}
	return nil
}

// headers returns the headers of the request that o reads.
func (o *TrustOptions) headers() []string {
	var names []string
	if o == nil {
		return names
	}
	for _, p := range []placeholder{o.methods, o.authTime} {
		if p.header != "" {
			names = append(names, p.header)
		}
	}
	return names
}

// trust is what the gate must know of o.
func (o *TrustOptions) trust() mfagate.Trust {
	if o == nil {
		return mfagate.Trust{}
	}
	return mfagate.Trust{Read: o.read, Values: o.Values, MaxAge: time.Duration(o.MaxAge)}
}

func (o *TrustOptions) read(r *http.Request) (a mfagate.Assurance, err error) {
	text, err := o.methods.raw(r)
	if err != nil {
		return a, err
	}
	if a.Methods, err = splitMethods(text); err != nil || o.AuthTime == "" {
		return a, err
	}
	if text, err = o.authTime.value(r); err != nil || text == "" {
		return a, err
	}
	a.At, err = parseTime(text)
	return a, err
}

// splitMethods reads a list as identity providers write it.
func splitMethods(text string) (methods []string, err error) {
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "[") {
		if err := json.Unmarshal([]byte(text), &methods); err != nil {
			return nil, fmt.Errorf("methods of the sign-in: %w", err)
		}
		return methods, nil
	}
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' }), nil
}

func parseTime(text string) (time.Time, error) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		if seconds <= 0 || seconds > 1<<40 {
			return time.Time{}, fmt.Errorf("time of the sign-in: %q is none", text)
		}
		return time.Unix(seconds, 0), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("time of the sign-in: %w", err)
	}
	return t, nil
}

// checkTrust sees that whoever tells how the user signed in is the one who tells
// who it is: else one person's second factor would count for another's name.
func (h *Handler) checkTrust() error {
	if h.Trust == nil {
		return nil
	}
	if h.PagesOnly {
		return errors.New("trust: the pages let no request pass; write it in the mfa block")
	}
	s, ok := h.source.(*PlaceholderSource)
	if !ok {
		return errors.New("trust goes with user")
	}
	for _, p := range []placeholder{h.Trust.methods, h.Trust.authTime} {
		if p.key != "" && p.teller() != s.user.teller() {
			return fmt.Errorf("trust: {%s} and {%s} do not come from the same place, so they may tell of two people", p.key, s.user.key)
		}
	}
	if h.MaxAge != 0 && h.Trust.AuthTime == "" {
		return errors.New("trust has no effect beside max_age: it needs auth_time, the placeholder with the time of the sign-in")
	}
	return nil
}

// tellers are the beginnings of placeholders that one and the same place fills.
var tellers = []string{headerPrefix, answerPrefix, clientPrefix, "http.auth.user."}

// teller names the place that fills the placeholder.
func (p placeholder) teller() string {
	for _, prefix := range tellers {
		if strings.HasPrefix(p.key, prefix) {
			return prefix
		}
	}
	return p.key[:strings.LastIndexByte(p.key, '.')+1]
}

func parseTrust(d *caddyfile.Dispenser, h *Handler) error {
	h.Trust = new(TrustOptions)
	if err := placeholderText(&h.Trust.Methods).parse(d); err != nil {
		return err
	}
	h.Trust.Values = d.RemainingArgs()
	known := options{
		"auth_time": placeholderText(&h.Trust.AuthTime),
		"max_age":   duration(&h.Trust.MaxAge, 10*time.Second, 30*24*time.Hour, "8h"),
	}
	if err := known.parse(d, guests{}); err != nil {
		return err
	}
	if err := h.Trust.provision(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}
