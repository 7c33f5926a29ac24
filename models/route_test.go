package models

import (
	"testing"
	"time"
)

func TestRoute_LeavesOutTheChannelItIsAboutAndWhatASilenceOrAPauseDrops(t *testing.T) {
	drop, tell := &Pause{Afterwards: DropThem}, &Pause{Afterwards: TellThem}
	quiet := new(Silence)
	for name, c := range map[string]struct {
		change    func(*NewAlert, *Channel)
		duplicate bool
		pause     *Pause
		want      RoutingReason
		silence   *Silence
	}{
		"about itself":              {func(a *NewAlert, _ *Channel) { a.AboutChannel = 1 }, false, nil, AboutItself, nil},
		"about another":             {func(a *NewAlert, _ *Channel) { a.AboutChannel = 2 }, false, nil, Matched, nil},
		"about itself, inactive":    {func(a *NewAlert, c *Channel) { a.AboutChannel, c.IsActive = 1, false }, false, nil, ChannelInactive, nil},
		"about itself in a pause":   {func(a *NewAlert, _ *Channel) { a.AboutChannel = 1 }, false, drop, AboutItself, nil},
		"a pause drops":             {func(*NewAlert, *Channel) {}, false, drop, Paused, nil},
		"a pause tells afterwards":  {func(*NewAlert, *Channel) {}, false, tell, Matched, nil},
		"in a pause, no severity":   {func(_ *NewAlert, c *Channel) { c.MinSeverity = SeverityHigh }, false, drop, BelowMinSeverity, nil},
		"in a pause, not its type":  {func(_ *NewAlert, c *Channel) { c.AlertTypes = []string{"other"} }, false, drop, TypeNotSelected, nil},
		"in a pause, a duplicate":   {func(*NewAlert, *Channel) {}, true, drop, Duplicate, nil},
		"in a pause, not to notify": {func(a *NewAlert, _ *Channel) { a.Notify = false }, true, drop, NotifyFalse, nil},
		"silenced":                  {func(*NewAlert, *Channel) {}, false, nil, Silenced, quiet},
		"silenced in a pause":       {func(*NewAlert, *Channel) {}, false, drop, Silenced, quiet},
		"silenced, about itself":    {func(a *NewAlert, _ *Channel) { a.AboutChannel = 1 }, false, nil, AboutItself, quiet},
		"silenced, inactive":        {func(_ *NewAlert, c *Channel) { c.IsActive = false }, false, nil, ChannelInactive, quiet},
		"silenced, not its type":    {func(_ *NewAlert, c *Channel) { c.AlertTypes = []string{"other"} }, false, nil, TypeNotSelected, quiet},
		"silenced, a duplicate":     {func(*NewAlert, *Channel) {}, true, nil, Duplicate, quiet},
		"silenced, not to notify":   {func(a *NewAlert, _ *Channel) { a.Notify = false }, false, nil, NotifyFalse, quiet},
	} {
		a, channel := &NewAlert{Type: "x", Notify: true}, &Channel{ID: 1, IsActive: true}
		c.change(a, channel)
		if got := Route(a, c.duplicate, c.silence, c.pause, []*Channel{channel}); len(got) != 1 || got[0].Reason != c.want || got[0].WillNotify() != (c.want == Matched) {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

func TestRoute_DecidesForEveryChannelInItsOrder(t *testing.T) {
	channels := []*Channel{{ID: 3, IsActive: true}, {ID: 1}, {ID: 2, IsActive: true}}
	got := Route(&NewAlert{Type: "x", Notify: true, AboutChannel: 2}, false, nil, nil, channels)
	want := Decisions{{3, Matched}, {1, ChannelInactive}, {2, AboutItself}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("decided %v, want %v", got, want)
	}
}

func TestPause_HoldsUntilItsTimeOrUntilSomebodyEndsIt(t *testing.T) {
	for name, c := range map[string]struct {
		pause *Pause
		at    time.Duration
		holds bool
	}{
		"none":           {nil, 0, false},
		"no end":         {new(Pause), 1000 * time.Hour, true},
		"before its end": {&Pause{Until: after(time.Hour)}, time.Hour - 1, true},
		"at its end":     {&Pause{Until: after(time.Hour)}, time.Hour, false},
		"behind it":      {&Pause{Until: after(time.Hour)}, 2 * time.Hour, false},
	} {
		if got := c.pause.At(*after(c.at)); (got != nil) != c.holds {
			t.Errorf("%s: %v", name, got)
		}
	}
}
