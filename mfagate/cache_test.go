package mfagate

import (
	"context"
	"encoding/binary"
	"testing"
	"time"
)

// A request that found its session in the cache just before that was pushed out
// would be a stream that no sign-out ends.
func TestEvictedSessionTakesNoStream(t *testing.T) {
	var c cache
	var first tokenHash
	l := c.insert(first, time.Now(), &liveRecord{}, 0)
	for i := uint64(1); ; i++ {
		var h tokenHash
		binary.BigEndian.PutUint64(h[8:], i) // of the same shard
		c.insert(h, time.Now(), &liveRecord{}, 0)
		if got, _ := c.get(first); got == nil {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if l.streams.add(&stream{Context: ctx, cancel: cancel}) {
		c.remove(first) // sign-out
		if ctx.Err() == nil {
			t.Error("the stream goes on after its session was removed; want it refused or ended")
		}
	}
}
