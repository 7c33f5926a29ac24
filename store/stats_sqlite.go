package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// maxDurations is how many durations are sorted at a time, of 16 bytes each.
const maxDurations = 5_000_000

// errTooMany ends counting that would take too much memory.
var errTooMany = errors.New("too many to count")

// groupDeliveriesSQLite counts on SQLite, which would sort for each grouping and each window anew: with 2,000,000 deliveries that took 20 s.
// Reading them once, and sorting here what they took, takes a quarter of that.
func groupDeliveriesSQLite(ctx context.Context, q *bun.SelectQuery, b models.StatsBucket) ([]*deliveryGroup, error) {
	rows, err := q.ColumnExpr("unixepoch(substr(d.created_at, 1, 19)), d.channel_id, d.status, " + microsBetween).Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	t := newTally()
	length := int64(b.Length() / time.Second)
	for rows.Next() {
		var created, channelID int64
		var status sql.RawBytes
		var micros sql.NullInt64
		if err := rows.Scan(&created, &channelID, &status, &micros); err != nil {
			return nil, err
		}
		t.add(created-created%length, channelID, models.DeliveryStatus(status), micros.Int64)
		if len(t.durations) > maxDurations {
			return nil, errTooMany
		}
	}
	return t.finish(), rows.Err()
}

// microsBetween is how many microseconds a delivery took; SQLite's own functions know milliseconds. Times are kept as
// 2006-01-02 15:04:05.999999+00:00, the fraction without the zeros at its end; a cast reads as much as is a number.
const microsBetween = `(unixepoch(substr(d.completed_at, 1, 19)) - unixepoch(substr(d.created_at, 1, 19))) * 1000000
	+ CAST(round((CAST(substr(d.completed_at, 20, 7) AS REAL) - CAST(substr(d.created_at, 20, 7) AS REAL)) * 1000000) AS INTEGER)`

// tally counts deliveries, all of them, by bucket and by channel.
type tally struct {
	groups          []*deliveryGroup // the first is of all
	slots, channels map[int64]int32  // places in groups
	durations       []duration
}

type duration struct {
	micros        int64
	slot, channel int32 // places in groups
}

func newTally() *tally {
	return &tally{groups: []*deliveryGroup{{}}, slots: make(map[int64]int32), channels: make(map[int64]int32)}
}

func (t *tally) add(slot, channelID int64, status models.DeliveryStatus, micros int64) {
	d := duration{micros, t.place(t.slots, slot), t.place(t.channels, channelID)}
	for _, place := range [...]int32{0, d.slot, d.channel} {
		switch g := t.groups[place]; status {
		case models.Delivered:
			g.Delivered++
		case models.Failed:
			g.Failed++
		case models.Cancelled:
			g.Cancelled++
		case models.Pending:
			g.Pending++
		}
	}
	if status == models.Delivered {
		t.durations = append(t.durations, d)
	}
}

// place gives the place of the group under a key of the slots or of the channels.
func (t *tally) place(places map[int64]int32, key int64) int32 {
	place, known := places[key]
	if !known {
		place = int32(len(t.groups))
		places[key] = place
		t.groups = append(t.groups, new(deliveryGroup))
	}
	return place
}

// finish finds the percentiles, and gives the groups.
func (t *tally) finish() []*deliveryGroup {
	slices.SortFunc(t.durations, func(a, b duration) int { return cmp.Compare(a.micros, b.micros) })
	seen := make([]int, len(t.groups))
	for _, d := range t.durations {
		for _, place := range [...]int32{0, d.slot, d.channel} {
			g := t.groups[place]
			seen[place]++
			if seen[place] == percentile(50, g.Delivered) {
				g.P50 = new(d.micros)
			}
			if seen[place] == percentile(99, g.Delivered) {
				g.P99 = new(d.micros)
			}
		}
	}
	for key, place := range t.slots {
		t.groups[place].Slot = &key
	}
	for key, place := range t.channels {
		t.groups[place].ChannelID = &key
	}
	return t.groups
}

// percentile is the place of a percentile among n values in order, 1 and up, as percentile_disc of SQL has it.
func percentile(percent, n int) int { return (n*percent + 99) / 100 }
