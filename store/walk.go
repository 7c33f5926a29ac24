package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// walkRows is how many rows one step of a walk looks at, whether they match or not: no statement takes long, and nothing is held between
// two of them.
const walkRows = 2000

// Span is the ids that a walk has before it.
type Span struct {
	After int64 // seen already
	Last  int64
}

// Done reports whether nothing is left.
func (s Span) Done() bool { return s.After >= s.Last }

// AlertSpan gives the ids between which all alerts are that match by now. What comes in later is behind them.
func (s *Store) AlertSpan(ctx context.Context, f *models.AlertFilter) (Span, error) {
	q := s.read.NewSelect().Model((*alertRow)(nil))
	if f.RustbucketID != nil {
		q = q.Where("a.rustbucket_id = ?", *f.RustbucketID)
	}
	return s.span(ctx, q, "a", f.CreatedAfter, f.CreatedBefore, f.RustbucketID != nil)
}

// DeliverySpan gives the ids between which all deliveries are that match by now.
func (s *Store) DeliverySpan(ctx context.Context, f *models.DeliveryFilter) (Span, error) {
	q := s.read.NewSelect().Model((*deliveryRow)(nil))
	if f.AlertID != nil {
		q = q.Where("d.alert_id = ?", *f.AlertID)
	}
	if f.ChannelID != nil {
		q = q.Where("d.channel_id = ?", *f.ChannelID)
	}
	return s.span(ctx, q, "d", f.CreatedAfter, f.CreatedBefore, f.AlertID != nil || f.ChannelID != nil)
}

// span reads the first and last id by conditions that have an index, and by the last id alone when there are none. With the sum the
// databases do not look for the first match along the ids, from the oldest row on.
func (s *Store) span(ctx context.Context, q *bun.SelectQuery, alias string, from, to *time.Time, narrowed bool) (Span, error) {
	if from != nil {
		q = q.Where(alias+".created_at >= ?", from.UTC())
	}
	if to != nil {
		q = q.Where(alias+".created_at < ?", to.UTC())
	}
	if narrowed || from != nil || to != nil {
		q = q.ColumnExpr("coalesce(min(" + alias + ".id + 0), 1) - 1 AS after, coalesce(max(" + alias + ".id + 0), 0) AS last")
	} else {
		q = q.ColumnExpr("0 AS after, coalesce(max(" + alias + ".id), 0) AS last")
	}
	var span Span
	err := q.Scan(ctx, &span.After, &span.Last)
	return span, s.explain("look for the ids to walk through", err)
}

// WalkAlerts calls each for the next alerts of a span that match, in the order of their ids, until it says that it has enough. It
// gives what is left of the span.
func (s *Store) WalkAlerts(ctx context.Context, f *models.AlertFilter, span Span, each func(*models.Alert) (enough bool)) (Span, error) {
	return walk(ctx, s, "alerts", span, func() *bun.SelectQuery {
		return filterAlerts(selectAlerts(s.read, new([]*alertRow)), f).Where("a.id > ?", span.After).OrderExpr("a.id")
	}, "a.id <= ?", func(row *alertRow) (int64, bool, error) {
		a, err := row.model()
		if err != nil {
			return 0, false, err
		}
		return a.ID, each(a), nil
	})
}

// DeliveryLine is a delivery with what names its alert and its channel.
type DeliveryLine struct {
	*models.Delivery
	AlertType     string
	AlertSeverity models.Severity
	ChannelName   string
	ChannelType   models.ChannelType
}

type deliveryLineRow struct {
	deliveryRow   `bun:",extend"`
	AlertType     string             `bun:",scanonly"`
	AlertSeverity models.Severity    `bun:",scanonly"`
	ChannelName   string             `bun:",scanonly"`
	ChannelType   models.ChannelType `bun:",scanonly"`
}

// WalkDeliveries calls each for the next deliveries of a span that match, as WalkAlerts does.
func (s *Store) WalkDeliveries(ctx context.Context, f *models.DeliveryFilter, span Span, each func(*DeliveryLine) (enough bool)) (Span, error) {
	return walk(ctx, s, "deliveries", span, func() *bun.SelectQuery {
		q := s.read.NewSelect().Model((*deliveryLineRow)(nil)).
			ColumnExpr("d.*, a.type AS alert_type, a.severity AS alert_severity, c.name AS channel_name, c.type AS channel_type").
			Join("JOIN alerts AS a ON a.id = d.alert_id").Join("JOIN channels AS c ON c.id = d.channel_id")
		return filterDeliveries(q, f).Where("d.id > ?", span.After).OrderExpr("d.id")
	}, "d.id <= ?", func(row *deliveryLineRow) (int64, bool, error) {
		return row.ID, each(&DeliveryLine{row.model(), row.AlertType, row.AlertSeverity, row.ChannelName, row.ChannelType}), nil
	})
}

// walk takes one step. Rows are read one by one, so that the memory holds one of them.
func walk[R any](ctx context.Context, s *Store, table string, span Span, next func() *bun.SelectQuery, upTo string, each func(*R) (id int64, enough bool, err error)) (Span, error) {
	what := "walk through " + table
	var end *int64
	err := s.read.NewRaw("SELECT max(id) FROM (SELECT id FROM ? WHERE id > ? AND id <= ? ORDER BY id LIMIT ?) AS step",
		bun.Ident(table), span.After, span.Last, walkRows).Scan(ctx, &end)
	if err != nil {
		return span, s.explain(what, err)
	}
	if end == nil { // what was left is gone
		return Span{span.Last, span.Last}, nil
	}
	rows, err := next().Where(upTo, *end).Rows(ctx)
	if err != nil {
		return span, s.explain(what, err)
	}
	defer rows.Close()
	for rows.Next() {
		row := new(R)
		if err := s.read.ScanRow(ctx, rows, row); err != nil {
			return span, s.explain(what, err)
		}
		id, enough, err := each(row)
		if err != nil {
			return span, s.explain(what, err)
		}
		if enough {
			return Span{id, span.Last}, s.explain(what, rows.Close())
		}
	}
	return Span{*end, span.Last}, s.explain(what, rows.Err())
}
