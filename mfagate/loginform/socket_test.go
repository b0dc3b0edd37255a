package loginform

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// frame is one of a browser's (RFC 6455 section 5.2).
func frame(first byte, text string) []byte {
	mask := []byte{0xa1, 0x5c, 0x00, 0xff}
	b := []byte{first}
	switch n := len(text); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask...)
	masked := []byte(text)
	flip(masked, mask)
	return append(b, masked...)
}

var (
	sealedA  = strings.Repeat("A", 90)
	claimedA = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9." + sealedA
	sealedB  = strings.Repeat("B", 70) // another session's
	opensA   = func(sealed string) (string, bool) { return "token-of-alice", sealed == sealedA || sealed == claimedA }
)

func readAll(t *testing.T, sent []byte) []byte {
	t.Helper()
	got, err := io.ReadAll(OpenTokens(iotest.OneByteReader(bytes.NewReader(sent)), opensA))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTokenInASocketIsOpened(t *testing.T) {
	const ping, text = 0x89, 0x81
	long := strings.Repeat("x ", 300)
	for sent, want := range map[string]string{
		`{"auth":"` + sealedA + `"}`:         `{"auth":"token-of-alice"}`,
		`["` + claimedA + `"]`:               `["token-of-alice"]`,
		sealedA + " " + sealedA:              "token-of-alice token-of-alice",
		long + sealedA:                       long + "token-of-alice",
		`{"auth":"` + sealedB + `"}`:         `{"auth":"` + sealedB + `"}`,
		`{"auth":"` + sealedA + "A" + `"}`:   `{"auth":"` + sealedA + "A" + `"}`,
		"":                                   "",
		strings.Repeat("y ", 9000) + sealedA: strings.Repeat("y ", 9000) + sealedA, // too long to be looked at
	} {
		before, after := frame(ping, "are you there"), frame(text, "subscribe")
		got := readAll(t, bytes.Join([][]byte{before, frame(text, sent), after}, nil))
		if want := bytes.Join([][]byte{before, frame(text, want), after}, nil); !bytes.Equal(got, want) {
			t.Errorf("%.60q: got %q; want %q", sent, got, want)
		}
	}
}

// What is no whole text message passes untouched, whatever is in it.
func TestOtherFramesOfASocketPassAsTheyAre(t *testing.T) {
	sent := bytes.Join([][]byte{
		frame(0x82, sealedA),                       // binary
		frame(0x01, sealedA), frame(0x80, sealedA), // in parts
		frame(0xc1, sealedA),               // compressed
		{0x81, 5, 'h', 'e', 'l', 'l', 'o'}, // not masked, which servers refuse
		frame(0x88, "bye"),
	}, nil)
	if got := readAll(t, sent); !bytes.Equal(got, sent) {
		t.Errorf("got %q; want %q", got, sent)
	}
}

// After the first messages nothing is looked at, and bytes that are no frames do no harm.
func TestSocketIsReadToTheEndWhateverIsInIt(t *testing.T) {
	var many []byte
	for range socketMessages {
		many = append(many, frame(0x81, "x")...)
	}
	many = append(many, frame(0x81, sealedA)...)
	if got := readAll(t, many); !bytes.Equal(got, many) {
		t.Error("a late message was changed")
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		sent := make([]byte, random.IntN(300))
		for i := range sent {
			sent[i] = byte(random.IntN(256))
		}
		got, _ := io.ReadAll(OpenTokens(bytes.NewReader(sent), opensA)) // it may end within a frame
		if !bytes.HasPrefix(sent, got) {
			t.Fatalf("got %x; want the beginning of %x", got, sent)
		}
	}
}
