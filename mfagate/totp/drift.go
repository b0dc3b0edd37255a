package totp

import "github.com/mfagate/caddy-mfagate/mfagate"

// maxDrift bounds how far the window follows a device's clock, in steps:
// RFC 6238 section 6 wants a limit.
const maxDrift = 1

// habit is how many proofs in a row at the same edge of the window move it.
const habit = 3

// firstDrift tells the drift from the distance of the first code. A device whose
// clock is right shows codes that are at most one step old when they arrive, the
// person's typing included; only what lies outside of that is drift.
func firstDrift(distance int64) int {
	switch {
	case distance >= 1:
		return 1
	case distance <= -2:
		return -1
	}
	return 0
}

// learn follows a clock that slides away. One code at the edge says little: a
// slow typist looks like a slow clock. The strict window has no room beyond the
// usual delay, so there the drift only ever goes back to zero.
func (r *record) learn(step int64, w window, strict bool) {
	edge := bit(step == w.high) - bit(step == w.low)
	if edge*r.Lean < 0 {
		r.Lean = 0
	}
	if edge == 0 {
		r.Lean = 0
		return
	}
	if r.Lean += edge; r.Lean != habit && r.Lean != -habit {
		return
	}
	r.Lean = 0
	next := r.Drift + edge
	if next < -maxDrift || next > maxDrift || strict && next != 0 {
		return
	}
	r.Drift = next
}

// Drift implements mfagate.Clocked: in steps, as learnt from the codes.
func (*Factor) Drift(c mfagate.Credential) (steps int, ok bool) {
	var r record
	if decode(c.Data, &r) != nil {
		return 0, false
	}
	return r.Drift, true
}
