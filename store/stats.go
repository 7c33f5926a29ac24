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

const (
	// statsTime is how long statistics may take, waiting for others included.
	statsTime = 20 * time.Second
	// statsAtOnce is how many statistics are counted at a time. SQLite has four connections that read, and others need some.
	statsAtOnce = 2
)

// AlertStats counts the alerts of a valid range that match.
func (s *Store) AlertStats(ctx context.Context, r models.StatsRange, f *models.AlertFilter) (*models.AlertStats, error) {
	stats := new(models.AlertStats)
	err := s.count(ctx, "count alerts", func(ctx context.Context, tx bun.Tx) error {
		var counts []struct {
			Slot        int64
			Total, Open int
			Severity    models.Severity
		}
		of := func() *bun.SelectQuery {
			q := tx.NewSelect().Model((*alertRow)(nil)).ColumnExpr("count(*) AS total, count(*) - count(a.resolved_at) AS open").
				Where("a.created_at >= ? AND a.created_at < ?", r.From.UTC(), r.To.UTC())
			return filterAlerts(q, f)
		}
		slot := s.slot("a", r.Bucket)
		err := of().ColumnExpr(slot.seconds+" AS slot, a.severity").GroupExpr(slot.key+", a.severity").Scan(ctx, &counts)
		if err != nil {
			return err
		}
		for _, at := range r.Starts() {
			stats.Buckets = append(stats.Buckets, &models.AlertStatsBucket{From: at})
		}
		for _, c := range counts {
			stats.Add(c.Severity, c.Total)
			stats.Open += c.Open
			stats.Buckets[r.Place(c.Slot)].Add(c.Severity, c.Total)
		}
		stats.Types = []*models.AlertTypeStats{}
		return of().ColumnExpr("a.type").GroupExpr("a.type").
			OrderExpr("total DESC, a.type"+s.byBytes()).Limit(models.MaxAlertTypes).Scan(ctx, &stats.Types)
	})
	return stats, err
}

// DeliveryStats counts the deliveries of a valid range, on these channels alone when there are any.
func (s *Store) DeliveryStats(ctx context.Context, r models.StatsRange, channelIDs []int64) (*models.DeliveryStats, error) {
	stats := new(models.DeliveryStats)
	err := s.count(ctx, "count deliveries", func(ctx context.Context, tx bun.Tx) error {
		q := tx.NewSelect().Model((*deliveryRow)(nil)).Where("d.created_at >= ? AND d.created_at < ?", r.From.UTC(), r.To.UTC())
		if len(channelIDs) > 0 {
			q = q.Where("d.channel_id IN (?)", bun.List(channelIDs))
		}
		var groups []*deliveryGroup
		var err error
		if s.isPostgres() {
			groups, err = groupDeliveries(ctx, tx, s.slot("d", r.Bucket), q)
		} else {
			groups, err = groupDeliveriesSQLite(ctx, q, r.Bucket)
		}
		if err != nil {
			return err
		}
		stats.Channels = []*models.ChannelDeliveryStats{}
		for _, at := range r.Starts() {
			stats.Buckets = append(stats.Buckets, &models.DeliveryStatsBucket{From: at})
		}
		for _, g := range groups {
			switch {
			case g.Slot != nil:
				stats.Buckets[r.Place(*g.Slot)].DeliveryCounts = g.counts()
			case g.ChannelID != nil:
				stats.Channels = append(stats.Channels, &models.ChannelDeliveryStats{ChannelID: *g.ChannelID, DeliveryCounts: g.counts()})
			default:
				stats.DeliveryCounts = g.counts()
			}
		}
		slices.SortFunc(stats.Channels, func(a, b *models.ChannelDeliveryStats) int { return cmp.Compare(a.ChannelID, b.ChannelID) })
		return nil
	})
	return stats, err
}

// deliveryGroup is the deliveries of a bucket, of a channel, or, with neither, all of them.
type deliveryGroup struct {
	Slot, ChannelID                       *int64
	Delivered, Failed, Cancelled, Pending int
	P50, P99                              *int64 // microseconds
}

func (g *deliveryGroup) counts() models.DeliveryCounts {
	return models.DeliveryCounts{
		Delivered: g.Delivered, Failed: g.Failed, Cancelled: g.Cancelled, Pending: g.Pending, P50Ms: millis(g.P50), P99Ms: millis(g.P99),
	}
}

func millis(micros *int64) *float64 {
	if micros == nil {
		return nil
	}
	ms := float64(*micros) / 1000
	return &ms
}

// groupDeliveries counts on PostgreSQL, in one statement. A duration sorts faster as a number than as an interval.
func groupDeliveries(ctx context.Context, tx bun.Tx, slot slot, q *bun.SelectQuery) ([]*deliveryGroup, error) {
	counted := q.ColumnExpr(slot.seconds + " AS slot, d.channel_id").ColumnExpr(`
		count(*) FILTER (WHERE d.status = 'DELIVERED') AS delivered, count(*) FILTER (WHERE d.status = 'FAILED') AS failed,
		count(*) FILTER (WHERE d.status = 'CANCELLED') AS cancelled, count(*) FILTER (WHERE d.status = 'PENDING') AS pending,
		percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY date_part('epoch', d.completed_at - d.created_at))
			FILTER (WHERE d.status = 'DELIVERED') AS p`).
		GroupExpr("GROUPING SETS ((" + slot.key + "), (d.channel_id), ())")
	var groups []*deliveryGroup
	err := tx.NewRaw(`
		SELECT slot, channel_id, delivered, failed, cancelled, pending,
			round(p[1] * 1000000)::bigint AS p50, round(p[2] * 1000000)::bigint AS p99
		FROM (?) AS counted`, counted).Scan(ctx, &groups)
	return groups, err
}

// slot is how SQL says in which bucket something was created.
type slot struct {
	key     string // groups
	seconds string // shows it: when the bucket begins, in seconds since 1970
}

func (s *Store) slot(alias string, b models.StatsBucket) slot {
	if s.isPostgres() {
		key := "date_trunc('" + string(b) + "', " + alias + ".created_at AT TIME ZONE 'UTC')"
		return slot{key, "extract(epoch FROM " + key + ")::bigint"}
	}
	digits, rest := "16", ""
	switch b {
	case models.PerHour:
		digits, rest = "13", " || ':00'"
	case models.PerDay:
		digits = "10"
	}
	key := "substr(" + alias + ".created_at, 1, " + digits + ")"
	return slot{key, "unixepoch(" + key + rest + ")"}
}

// byBytes makes PostgreSQL order texts as SQLite does.
func (s *Store) byBytes() string {
	if s.isPostgres() {
		return ` COLLATE "C"`
	}
	return ""
}

// count reads in one transaction, so that all figures are of one moment. It waits for nobody who writes, and nobody who writes waits for
// it.
func (s *Store) count(ctx context.Context, what string, read func(ctx context.Context, tx bun.Tx) error) error {
	limited, cancel := context.WithTimeout(ctx, s.statsTime)
	defer cancel()
	select {
	case s.counting <- struct{}{}:
		defer func() { <-s.counting }()
	case <-limited.Done():
		if ctx.Err() != nil {
			return s.explain(what, ctx.Err())
		}
		return &models.Error{Code: models.Overloaded, Message: "other statistics are being counted: try again later"}
	}
	// On SQLite the pool is of connections that read, and none of this is more than reading.
	err := s.read.RunInTx(limited, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, read)
	if errors.Is(err, errTooMany) || err != nil && ctx.Err() == nil && limited.Err() != nil {
		return models.Invalid("from", "leaves more to count than can be counted in %s: narrow the range, or what is counted in it", s.statsTime)
	}
	return s.explain(what, err)
}
