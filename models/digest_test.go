package models

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func TestDigest_TellsTheWorstFirstAndOfEqualOnesTheNewest(t *testing.T) {
	item := func(id int64, s Severity, kind DeliveryKind) DigestItem {
		return DigestItem{Kind: kind, Alert: &Alert{ID: id, Severity: s}}
	}
	want := []DigestItem{
		item(7, SeverityHigh, TellAlert), item(7, SeverityHigh, TellResolved), item(2, SeverityHigh, TellAlert),
		item(9, SeverityMedium, TellAlert), item(8, SeverityLow, TellResolved), item(1, SeverityLow, TellAlert),
	}
	for range 20 {
		items := append([]DigestItem(nil), want...)
		rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		given := append([]DigestItem(nil), items...)
		if d := NewDigest(5, items); d.ChannelID != 5 || !reflect.DeepEqual(d.Items, want) {
			t.Fatalf("digest of channel %d: %+v, of %+v", d.ChannelID, d.Items, given)
		}
	}
}

func TestDigest_CountsWhatItTells(t *testing.T) {
	of := func(severities ...Severity) *Digest {
		var items []DigestItem
		for i, s := range severities {
			at := epoch.Add(time.Duration(i%3) * time.Hour)
			items = append(items, DigestItem{Kind: TellAlert, Alert: &Alert{ID: int64(i), Severity: s, Type: []string{"disk", "cpu"}[i%2], CreatedAt: at}})
		}
		return NewDigest(1, items)
	}
	for name, c := range map[string]struct {
		digest     *Digest
		worst      Severity
		bySeverity []Count
		byType     []Count
	}{
		"one":    {of(SeverityMedium), SeverityMedium, []Count{{"MEDIUM", 1}}, []Count{{"disk", 1}}},
		"ties":   {of(SeverityLow, SeverityLow), SeverityLow, []Count{{"LOW", 2}}, []Count{{"cpu", 1}, {"disk", 1}}}, // by name
		"gaps":   {of(SeverityLow, SeverityHigh, SeverityLow), SeverityHigh, []Count{{"HIGH", 1}, {"LOW", 2}}, []Count{{"disk", 2}, {"cpu", 1}}},
		"all":    {of(SeverityLow, SeverityMedium, SeverityHigh, SeverityHigh), SeverityHigh, []Count{{"HIGH", 2}, {"MEDIUM", 1}, {"LOW", 1}}, []Count{{"cpu", 2}, {"disk", 2}}},
		"medium": {of(SeverityMedium, SeverityLow), SeverityMedium, []Count{{"MEDIUM", 1}, {"LOW", 1}}, []Count{{"cpu", 1}, {"disk", 1}}},
	} {
		d := c.digest
		if d.Worst() != c.worst || !reflect.DeepEqual(d.BySeverity(), c.bySeverity) || !reflect.DeepEqual(d.ByType(), c.byType) {
			t.Errorf("%s: worst %s, %v, %v", name, d.Worst(), d.BySeverity(), d.ByType())
		}
	}
	if oldest, newest := of(0, 0, 0, 0).Span(); !oldest.Equal(epoch) || !newest.Equal(epoch.Add(2*time.Hour)) {
		t.Errorf("from %v to %v", oldest, newest)
	}
}
