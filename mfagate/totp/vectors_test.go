package totp

import (
	"testing"
	"time"
)

// RFC 4226 appendix D.
func TestRFC4226AppendixD(t *testing.T) {
	k := key{Seed: []byte("12345678901234567890"), Alg: SHA1, Digits: 6, Period: 30}
	for counter, want := range []string{
		"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
	} {
		if got, err := k.code(int64(counter)); got != want || err != nil {
			t.Errorf("code(%d): got %q, %v; want %q", counter, got, err, want)
		}
	}
}

// RFC 6238 appendix B. The seeds are those of its reference program: 20, 32 and
// 64 bytes long.
func TestRFC6238AppendixB(t *testing.T) {
	const digits = "1234567890123456789012345678901234567890123456789012345678901234"
	seeds := map[Algorithm]string{SHA1: digits[:20], SHA256: digits[:32], SHA512: digits}
	for _, test := range []struct {
		unix  int64
		codes map[Algorithm]string
	}{
		{59, map[Algorithm]string{SHA1: "94287082", SHA256: "46119246", SHA512: "90693936"}},
		{1111111109, map[Algorithm]string{SHA1: "07081804", SHA256: "68084774", SHA512: "25091201"}},
		{1111111111, map[Algorithm]string{SHA1: "14050471", SHA256: "67062674", SHA512: "99943326"}},
		{1234567890, map[Algorithm]string{SHA1: "89005924", SHA256: "91819424", SHA512: "93441116"}},
		{2000000000, map[Algorithm]string{SHA1: "69279037", SHA256: "90698825", SHA512: "38618901"}},
		{20000000000, map[Algorithm]string{SHA1: "65353130", SHA256: "77737706", SHA512: "47863826"}},
	} {
		for alg, want := range test.codes {
			k := key{Seed: []byte(seeds[alg]), Alg: alg, Digits: 8, Period: 30}
			if got, err := k.code(time.Unix(test.unix, 0).Unix() / k.Period); got != want || err != nil {
				t.Errorf("%s at %d: got %q, %v; want %q", alg, test.unix, got, err, want)
			}
		}
	}
}
