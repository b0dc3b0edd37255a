package main

import (
	"fmt"
	"slices"
)

// report prints the median with an interval of at least 95 % for it, which takes
// nothing for granted but that the pairs are independent.
func report(what string, values []float64) {
	s := slices.Sorted(slices.Values(values))
	if len(s) < 6 {
		fmt.Printf("%-45s median %.3f (n = %d, too few for an interval)\n", what, median(s), len(s))
		return
	}
	low, high := interval(len(s))
	fmt.Printf("%-45s median %.3f, 95 %% interval %.3f to %.3f (n = %d)\n", what, median(s), s[low], s[high], len(s))
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// interval returns the places of the values, in order of size, between which the
// median of what they are drawn from lies with a probability of at least 95 %. How
// many of n values are below that median is binomial with 1/2.
func interval(n int) (low, high int) {
	tail, p := 0.0, 1.0
	for range n {
		p /= 2
	}
	for k := 0; k < n/2; k++ {
		if tail += p; tail > 0.025 {
			break
		}
		low = k
		p = p * float64(n-k) / float64(k+1)
	}
	return low, n - 1 - low
}
