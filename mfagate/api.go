package mfagate

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// The JSON API, described in docs/openapi.yaml. It works by the same operations
// as the pages.

// readJSON reads the body of an API request into r.PostForm: the members of one
// object, strings as they are and everything else as JSON.
func (v *visit) readJSON(media string, body []byte, mediaErr error) error {
	v.r.PostForm = url.Values{}
	if len(body) == 0 && v.r.Method == http.MethodDelete {
		return nil // no form can send DELETE
	}
	if mediaErr != nil || media != "application/json" {
		return errMediaType
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errBadRequest
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return errBadRequest
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil || v.r.PostForm.Has(name.(string)) {
			return errBadRequest // doubled members are read differently by different readers
		}
		value := string(raw)
		if raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' {
			return errBadRequest // 12345 is not the code 012345
		}
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &value); err != nil {
				return errBadRequest
			}
		}
		v.r.PostForm.Set(name.(string), value)
	}
	if _, err := d.Token(); err != nil {
		return errBadRequest
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errBadRequest
	}
	return nil
}

const contentJSON = "application/json"

// A sessionState is the state of the session, as the API tells it.
type sessionState struct {
	User      string    `json:"user"`
	Realm     string    `json:"realm"`
	State     string    `json:"state"`
	Methods   []string  `json:"methods"`
	ProvedAt  time.Time `json:"proved_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	CodesLeft int       `json:"recovery_codes_left"`
}

func (v *visit) apiSession() error {
	a, err := v.account()
	if err != nil {
		return err
	}
	s := sessionState{User: v.Name, Realm: v.realm, State: v.state(a)}
	var want requirement
	if v.sess != nil {
		want = v.sess.Want
		s.ProvedAt = v.sess.Proved
		if !v.sess.Proved.IsZero() {
			s.ExpiresAt = v.sess.Deadline
		}
	}
	if s.CodesLeft, err = v.gate.codesLeft(a); err != nil {
		return err
	}
	if s.State == stateEnroll {
		for _, f := range v.gate.factors {
			s.Methods = append(s.Methods, f.Name())
		}
	} else if s.Methods, err = v.gate.methods(a, want); err != nil {
		return err
	}
	s.Methods = orEmpty(s.Methods) // none may be what the policy asks for
	v.json(http.StatusOK, contentJSON, s)
	return nil
}

func (v *visit) apiSignOut() error {
	if err := v.signOut(v.field("everywhere") == "true"); err != nil {
		return err
	}
	v.noContent()
	return nil
}

func (v *visit) apiFactor() (Factor, error) {
	if f := v.gate.enrollable(v.r.PathValue("part")); f != nil {
		return f, nil
	}
	return nil, errNotFound
}

// apiEnrol begins an enrolment: the factor's view, with the enrolment's id.
func (v *visit) apiEnrol() error {
	f, err := v.apiFactor()
	if err != nil {
		return err
	}
	if err := v.beginEnrol(f, enrolRequest{v.field("enrollment"), v.field("replaces"), v.r.PostForm, true}); err != nil {
		return err
	}
	e, err := v.openEnrolment(f)
	if err != nil {
		return err
	}
	body, err := members(e.View)
	if err != nil {
		return err
	}
	body["enrollment"] = e.ID
	v.json(http.StatusCreated, contentJSON, body)
	return nil
}

// members turns a factor's view into a JSON object.
func members(view any) (map[string]any, error) {
	m := map[string]any{}
	if view == nil {
		return m, nil
	}
	b, err := json.Marshal(view)
	if err != nil {
		return nil, err
	}
	return m, json.Unmarshal(b, &m)
}

func (v *visit) apiConfirm() error {
	f, err := v.apiFactor()
	if err != nil {
		return err
	}
	id := v.field("enrollment")
	if id == "" {
		return errBadRequest
	}
	out, err := v.finishEnrol(f, id, v.r.PostForm, false)
	if errors.Is(err, ErrRejected) {
		v.problem(fault{err, http.StatusUnprocessableEntity, "rejected"})
		return nil
	}
	if err != nil {
		return err
	}
	v.json(http.StatusOK, contentJSON, struct {
		Credential CredentialStatus `json:"credential"`
		Codes      []string         `json:"recovery_codes"`
	}{status(out.Credential), orEmpty(out.Codes)})
	return nil
}

func (v *visit) apiBegin() error {
	method := v.field("method")
	f := v.gate.factor(method)
	if f == nil {
		return errMethod
	}
	purpose, err := v.apiPurpose()
	if err != nil {
		return err
	}
	var view any
	if method != v.gate.recoveryName() {
		if view, err = v.begin(f, purpose, v.r.PostForm); err != nil {
			return err
		}
	}
	body, err := members(view)
	if err != nil {
		return err
	}
	v.json(http.StatusOK, contentJSON, body)
	return nil
}

func (v *visit) apiChallenge() error {
	purpose, err := v.apiPurpose()
	if err != nil {
		return err
	}
	if _, err := v.verify(answered{Method: v.field("method"), Purpose: purpose, Values: v.r.PostForm}); err != nil {
		return err
	}
	return v.apiSession()
}

func (v *visit) apiPurpose() (string, error) {
	switch p := v.field("purpose"); p {
	case "":
		return purposeSignIn, nil
	case purposeSignIn, purposeSettings:
		return p, nil
	}
	return "", errBadRequest
}

func (v *visit) apiCredentials() error {
	if v.sess == nil || v.sess.Proved.IsZero() {
		return errNoSession
	}
	a, err := v.account()
	if err != nil {
		return err
	}
	list := []CredentialStatus{}
	for _, c := range a.Credentials {
		if c.Factor != v.gate.recoveryName() {
			list = append(list, status(c))
		}
	}
	v.json(http.StatusOK, contentJSON, struct {
		Credentials []CredentialStatus `json:"credentials"`
	}{list})
	return nil
}

// apiRemove takes a credential away.
func (v *visit) apiRemove() error {
	if err := v.remove(v.r.PathValue("part")); err != nil {
		return err
	}
	v.noContent()
	return nil
}

// apiCodes makes a new set and hands it over: a program has it as soon as it has
// the answer, so it counts as saved.
func (v *visit) apiCodes() error {
	if v.gate.recovery == nil {
		return errNotFound
	}
	if v.sess == nil || v.sess.Proved.IsZero() {
		return errNoSession
	}
	if err := v.replaceCodes(); err != nil {
		return err
	}
	t := newTxn(v.r.Context(), v.gate.records.store)
	shown, err := t.shown(hashOf(v.token).String())
	if err != nil {
		return err
	}
	if err := v.saveCodes(shown.Set); err != nil {
		return err
	}
	v.json(http.StatusOK, contentJSON, struct {
		Codes []string `json:"recovery_codes"`
	}{shown.Codes})
	return nil
}

func (v *visit) apiTicket() error {
	if err := v.present(v.field("ticket")); err != nil {
		return err
	}
	return v.apiSession()
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// noContent answers that something was done and there is nothing to say.
func (v *visit) noContent() {
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.WriteHeader(http.StatusNoContent)
}
