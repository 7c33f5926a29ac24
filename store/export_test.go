package store

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// What only tests see and do.

// StopClock makes the present stand still but for TurnClock, also where it follows the database's clock: however long the machine takes
// for something, it happens at one moment.
func (s *Store) StopClock() {
	now := s.Now()
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	s.clock.base, s.clock.stopped = now, true
}

// StoredDelivery is a delivery with what is hidden from everybody else.
type StoredDelivery struct {
	*models.Delivery
	DueAt                  *time.Time // as it is stored, also while the delivery is being sent
	LeasedBy, CancelReason *string
}

// StoredDeliveries gives all deliveries on channels, the oldest first.
func (s *Store) StoredDeliveries(ctx context.Context, channelIDs []int64) ([]StoredDelivery, error) {
	var rows []*deliveryRow
	err := s.db.NewSelect().Model(&rows).Where("channel_id IN (?)", bun.List(channelIDs)).OrderExpr("d.id").Scan(ctx)
	stored := make([]StoredDelivery, len(rows))
	for i, r := range rows {
		stored[i] = StoredDelivery{Delivery: r.model(), DueAt: utc(r.NextAttemptAt), LeasedBy: r.LeasedBy, CancelReason: r.CancelReason}
	}
	return stored, err
}

// StoredStates gives the states of channels, deleted ones too.
func (s *Store) StoredStates(ctx context.Context, channelIDs []int64) (map[int64]models.ChannelState, error) {
	return s.lockStates(ctx, s.db, channelIDs)
}

// ExplainClaim says how the database finds what is due on a channel.
func (s *Store) ExplainClaim(ctx context.Context, channelID int64, limited bool) (plan string, err error) {
	err = s.inTx(ctx, "explain a claim", func(tx bun.Tx) error {
		claim := claimPlan{most: models.MaxDigest, limited: limited}
		if err := s.neverSort(ctx, tx, claim); err != nil {
			return err
		}
		plan, err = s.explainQuery(ctx, tx, s.due(tx, channelID, s.Now(), claim))
		return err
	})
	return plan, err
}

// ExplainOutlasted says how the database finds rustbuckets that are offline longer than a silence.
func (s *Store) ExplainOutlasted(ctx context.Context) (string, error) {
	return s.explainQuery(ctx, s.db, s.db.NewRaw(findOutlasted+" AND a.id > ?1 ORDER BY a.id LIMIT ?2", s.Now(), 0, 100))
}

func (s *Store) explainQuery(ctx context.Context, db bun.IDB, q *bun.RawQuery) (string, error) {
	var lines []string
	if s.isPostgres() {
		err := db.NewRaw("EXPLAIN ?", q).Scan(ctx, &lines)
		return strings.Join(lines, "\n"), err
	}
	var steps []struct {
		ID, Parent, Notused int
		Detail              string
	}
	err := db.NewRaw("EXPLAIN QUERY PLAN ?", q).Scan(ctx, &steps)
	for _, step := range steps {
		lines = append(lines, step.Detail)
	}
	return strings.Join(lines, "\n"), err
}

// FillWithDelivered adds deliveries of other channels that were made long ago, times as many as there are, and lets the database count.
func (s *Store) FillWithDelivered(ctx context.Context, channelID int64, times int) error {
	for range times {
		_, err := s.db.NewRaw(`
			INSERT INTO deliveries (alert_id, channel_id, status, attempts, series_start, series_began_at, created_at, completed_at)
			SELECT alert_id, ?, 'DELIVERED', 1, 0, created_at, created_at, created_at FROM deliveries WHERE status = 'PENDING'`, channelID).Exec(ctx)
		if err != nil {
			return err
		}
	}
	_, err := s.db.NewRaw("ANALYZE").Exec(ctx)
	return err
}

// Do carries out a statement, as somebody with a shell on the database would.
func (s *Store) Do(ctx context.Context, sql string, args ...any) error {
	_, err := s.db.NewRaw(sql, args...).Exec(ctx)
	return err
}

// Count says how many rows a table has.
func (s *Store) Count(ctx context.Context, table string) (n int, err error) {
	err = s.db.NewRaw("SELECT count(*) FROM ?", bun.Ident(table)).Scan(ctx, &n)
	return n, err
}

// HurryStats sets how long statistics may take.
func (s *Store) HurryStats(d time.Duration) { s.statsTime = d }

// AuditedAlertFilter is what of a filter stands in the audit log.
var AuditedAlertFilter = auditedAlertFilter
