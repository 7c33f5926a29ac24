package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// Claimed is a delivery that is ours to send until the lease ends.
type Claimed struct {
	Delivery *models.Delivery
	Alert    *models.Alert
}

// Outcome is what an attempt, or the decision not to make one, does to a delivery. It applies only if the delivery is
// still as Delivery says and still leased to the one who reports it.
type Outcome struct {
	Delivery      *models.Delivery        // as it was before
	Attempt       *models.DeliveryAttempt // nil when none was made
	Status        models.DeliveryStatus
	Error         *string
	NextAttemptAt *time.Time // with PENDING
}

// DueChannels gives the channels that have a delivery waiting for anybody to send it.
func (s *Store) DueChannels(ctx context.Context) ([]int64, error) {
	var ids []int64
	// One probe of the index for each channel: a long backlog on one costs no more than a short one.
	err := s.read.NewRaw(`
		SELECT c.id FROM channels AS c WHERE EXISTS (
			SELECT 1 FROM deliveries AS d
			WHERE d.channel_id = c.id AND d.status = 'PENDING' AND d.next_attempt_at <= ?0
			  AND (d.lease_until IS NULL OR d.lease_until <= ?0))
		ORDER BY c.id`, now()).Scan(ctx, &ids)
	return ids, s.explain("look for due deliveries", err)
}

// Claim leases up to room due deliveries of a channel, the longest due first.
func (s *Store) Claim(ctx context.Context, channelID int64, room int, lease Lease) ([]Claimed, error) {
	var rows []*deliveryRow
	var alerts map[int64]*models.Alert
	skip := ""
	if s.isPostgres() {
		skip = "FOR UPDATE SKIP LOCKED"
	}
	err := s.inTx(ctx, "claim deliveries", func(tx bun.Tx) error {
		err := tx.NewRaw(`
			WITH due AS MATERIALIZED (
				SELECT id FROM deliveries
				WHERE channel_id = ?0 AND status = 'PENDING' AND next_attempt_at <= ?1
				  AND (lease_until IS NULL OR lease_until <= ?1)
				ORDER BY next_attempt_at, id LIMIT ?2 `+skip+`)
			UPDATE deliveries SET leased_by = ?3, lease_until = ?4 WHERE id IN (SELECT id FROM due) RETURNING *`,
			channelID, now(), room, lease.Holder, lease.Until).Scan(ctx, &rows)
		if err != nil {
			return err
		}
		ids := make([]int64, len(rows))
		for i, r := range rows {
			ids[i] = r.AlertID
		}
		alerts, err = alertsByID(ctx, tx, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	claimed := make([]Claimed, len(rows))
	for i, r := range rows {
		claimed[i] = Claimed{Delivery: r.model(), Alert: alerts[r.AlertID]}
	}
	return claimed, nil
}

// Release hands deliveries back that were leased to holder and not attempted: others may claim them at once.
func (s *Store) Release(ctx context.Context, holder string, deliveryIDs []int64) error {
	if len(deliveryIDs) == 0 {
		return nil
	}
	_, err := s.db.NewRaw(`
		UPDATE deliveries SET leased_by = NULL, lease_until = NULL WHERE id IN (?) AND leased_by = ? AND status = 'PENDING'`,
		bun.List(deliveryIDs), holder).Exec(ctx)
	return s.explain("release deliveries", err)
}

// ReleaseAll ends every lease. Only for a process that has the database to itself, when it starts.
func (s *Store) ReleaseAll(ctx context.Context) (int64, error) {
	res, err := s.db.NewRaw(`UPDATE deliveries SET leased_by = NULL, lease_until = NULL WHERE leased_by IS NOT NULL AND status = 'PENDING'`).Exec(ctx)
	if err != nil {
		return 0, s.explain("release deliveries", err)
	}
	n, err := res.RowsAffected()
	return n, s.explain("release deliveries", err)
}
