package totp

import "slices"

// near is the number of steps before a used one that are refused too, about an
// hour. An earlier code must not be good after a later one, and a clock that is
// set back by a few minutes must not bring codes back.
//
// It is no more than an hour, because a step far ahead of the clock means that
// the clock was wrong when that step was used. To wait until the time comes
// round again would lock the person out, perhaps for years. So codes before
// that hour are good again, except those that are known to be used: no code
// ever works twice, wherever the clock goes.
const near = 120

// maxSpans bounds the memory. Sign-ins within an hour share a span, so all but
// the last few only matter if the clock goes back by hours.
const maxSpans = 4

// A span is a range of used steps, both ends included. It may include steps that
// were skipped.
type span [2]int64

// spent holds the used steps of a credential in ascending, disjoint spans.
type spent []span

// refuses tells whether a step is used up, or shortly before one that is.
func (p spent) refuses(step int64) bool {
	for _, s := range p {
		if step <= s[1] && step >= min(s[0], s[1]-near) {
			return true
		}
	}
	return false
}

// add returns a copy of p with a step that p does not refuse.
func (p spent) add(step int64) spent {
	p = slices.Clone(p)
	i := 0
	for i < len(p) && p[i][1] < step {
		i++
	}
	if i > 0 && step-p[i-1][1] <= near {
		p[i-1][1] = step
		return p
	}
	return slices.Insert(p, i, span{step, step}).bounded(i)
}

// bounded joins two spans if there are too many: the oldest two, or, if all
// others lie in the future, the last two. Joining uses up what is between them,
// and that must not be the present.
func (p spent) bounded(present int) spent {
	if len(p) <= maxSpans {
		return p
	}
	i := 0
	if present == 0 {
		i = len(p) - 2
	}
	p[i][1] = p[i+1][1]
	return slices.Delete(p, i+1, i+2)
}
