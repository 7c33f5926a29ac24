package main

import (
	"math"
	"slices"
	"time"
)

// quantiles of a number of durations. All are 0 when there are none.
type quantiles struct{ p50, p99, max time.Duration }

// newQuantiles sorts the samples in place.
func newQuantiles(samples []time.Duration) quantiles {
	slices.Sort(samples)
	return quantiles{p50: quantile(samples, 0.50), p99: quantile(samples, 0.99), max: quantile(samples, 1)}
}

// quantile is the smallest sample that at least the share q (above 0) of all samples does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(1, int(math.Ceil(q*float64(len(sorted)))))-1]
}
