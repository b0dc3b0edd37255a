package totp

import "testing"

func TestFirstDrift(t *testing.T) {
	for distance, want := range map[int64]int{-2: -1, -1: 0, 0: 0, 1: 1, 2: 1} {
		if got := firstDrift(distance); got != want {
			t.Errorf("firstDrift(%d): got %d; want %d", distance, got, want)
		}
	}
}

func TestLearn(t *testing.T) {
	for _, test := range []struct {
		name      string
		drift     int
		strict    bool
		distances []int64 // from now, undrifted
		want      int
	}{
		{"right clock", 0, false, []int64{0, -1, 0, 0, -1, -1, 0, -1}, 0},
		{"once early", 0, false, []int64{1, 0, 1, 0, 1, 0}, 0},
		{"ahead", 0, false, []int64{1, 1, 1}, 1},
		{"interrupted", 0, false, []int64{1, 1, -1, 1, 1}, 0},
		{"no further than one", 1, false, []int64{2, 2, 2, 2, 2, 2}, 1},
		{"behind", 0, false, []int64{-1, -1, -1}, -1},
		{"back again", -1, false, []int64{0, 0, 0}, 0},
		{"strict stays", 0, true, []int64{-1, -1, -1, -1, 0, 0, 0, 0}, 0},
		{"strict comes back from ahead", 1, true, []int64{0, 0, 0}, 0},
		{"strict comes back from behind", -1, true, []int64{-1, -1, -1}, 0},
	} {
		r := record{Drift: test.drift}
		f := Factor{Strict: test.strict}
		for _, d := range test.distances {
			r.learn(d, f.window(int64(r.Drift)), test.strict)
		}
		if r.Drift != test.want {
			t.Errorf("%s: got drift %d; want %d", test.name, r.Drift, test.want)
		}
	}
}
