package models

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSilence_MatchesWhenEveryListHasItsValue(t *testing.T) {
	disk := NewAlert{Type: "disk", Severity: SeverityHigh, Rustbucket: &Rustbucket{ID: "BKT1"}}
	nowhere := NewAlert{Type: "disk", Severity: SeverityHigh}
	own := NewAlert{Type: ChannelFailing, Severity: SeverityHigh, CreatedBy: ServerItself}
	ownOf := NewAlert{Type: "rustbucket_offline", Severity: SeverityHigh, CreatedBy: ServerItself, Rustbucket: &Rustbucket{ID: "BKT1"}}
	high, low := []Severity{SeverityHigh}, []Severity{SeverityLow}
	for name, c := range map[string]struct {
		silence Silence
		alert   NewAlert
		want    bool
	}{
		"its type":                        {Silence{Types: []string{"cpu", "disk"}}, disk, true},
		"another type":                    {Silence{Types: []string{"Disk"}}, disk, false},
		"its severity":                    {Silence{Severities: high}, disk, true},
		"another severity":                {Silence{Severities: low}, disk, false},
		"its rustbucket":                  {Silence{RustbucketIDs: []string{"BKT1"}}, disk, true},
		"another rustbucket":              {Silence{RustbucketIDs: []string{"BKT2"}}, disk, false},
		"a rustbucket, about none":        {Silence{RustbucketIDs: []string{"BKT1"}}, nowhere, false},
		"all three":                       {Silence{Types: []string{"disk"}, Severities: high, RustbucketIDs: []string{"BKT1"}}, disk, true},
		"type but not severity":           {Silence{Types: []string{"disk"}, Severities: low}, disk, false},
		"type but not rustbucket":         {Silence{Types: []string{"disk"}, RustbucketIDs: []string{"BKT2"}}, disk, false},
		"severity alone, the server's":    {Silence{Severities: high}, own, false},
		"its type, the server's":          {Silence{Types: []string{ChannelFailing}, Severities: high}, own, true},
		"its rustbucket, the server's":    {Silence{RustbucketIDs: []string{"BKT1"}}, ownOf, true},
		"a rustbucket, not the server's":  {Silence{RustbucketIDs: []string{"BKT1"}}, own, false},
		"severity alone, of a rustbucket": {Silence{Severities: high}, ownOf, false},
	} {
		c.silence.EndsAt = *after(time.Hour)
		c.silence.StartsAt = epoch
		got := NewSilences([]*Silence{&c.silence}).Of(&c.alert, epoch)
		if c.silence.Matches(&c.alert) != c.want || (got != nil) != c.want {
			t.Errorf("%s: found %v, want %v", name, got, c.want)
		}
	}
	if (*Silences)(nil).Of(&disk, epoch) != nil {
		t.Error("a silence among none")
	}
}

func TestSilence_HoldsFromItsBeginningToItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		at          time.Duration
		ended       *time.Time
		holds, over bool
	}{
		"before":             {time.Hour - 1, nil, false, false},
		"at its beginning":   {time.Hour, nil, true, false},
		"just before it end": {2*time.Hour - 1, nil, true, false},
		"at its end":         {2 * time.Hour, nil, false, true},
		"ended by hand":      {time.Hour, after(time.Hour), false, true},
	} {
		s := Silence{StartsAt: *after(time.Hour), EndsAt: *after(2 * time.Hour), EndedAt: c.ended}
		if at := *after(c.at); s.Holds(at) != c.holds || s.Over(at) != c.over {
			t.Errorf("%s: holds %v, over %v", name, s.Holds(at), s.Over(at))
		}
	}
}

func TestSilences_TheOneThatEndsLastMarksTheAlert(t *testing.T) {
	a := &NewAlert{Type: "disk", Severity: SeverityHigh, Rustbucket: &Rustbucket{ID: "BKT1"}}
	silence := func(id int64, from, to time.Duration, s Silence) *Silence {
		s.ID, s.StartsAt, s.EndsAt = id, *after(from), *after(to)
		return &s
	}
	byType, byRustbucket, bySeverity := Silence{Types: []string{"x", "disk"}}, Silence{RustbucketIDs: []string{"BKT1"}}, Silence{Severities: []Severity{SeverityHigh}}
	all := NewSilences([]*Silence{
		silence(1, 0, 3*time.Hour, byType), silence(2, 0, 4*time.Hour, byRustbucket), silence(3, time.Hour, 9*time.Hour, bySeverity),
		silence(5, 0, 4*time.Hour, byType), silence(4, 0, 4*time.Hour, bySeverity), silence(6, 0, 99*time.Hour, Silence{Types: []string{"cpu"}}),
	})
	for at, want := range map[time.Duration]int64{0: 2, time.Hour: 3, 8 * time.Hour: 3, 9 * time.Hour: 0} {
		got := all.Of(a, *after(at))
		if got == nil && want != 0 || got != nil && got.ID != want {
			t.Errorf("after %v: %+v, want %d", at, got, want)
		}
	}
}

func TestNewSilence_IsRefusedByField(t *testing.T) {
	many := make([]string, MaxSilenceEntries+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for name, c := range map[string]struct {
		change func(*NewSilence)
		field  string
	}{
		"as it should be":       {func(*NewSilence) {}, ""},
		"as many as may be":     {func(n *NewSilence) { n.Types, n.RustbucketIDs = many[1:], many[1:] }, ""},
		"a year":                {func(n *NewSilence) { n.EndsAt = epoch.AddDate(1, 0, 0) }, ""},
		"from long ago":         {func(n *NewSilence) { n.StartsAt = after(-1000 * time.Hour) }, ""},
		"nothing named":         {func(n *NewSilence) { n.Types = nil }, "input"},
		"too many types":        {func(n *NewSilence) { n.Types = many }, "input.types"},
		"too many rustbuckets":  {func(n *NewSilence) { n.RustbucketIDs = many }, "input.rustbucketIds"},
		"too many severities":   {func(n *NewSilence) { n.Severities = make([]Severity, 101) }, "input.severities"},
		"an empty type":         {func(n *NewSilence) { n.Types = []string{"x", ""} }, "input.types.1"},
		"a long type":           {func(n *NewSilence) { n.Types = []string{strings.Repeat("x", 256)} }, "input.types.0"},
		"a type twice":          {func(n *NewSilence) { n.Types = []string{"x", "y", "x"} }, "input.types.2"},
		"NUL in a rustbucket":   {func(n *NewSilence) { n.RustbucketIDs = []string{"a\x00"} }, "input.rustbucketIds.0"},
		"no UTF-8 in one":       {func(n *NewSilence) { n.RustbucketIDs = []string{"\xff"} }, "input.rustbucketIds.0"},
		"a severity twice":      {func(n *NewSilence) { n.Severities = []Severity{SeverityLow, SeverityLow} }, "input.severities.1"},
		"no reason":             {func(n *NewSilence) { n.Reason = "" }, "input.reason"},
		"blanks for a reason":   {func(n *NewSilence) { n.Reason = " \n" }, "input.reason"},
		"a long reason":         {func(n *NewSilence) { n.Reason = strings.Repeat("ü", 256) }, "input.reason"},
		"an end that has come":  {func(n *NewSilence) { n.EndsAt = epoch }, "input.endsAt"},
		"an end at its start":   {func(n *NewSilence) { n.StartsAt = after(time.Hour) }, "input.endsAt"},
		"an end before it":      {func(n *NewSilence) { n.StartsAt = after(2 * time.Hour) }, "input.endsAt"},
		"more than a year":      {func(n *NewSilence) { n.EndsAt = epoch.AddDate(1, 0, 0).Add(time.Second) }, "input.endsAt"},
		"beginning behind that": {func(n *NewSilence) { n.StartsAt, n.EndsAt = after(9000*time.Hour), *after(9001 * time.Hour) }, "input.endsAt"},
	} {
		n := &NewSilence{Types: []string{"disk"}, Reason: "moving house", EndsAt: *after(time.Hour)}
		c.change(n)
		err := n.Valid("input", epoch)
		var own *Error
		if errors.As(err, &own); (err == nil) != (c.field == "") || err != nil && (own == nil || own.Code != BadUserInput || own.Field != c.field) {
			t.Errorf("%s: %v (%+v), want the field %q", name, err, own, c.field)
		}
	}
}

func TestNewSilence_BeginsNowUnlessItIsToBeginLater(t *testing.T) {
	for name, c := range map[string]struct{ given, want *time.Time }{
		"left out": {nil, after(0)}, "passed": {after(-time.Hour), after(0)}, "to come": {after(time.Minute), after(time.Minute)},
	} {
		s := (&NewSilence{Types: []string{"x"}, Reason: "r", StartsAt: c.given, EndsAt: *after(time.Hour)}).Silence(epoch, "me")
		if !s.StartsAt.Equal(*c.want) || !s.CreatedAt.Equal(epoch) || s.CreatedBy != "me" {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
