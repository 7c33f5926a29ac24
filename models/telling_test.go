package models

import "testing"

func TestNotToTell(t *testing.T) {
	tell := func(kind DeliveryKind, status DeliveryStatus, attempts int) Telling {
		return Telling{Kind: kind, Status: status, Attempts: attempts}
	}
	told := func(kinds ...DeliveryKind) (all []Telling) {
		for _, k := range kinds {
			all = append(all, tell(k, Delivered, 1))
		}
		return all
	}
	const alert, ack, end, again = TellAlert, TellAcknowledged, TellResolved, TellReopened
	for _, c := range []struct {
		name   string
		kind   DeliveryKind
		state  AlertState
		before []Telling
		after  []Telling
		want   string
	}{
		{"an alert is always told", alert, Resolved, nil, told(end), ""},
		{"an acknowledge", ack, Acknowledged, told(alert), nil, ""},
		{"an end", end, Resolved, told(alert), nil, ""},
		{"an end after an acknowledge", end, Resolved, told(alert, ack), nil, ""},
		{"a reopened end", again, Open, told(alert, end), nil, ""},
		{"a reopened acknowledge", again, Open, told(alert, ack), nil, ""},
		{"a reopened end, acknowledged by now", again, Acknowledged, told(alert, end), nil, ""},
		{"the second end", end, Resolved, told(alert, end, again), nil, ""},
		{"the second acknowledge", ack, Acknowledged, told(alert, ack, again), nil, ""},
		{"the alert failed", ack, Acknowledged, []Telling{tell(alert, Failed, 10)}, nil, NeverTold},
		{"the alert was cancelled", end, Resolved, []Telling{tell(alert, Cancelled, 0)}, nil, NeverTold},
		{"the alert is gone", end, Resolved, nil, nil, NeverTold},
		{"some recipients have the alert", end, Resolved, []Telling{{Kind: alert, Status: Failed, Attempts: 1, Partly: true}}, nil, ""},
		{"acknowledged, and resolved meanwhile", ack, Resolved, told(alert), nil, OvertakenByEnd},
		{"acknowledged, and given back meanwhile", ack, Open, told(alert), nil, OvertakenEnd},
		{"resolved, and reopened meanwhile", end, Open, told(alert), nil, OvertakenEnd},
		{"reopened, and resolved meanwhile", again, Resolved, told(alert, end), nil, OvertakenByEnd},
		{"the end that was reopened was never told", again, Open, append(told(alert), tell(end, Cancelled, 0)), nil, KnownAlready},
		{"that end may have been taken", again, Open, append(told(alert), tell(end, Cancelled, 1)), nil, ""},
		{"nobody knows whether that end was sent", again, Open, append(told(alert), Telling{Kind: end, Status: Cancelled, Unsure: true}), nil, ""},
		{"nobody knows whether the alert was sent", end, Resolved, []Telling{{Kind: alert, Status: Cancelled, Unsure: true}}, nil, NeverTold},
		{"the end was told, the reopening was not", end, Resolved, append(told(alert, end), tell(again, Cancelled, 0)), nil, KnownAlready},
		{"the reopening may have been taken", end, Resolved, append(told(alert, end), tell(again, Failed, 3)), nil, ""},
		{"the acknowledge was told, giving it back was not", ack, Acknowledged, append(told(alert, ack), tell(again, Cancelled, 0)), nil, KnownAlready},
		{"giving it back may have been taken", ack, Acknowledged, append(told(alert, ack), tell(again, Cancelled, 2)), nil, ""},
		{"the acknowledge may not have been taken", ack, Acknowledged, append(told(alert), tell(ack, Failed, 10)), nil, ""},
		{"sent again by hand, with the story gone on", end, Resolved, told(alert), told(again, end), OutOfDate},
		{"sent again by hand, before what waits", end, Resolved, told(alert), []Telling{tell(again, Cancelled, 0)}, ""},
	} {
		if got := NotToTell(c.kind, c.state, c.before, c.after); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
