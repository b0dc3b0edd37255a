package recovery

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

const version = 1

// A set is the Data of a credential: the codes that are left, either as they
// are or as hashes under one salt.
type set struct {
	V      int      `json:"v"`
	Codes  []string `json:"codes,omitempty"`
	Salt   []byte   `json:"salt,omitempty"`
	Hashes [][]byte `json:"hashes,omitempty"`
}

func (s set) left() int { return len(s.Codes) + len(s.Hashes) }

func (s set) encode() ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("recovery: encoding a set: %w", err)
	}
	return b, nil
}

// open hides what encoding/json says of a broken set: it may quote it.
func open(c mfagate.Credential) (set, error) {
	var s set
	if json.Unmarshal(c.Data, &s) != nil || !s.whole() {
		return set{}, fmt.Errorf("recovery: set %s is broken or of a newer version", c.ID)
	}
	return s, nil
}

func (s set) whole() bool {
	if s.V != version || s.left() > maxCount {
		return false
	}
	badCode := slices.ContainsFunc(s.Codes, func(c string) bool { return len(c) != length })
	badHash := slices.ContainsFunc(s.Hashes, func(h []byte) bool { return len(h) != hashSize })
	if s.Salt == nil {
		return !badCode && len(s.Hashes) == 0
	}
	return !badHash && len(s.Salt) == saltSize && len(s.Codes) == 0
}

// hashed returns the set of some codes that does not hold them.
func hashed(ctx context.Context, codes []string) (set, error) {
	s := set{V: version, Salt: make([]byte, saltSize)}
	_, _ = rand.Read(s.Salt) // never fails: the program ends instead
	for _, c := range codes {
		h, err := hash(ctx, c, s.Salt)
		if err != nil {
			return set{}, err
		}
		s.Hashes = append(s.Hashes, h)
	}
	return s, nil
}

// without returns the set without a code. The receiver, which open decoded, is
// used up.
func (s set) without(ctx context.Context, code string) (set, error) {
	i, err := s.find(ctx, code)
	switch {
	case err != nil:
		return set{}, err
	case i < 0:
		return set{}, errNoSuchCode
	case s.Salt != nil:
		s.Hashes = slices.Delete(s.Hashes, i, i+1)
	default:
		s.Codes = slices.Delete(s.Codes, i, i+1)
	}
	return s, nil
}

// find returns the index of a code, or -1. It compares with all, so that the
// time it takes does not tell which it was.
func (s set) find(ctx context.Context, code string) (int, error) {
	if s.left() == 0 {
		return -1, nil
	}
	given, all := []byte(code), s.Hashes
	if s.Salt != nil {
		var err error
		if given, err = hash(ctx, code, s.Salt); err != nil {
			return -1, err
		}
	} else {
		for _, c := range s.Codes {
			all = append(all, []byte(c))
		}
	}
	found := -1
	for i, c := range all {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(c, given), i, found)
	}
	return found, nil
}

var errNoSuchCode = fmt.Errorf("recovery: no such code: %w", mfagate.ErrRejected)
