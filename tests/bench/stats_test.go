package main

import "testing"

// The places are those of tables of the sign test.
func TestInterval(t *testing.T) {
	for n, want := range map[int]int{6: 0, 8: 0, 9: 1, 10: 1, 12: 2, 15: 3, 20: 5, 25: 7} {
		if low, high := interval(n); low != want || high != n-1-want {
			t.Errorf("interval(%d) = %d, %d; want %d, %d", n, low, high, want, n-1-want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{[]float64{1}, 1}, {[]float64{1, 2}, 1.5}, {[]float64{1, 2, 9}, 2}} {
		if got := median(c.of); got != c.want {
			t.Errorf("median(%v) = %v; want %v", c.of, got, c.want)
		}
	}
}
