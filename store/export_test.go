package store

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// What only tests see and do.

// TurnClock sets the present forward, as if so much time had passed.
func (s *Store) TurnClock(d time.Duration) { s.clock.sync(s.Now().Add(d)) }

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
func (s *Store) ExplainClaim(ctx context.Context, channelID int64, limited bool) (string, error) {
	due := s.due(s.db, channelID, s.Now(), claimPlan{most: 100, limited: limited})
	if s.isPostgres() {
		var lines []string
		err := s.db.NewRaw("EXPLAIN ?", due).Scan(ctx, &lines)
		return strings.Join(lines, "\n"), err
	}
	var steps []struct {
		ID, Parent, Notused int
		Detail              string
	}
	err := s.db.NewRaw("EXPLAIN QUERY PLAN ?", due).Scan(ctx, &steps)
	var lines []string
	for _, step := range steps {
		lines = append(lines, step.Detail)
	}
	return strings.Join(lines, "\n"), err
}

// Do carries out a statement, as somebody with a shell on the database would.
func (s *Store) Do(ctx context.Context, sql string) error {
	_, err := s.db.NewRaw(sql).Exec(ctx)
	return err
}
