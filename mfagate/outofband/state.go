package outofband

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// version is that of the encoding of conversation and record.
const version = 1

// A conversation is what is kept between Begin and Finish.
type conversation struct {
	V int `json:"v"`
	mfagate.Subject
	To         string    `json:"to"`
	Credential string    `json:"credential,omitempty"` // empty: an enrolment
	Code       string    `json:"code"`
	Until      time.Time `json:"until"`
}

// A record is the Data of a credential.
type record struct {
	V  int    `json:"v"`
	To string `json:"to"`
}

// A View is what the pages show. Its JSON is part of the answers of the API.
type View struct {
	SentTo string `json:"sent_to,omitempty"` // masked; empty if no code is waited for

	Kind  string `json:"-"` // of the input for an address
	To    string `json:"-"` // address to fill in
	Known string `json:"-"` // masked, as the source tells it
	Fixed bool   `json:"-"` // there is no other than the known one

	Choices []Choice `json:"-"` // where a code can be sent
}

// A Choice is one address of a user.
type Choice struct {
	ID   string // of the credential
	To   string // masked, perhaps with the name that the user gave
	Sent bool   // a code was sent there
	Main bool   // the one that the page suggests
}

// An address is that of a credential.
type address struct{ id, to, label string }

// credentials lists the user's addresses, the one used last first. One that cannot
// be read is left out; it is an error only if there is no other.
func (f Factor) credentials(u mfagate.User) ([]address, error) {
	creds := slices.Clone(u.Credentials)
	slices.SortStableFunc(creds, func(a, b mfagate.Credential) int { return b.Used.Compare(a.Used) })
	var list []address
	var broken error
	for _, c := range creds {
		if c.Factor != f.Name() {
			continue
		}
		r, err := openRecord(c.Data)
		if err != nil {
			broken = fmt.Errorf("credential %s: %w", c.ID, err)
			continue
		}
		list = append(list, address{c.ID, r.To, c.Label})
	}
	if len(list) == 0 && broken == nil {
		broken = errors.New("outofband: nothing is enrolled")
	}
	if len(list) == 0 {
		return nil, broken
	}
	return list, nil
}

// choices shows the addresses, with the one first that a code was sent to.
func (f Factor) choices(creds []address, sent string) View {
	var v View
	for _, c := range creds {
		to := f.Mask(c.to)
		choice := Choice{ID: c.id, To: to, Sent: c.id == sent}
		if c.label != to {
			choice.To = c.label + " (" + to + ")"
		}
		if choice.Sent {
			v.SentTo = to
			v.Choices = slices.Insert(v.Choices, 0, choice)
			continue
		}
		v.Choices = append(v.Choices, choice)
	}
	v.Choices[0].Main = sent == "" // else it is to enter the code
	return v
}

// check judges an answer. Whether the code is too old is told before it is looked
// at.
func (st conversation) check(now time.Time, answer url.Values) error {
	code, err := parse(answer)
	if err != nil {
		return err
	}
	if !now.Before(st.Until) {
		return fmt.Errorf("outofband: code is too old: %w", mfagate.ErrExpired)
	}
	if subtle.ConstantTimeCompare([]byte(code), []byte(st.Code)) != 1 {
		return fmt.Errorf("outofband: not the code that was sent: %w", mfagate.ErrRejected)
	}
	return nil
}

// People type codes as the message shows them, perhaps in groups.
var (
	typed      = regexp.MustCompile(`^[0-9]+(?:[ -]+[0-9]+)*$`)
	separators = strings.NewReplacer(" ", "", "-", "")
)

const maxTyped = 64 // bytes

func parse(answer url.Values) (string, error) {
	given := answer["code"]
	if len(given) != 1 {
		return "", fmt.Errorf("outofband: %d codes instead of one: %w", len(given), mfagate.ErrShape)
	}
	answered := strings.Trim(given[0], " ")
	if len(given[0]) > maxTyped || !typed.MatchString(answered) {
		return "", fmt.Errorf("outofband: not a code: %w", mfagate.ErrShape)
	}
	if answered = separators.Replace(answered); len(answered) != 6 {
		return "", fmt.Errorf("outofband: %d digits: %w", len(answered), mfagate.ErrShape)
	}
	return answered, nil
}

const maxLabel = 64 // bytes

// label is the name that the person gave, on one line.
func label(answer url.Values) string {
	given := answer["label"]
	if len(given) != 1 {
		return ""
	}
	s := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(given[0], ""))
	for s = strings.TrimSpace(s); len(s) > maxLabel; {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("outofband: encoding: %w", err)
	}
	return b, nil
}

// openState reads a conversation, which must be of this user and credential. What
// encoding/json says of a broken one is not told: it may quote it.
func openState(state []byte, u mfagate.User, credential string) (conversation, error) {
	var st conversation
	if json.Unmarshal(state, &st) != nil {
		return st, errors.New("outofband: conversation is broken")
	}
	switch {
	case st.V != version || len(st.Code) != 6 || st.To == "":
		return st, errors.New("outofband: conversation is broken or of another version")
	case st.Subject != u.Subject:
		return st, errors.New("outofband: conversation was begun by another user")
	case st.Credential != credential:
		return st, errors.New("outofband: conversation is about something else")
	}
	return st, nil
}

func openRecord(data []byte) (record, error) {
	var r record
	if json.Unmarshal(data, &r) != nil || r.V != version || r.To == "" {
		return r, errors.New("outofband: record is broken or of another version")
	}
	return r, nil
}
