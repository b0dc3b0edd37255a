package totp

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSpentNeverTwice lets the clock go anywhere: no step is used twice, the
// memory stays bounded, in order and disjoint, and a person who waits for an
// hour past the last step can sign in.
func TestSpentNeverTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p spent
		used := map[int64]bool{}
		step := int64(60_000_000)
		for range rapid.IntRange(1, 60).Draw(t, "sign-ins") {
			step += rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64Range(-300, 300), rapid.Int64Range(-1_000_000, 1_000_000)).Draw(t, "jump")
			if p.refuses(step) {
				continue
			}
			if used[step] {
				t.Fatalf("got step %d accepted twice; want it refused", step)
			}
			used[step] = true
			before := len(p)
			next := p.add(step)
			if len(p) != before || !next.refuses(step) || len(next) > maxSpans {
				t.Fatalf("got %v after adding %d to %v; want it used and at most %d spans", next, step, p, maxSpans)
			}
			p = next
			for i := range p {
				if p[i][0] > p[i][1] || i > 0 && p[i][0] <= p[i-1][1] {
					t.Fatalf("got spans %v; want them ascending and disjoint", p)
				}
			}
		}
	})
}

// TestSpentForwardsIsFree checks that a clock that only goes forwards never
// refuses a new step.
func TestSpentForwardsIsFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p spent
		step := int64(60_000_000)
		for range rapid.IntRange(1, 60).Draw(t, "sign-ins") {
			step += rapid.OneOf(rapid.Int64Range(1, 3), rapid.Int64Range(1, 300), rapid.Int64Range(1, 1_000_000)).Draw(t, "pause")
			if p.refuses(step) {
				t.Fatalf("got step %d refused by %v; want it accepted", step, p)
			}
			p = p.add(step)
		}
	})
}

// TestSpentManyFutures signs in at six far-off times and comes back.
func TestSpentManyFutures(t *testing.T) {
	const now, year = 60_000_000, 1_051_200
	var p spent
	for i := range int64(6) {
		p = p.add(now + year + i*1000)
	}
	for i := range int64(20) {
		step := now + i*1000
		if p.refuses(step) {
			t.Fatalf("got step now+%d refused by %v; want it accepted", i*1000, p)
		}
		p = p.add(step)
	}
	for i := range int64(6) {
		if step := now + year + i*1000; !p.refuses(step) {
			t.Errorf("got step now+year+%d accepted again; want it refused", i*1000)
		}
	}
}
