package mfagate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// format is the version of the records that this program writes. Records of a
// newer one stop the start, since an older program would lose what it does not
// know.
const format = 1

var errFormat = errors.New("record was written by a newer version of mfagate")

// The kinds of records, each the first part of its key.
const (
	kindMeta      = "meta"      // meta/format, meta/cookie_keys
	kindUser      = "user"      // user/REALM/NAME: an account
	kindAttempts  = "attempt"   // attempt/REALM/NAME
	kindAsk       = "ask"       // ask/BUCKET: attempts of strangers, by name
	kindSession   = "session"   // session/HASH
	kindSeen      = "seen"      // seen/HASH: when a session was last used
	kindStep      = "step"      // step/HASH/PURPOSE: a conversation with a factor
	kindTicket    = "ticket"    // ticket/HASH
	kindUnique    = "unique"    // unique/KEY: see Credential.Unique
	kindEvent     = "event"     // event/TIME-RANDOM
	kindUserEvent = "userevent" // userevent/REALM/NAME/TIME-RANDOM: points to an event
	kindMode      = "mode"      // mode/REALM: whether its users need a factor
	kindAwaited   = "awaited"   // awaited/REALM/NAME: an address that waits for its code
	kindMailed    = "mailed"    // mailed/HASH: codes that an address got
	kindOutbox    = "outbox"    // outbox/DUE-RANDOM: a notice
	kindRequest   = "request"   // request/REALM/NAME: for a reset
	kindSent      = "sent"      // sent/to/FACTOR/HASH, sent/all/FACTOR: counts of codes
	kindLineage   = "lineage"   // lineage/HASH: an attempt to sign in at a login form
)

// key joins the parts of a record's key. Each is escaped, so that no user name
// can reach into the records of another.
func key(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(p)
	}
	return strings.Join(escaped, "/")
}

// prefix is the beginning of all keys that continue the given parts.
func prefix(parts ...string) string { return key(parts...) + "/" }

// lastPart returns the last part of a key.
func lastPart(key string) (string, error) {
	return url.PathUnescape(key[strings.LastIndexByte(key, '/')+1:])
}

// versioned is embedded in every record.
type versioned struct {
	V int `json:"v"`
}

func (v *versioned) header() *versioned { return v }

type record interface{ header() *versioned }

func encode(r record) []byte {
	r.header().V = format
	b, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("mfagate: encoding %T: %v", r, err)) // unreachable: records hold plain data only
	}
	return b
}

func decode(b []byte, r record) error {
	if err := json.Unmarshal(b, r); err != nil {
		return fmt.Errorf("mfagate: reading %T: %w", r, err)
	}
	switch v := r.header().V; {
	case v > format:
		return fmt.Errorf("mfagate: reading %T: %w (its format is %d, ours %d)", r, errFormat, v, format)
	case v < 1:
		return fmt.Errorf("mfagate: reading %T: no format version", r)
	}
	return nil
}
