package loginform

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
)

// KeySize is the length in bytes of a master key.
const KeySize = 32

// A Key is a master key of which those of all cookies are derived.
type Key struct {
	ID     byte
	Secret []byte // KeySize random bytes
}

// A Sealer derives the keys of [Box]es. The first of its keys seals; all open.
// It is safe for concurrent use.
type Sealer struct{ keys []Key }

// NewSealer returns a Sealer with the given keys, of which there must be one.
func NewSealer(keys ...Key) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("loginform: no key to seal cookies with")
	}
	for _, k := range keys {
		if len(k.Secret) != KeySize {
			return nil, fmt.Errorf("loginform: key %d has %d bytes; want %d", k.ID, len(k.Secret), KeySize)
		}
	}
	return &Sealer{keys}, nil
}

// A Purpose keeps apart what is sealed for different ends: what was sealed for
// one does not open for another.
type Purpose string

// The purposes of boxes.
const (
	ForLineage Purpose = "lineage" // the gate's own cookie of a visitor
	ForVisitor Purpose = "visitor" // cookies of somebody who has not tried to sign in
	ForReset   Purpose = "reset"   // cookies that answers to forgotten passwords have set
	ForAttempt Purpose = "attempt" // cookies of a failed attempt to sign in
	ForSession Purpose = "session" // cookies of a binding: one user in one app
)

// A Box seals values for one purpose, app, and binding or lineage. What was sealed in
// another box does not open, so that a cookie is of no use in any other session. It is
// safe for concurrent use.
type Box struct {
	ids   []byte
	aeads []cipher.AEAD
}

// Box returns the box of an app's binding or lineage. Deriving it costs a few
// microseconds.
func (s *Sealer) Box(p Purpose, app, id string) *Box {
	b := &Box{ids: make([]byte, len(s.keys)), aeads: make([]cipher.AEAD, len(s.keys))}
	for i, k := range s.keys {
		b.ids[i], b.aeads[i] = k.ID, subkey(k, p, app, id)
	}
	return b
}

// subkey derives AES-256-GCM with random nonces. A key seals the cookies of one
// binding for at most a day, far below the 2^32 values that random nonces allow
// (NIST SP 800-38D section 8.3).
func subkey(k Key, p Purpose, app, id string) cipher.AEAD {
	info := fmt.Sprintf("mfagate cookie 1\x00%s\x00%d\x00%s\x00%s", p, len(app), app, id)
	secret, err := hkdf.Key(sha256.New, k.Secret, nil, info, KeySize)
	if err != nil {
		panic(err) // unreachable: the length is fixed
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err) // unreachable: the length is fixed
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // unreachable: AES has the block size that GCM needs
	}
	return aead
}

// Sums returns what a text is recognised by without being kept: a keyed hash for each key,
// the one to be stored first.
func (s *Sealer) Sums(app, text string) [][]byte {
	sums := make([][]byte, len(s.keys))
	for i, k := range s.keys {
		mac := hmac.New(sha256.New, k.Secret)
		fmt.Fprintf(mac, "mfagate credential 1\x00%d\x00%s\x00%s", len(app), app, text)
		sums[i] = mac.Sum(nil)
	}
	return sums
}

var encoding = base64.RawURLEncoding

// Seal seals a value, bound to the name under which it is kept.
func (b *Box) Seal(name, value string) string {
	sealed := make([]byte, 1, 1+len(value)+b.aeads[0].Overhead())
	sealed[0] = b.ids[0]
	sealed = b.aeads[0].Seal(sealed, nil, []byte(value), []byte(name)) //nolint:gosec // the nonce is random: this AEAD makes it itself, and takes none
	return encoding.EncodeToString(sealed)
}

// Open returns a value that was sealed in this box under this name.
func (b *Box) Open(name, sealed string) (value string, ok bool) {
	return b.open(new(opening), name, sealed)
}

// An opening is room for what is opened, for the cookies of a request one after the
// other. The zero value has none yet.
type opening struct{ room []byte }

// openingSize is how many bytes most cookies take, sealed and opened.
const openingSize = 1024

var openings = sync.Pool{New: func() any { return new(opening) }}

// done leaves the room to the next request, with nothing in it.
func (in *opening) done() {
	clear(in.room[:cap(in.room)])
	openings.Put(in)
}

func (b *Box) open(in *opening, name, sealed string) (value string, ok bool) {
	if in.room == nil {
		in.room = make([]byte, 0, openingSize)
	}
	room, err := encoding.AppendDecode(append(in.room[:0], name...), []byte(sealed))
	if err != nil || len(room) == len(name) {
		return "", false
	}
	in.room = room
	bound, raw := room[:len(name)], room[len(name):]
	for i, id := range b.ids {
		if id != raw[0] {
			continue
		}
		opened, err := b.aeads[i].Open(room[len(room):], nil, raw[1:], bound)
		return string(opened), err == nil
	}
	return "", false
}

// Limits of browsers: 4096 bytes for name, value and attributes together
// (RFC 6265bis section 5.6), of which attributes may take some.
const (
	chunkSize = 3600
	maxChunks = 3
)

// ErrCookieSize reports that a cookie of the app is too long to be sealed.
var ErrCookieSize = errors.New("loginform: cookie too long to be sealed")

// chunks cuts a sealed value into those of up to maxChunks cookies. The first one begins
// with their number, so that one that is left over from a longer value does no harm.
func chunks(sealed string) ([]string, error) {
	n := (len(sealed) + chunkSize - 1) / chunkSize
	if n > maxChunks {
		return nil, ErrCookieSize
	}
	parts := make([]string, 0, n)
	for first := true; first || sealed != ""; first = false {
		size := min(chunkSize, len(sealed))
		parts = append(parts, sealed[:size])
		sealed = sealed[size:]
	}
	parts[0] = string(rune('0'+len(parts))) + parts[0]
	return parts, nil
}

// chunkName is the name of the cookie with the i-th part of another's value.
func chunkName(name string, i int) string {
	if i == 0 {
		return name
	}
	return name + "~" + string(rune('1'+i))
}

// unchunk joins what chunks has cut.
func unchunk(name, first string, all given) (sealed string, ok bool) {
	if first == "" || first[0] < '1' || first[0] > '0'+maxChunks {
		return "", false
	}
	sealed = first[1:]
	for i := 1; i < int(first[0]-'0'); i++ {
		part, once := all.only(chunkName(name, i))
		if !once {
			return "", false
		}
		sealed += part
	}
	return sealed, true
}

// SealedLength is how long a value of n bytes is when it is sealed, with nonce and tag, without what a second
// cookie takes where one is not enough.
func SealedLength(n int) int { return encoding.EncodedLen(1 + n + 12 + 16) }
