package main

import (
	"bytes"
	"sync/atomic"
	"time"
)

// marker stands in the message of every alert, followed by its sequence number in seqDigits digits.
const (
	marker    = "bench seq="
	seqDigits = 8
)

// ledger notes when each alert of one measurement was called, answered and seen to arrive, in time since start. Alerts are
// known by their sequence numbers. Each of called and answered is written by the one caller who sends that alert.
type ledger struct {
	start    time.Time
	called   []time.Duration
	answered []time.Duration // 0 = not acknowledged
	arrived  []atomic.Int64  // 0 = not yet
	first    atomic.Int64    // how many have arrived
	again    atomic.Int64    // arrivals of what had arrived already
	strange  atomic.Int64    // arrivals that are no alert of ours
}

func newLedger(alerts int) *ledger {
	return &ledger{
		start: time.Now(), called: make([]time.Duration, alerts), answered: make([]time.Duration, alerts),
		arrived: make([]atomic.Int64, alerts),
	}
}

func (l *ledger) now() time.Duration { return time.Since(l.start) }

// arrive notes that a message has arrived.
func (l *ledger) arrive(message []byte) {
	now := l.now()
	switch seq, ok := seqIn(message); {
	case !ok || seq >= len(l.arrived):
		l.strange.Add(1)
	case l.arrived[seq].CompareAndSwap(0, int64(now)):
		l.first.Add(1)
	default:
		l.again.Add(1)
	}
}

// lost counts acknowledged alerts, from one sequence number up to before another, that have not arrived.
func (l *ledger) lost(from, to int) int {
	n := 0
	for i := from; i < to; i++ {
		if l.answered[i] > 0 && l.arrived[i].Load() == 0 {
			n++
		}
	}
	return n
}

// times are what came of a range of alerts.
type times struct {
	call, arrival quantiles     // from just before the request is written: to its answer, to the arrival
	allAnswered   time.Duration // from the first call to the last answer
	allArrived    time.Duration // from the first call to the last arrival
}

// times gives what is known of a range of alerts. Only for when nobody calls any more.
func (l *ledger) times(from, to int) times {
	var calls, arrivals []time.Duration
	first, lastAnswer, lastArrival := l.called[from], time.Duration(0), time.Duration(0)
	for i := from; i < to; i++ {
		first = min(first, l.called[i])
		if l.answered[i] > 0 {
			calls = append(calls, l.answered[i]-l.called[i])
			lastAnswer = max(lastAnswer, l.answered[i])
		}
		if at := time.Duration(l.arrived[i].Load()); at > 0 {
			arrivals = append(arrivals, at-l.called[i])
			lastArrival = max(lastArrival, at)
		}
	}
	return times{
		call: newQuantiles(calls), arrival: newQuantiles(arrivals),
		allAnswered: lastAnswer - first, allArrived: lastArrival - first,
	}
}

// seqIn finds the sequence number in a message.
func seqIn(message []byte) (int, bool) {
	i := bytes.Index(message, []byte(marker))
	if i < 0 || len(message) < i+len(marker)+seqDigits {
		return 0, false
	}
	seq := 0
	for _, c := range message[i+len(marker):][:seqDigits] {
		if c < '0' || c > '9' {
			return 0, false
		}
		seq = 10*seq + int(c-'0')
	}
	return seq, true
}

// putSeq writes a sequence number over the digits at the beginning of b.
func putSeq(b []byte, seq int) {
	for i := seqDigits - 1; i >= 0; i-- {
		b[i] = byte('0' + seq%10)
		seq /= 10
	}
}
