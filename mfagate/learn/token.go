package learn

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Bounds of tokens that are looked for, in bytes.
const (
	shortestToken = 16
	longestToken  = 8 << 10
)

// A Token is where an answer to a login has what the app's scripts bring with their requests
// afterwards.
type Token struct {
	JSON   string `json:"json"`             // pointer to it
	Header string `json:"header"`           // that brings it
	Scheme string `json:"scheme,omitempty"` // that stands before it there
}

// A holder is a client that was given what may be tokens a short while ago. Of these the keyed sums
// are kept, and no more.
type holder struct {
	at     time.Time
	answer *Answer
	given  map[[sha256.Size]byte]string // pointers
}

// gives notes what a JSON answer to a login may give as a token.
func (v *visit) gives(client [32]byte, s *sent, answer *Answer) {
	delete(v.holders, client)
	if answer.Type != "json" || answer.Status >= 400 || answer.Token != nil {
		return
	}
	var body map[string]any
	if json.Unmarshal(v.w.plain(), &body) != nil {
		return
	}
	h := &holder{at: time.Now(), answer: answer, given: make(map[[sha256.Size]byte]string)}
	h.note(v.Learner, s, "", body)
	if len(h.given) == 0 {
		return
	}
	if len(v.holders) >= maxTries {
		for c, other := range v.holders { // whichever comes first, but for those that are over
			if delete(v.holders, c); time.Since(other.at) <= tryLife {
				break
			}
		}
	}
	v.holders[client] = h
}

// note keeps the sums of texts that could be tokens, on two levels.
func (h *holder) note(l *Learner, s *sent, at string, body map[string]any) {
	for key, value := range body {
		if name(key) == "" || s.hide(key) != key || len(h.given) >= maxKeys {
			continue
		}
		switch value := value.(type) {
		case map[string]any:
			if at == "" {
				h.note(l, s, "/"+key, value)
			}
		case string:
			if len(value) >= shortestToken && len(value) <= longestToken && !strings.ContainsAny(value, " \t\r\n") {
				h.given[l.sum(value)] = at + "/" + key
			}
		}
	}
}

// brings notes by which header a client's request brings what an answer has given. It is called
// with the lock held.
func (v *visit) brings() {
	client := v.client()
	h := v.holders[client]
	if h == nil {
		return
	}
	if time.Since(h.at) > tryLife {
		delete(v.holders, client)
		return
	}
	for header, values := range v.r.Header {
		if len(values) != 1 || header != "Authorization" && !strings.HasPrefix(header, "X-") || name(header) == "" {
			continue
		}
		if pointer, scheme := h.find(v.Learner, values[0]); pointer != "" {
			h.answer.Token = &Token{JSON: pointer, Header: http.CanonicalHeaderKey(header), Scheme: scheme}
			delete(v.holders, client)
			return
		}
	}
}

// find looks for what was given in the value of a header, whole or behind a scheme.
func (h *holder) find(l *Learner, value string) (pointer, scheme string) {
	if len(value) < shortestToken || len(value) > longestToken+maxName {
		return "", ""
	}
	if pointer = h.given[l.sum(value)]; pointer != "" {
		return pointer, ""
	}
	scheme, token, _ := strings.Cut(value, " ")
	if name(scheme) == "" {
		return "", ""
	}
	return h.given[l.sum(token)], scheme
}
