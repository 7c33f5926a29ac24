package models

import "slices"

// Reasons why a delivery that tells what became of an alert is not to be sent any more. They stand in its error.
const (
	NeverTold      = "not sent: the channel was not told of the alert itself"
	OvertakenEnd   = "not sent: the alert was reopened before the channel was told"
	OvertakenByEnd = "not sent: the alert was resolved before the channel was told"
	OutOfDate      = "not sent: the channel was told already what came after it"
	KnownAlready   = "not sent: the channel knows nothing else"
)

// NotToldReasons lists them.
var NotToldReasons = []string{NeverTold, OvertakenEnd, OvertakenByEnd, OutOfDate, KnownAlready}

// Telling is a delivery as far as it matters for what its channel knows of the alert.
type Telling struct {
	Kind     DeliveryKind
	Status   DeliveryStatus
	Attempts int
	Unsure   bool // a process died that was about to send it, or had
	Partly   bool // some of its recipients have it, whatever became of it as a whole
}

// told reports whether the channel has it.
func (t Telling) told() bool {
	return t.Status == Delivered || t.Partly && t.Status != Pending
}

// known is what a channel knows of an alert. Where an attempt failed, or nobody knows what came of it, the other side may have taken it all the same: then
// neither the one nor the other is sure.
type known struct {
	alert                bool // that there is one
	open, resolved       bool // it may take it for open, for resolved
	acknowledged         bool // it may take it for acknowledged
	mayNotBeAcknowledged bool
}

// learn is what a delivery makes of it.
func (k *known) learn(t Telling) {
	sure := t.told()
	if !sure && (t.Attempts == 0 && !t.Unsure || t.Kind == TellAlert) {
		return
	}
	switch t.Kind {
	case TellAlert:
		*k = known{alert: true, open: true, mayNotBeAcknowledged: true}
	case TellResolved:
		k.resolved, k.open = true, k.open && !sure
	case TellReopened:
		k.open, k.resolved = true, k.resolved && !sure
		k.mayNotBeAcknowledged, k.acknowledged = true, k.acknowledged && !sure
	case TellAcknowledged:
		k.acknowledged, k.mayNotBeAcknowledged = true, k.mayNotBeAcknowledged && !sure
	}
}

// NotToTell says why a delivery of this kind is not to be sent any more, about an alert that is in this state by now; empty when
// it is. before and after are what the same channel was or is to be told of the alert, in that order. An alert itself is always told.
func NotToTell(kind DeliveryKind, state AlertState, before, after []Telling) string {
	if kind == TellAlert {
		return ""
	}
	var k known
	for _, t := range before {
		k.learn(t)
	}
	switch {
	case !k.alert:
		return NeverTold
	case slices.ContainsFunc(after, Telling.told):
		return OutOfDate
	case kind != TellResolved && state == Resolved:
		return OvertakenByEnd
	case kind == TellResolved && state != Resolved, kind == TellAcknowledged && state != Acknowledged:
		return OvertakenEnd
	case kind == TellResolved && !k.open,
		kind == TellReopened && !k.resolved && !k.acknowledged,
		kind == TellAcknowledged && !k.mayNotBeAcknowledged:
		return KnownAlready
	}
	return ""
}
