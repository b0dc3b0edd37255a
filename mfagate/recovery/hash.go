package recovery

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"
)

// OWASP ASVS 6.5.2 wants look-up secrets of less than 112 bits hashed like
// passwords. These are the parameters it names for Argon2id. Version 1 of a set
// stands for them.
//
// All codes of a set share a salt, so that a try costs one hash and not one for
// each code. Salts keep tables from being made in advance and different people's
// codes from being tried together; within a set, where all codes are random,
// one gains an attacker a factor of ten at most: 80 bits are still 76.
const (
	passes   = 2
	memory   = 19 << 10 // KiB
	threads  = 1
	saltSize = 16 // bytes
	hashSize = 32 // bytes
)

// hashing bounds, over the whole process, how many hashes are made at a time:
// people who type wrong codes on purpose must take neither all memory nor all
// processors from those who use the apps.
var hashing = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// hash waits for its turn, until ctx is done.
func hash(ctx context.Context, code string, salt []byte) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("recovery: waiting to hash: %w", context.Cause(ctx))
	}
	return argon2.IDKey([]byte(code), salt, passes, memory, threads, hashSize), nil
}
