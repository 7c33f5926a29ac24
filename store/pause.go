package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

type pauseRow struct {
	bun.BaseModel `bun:"table:pauses,alias:p"`

	ID         int `bun:",pk"`
	Since      time.Time
	Until      *time.Time
	Reason     string
	Afterwards models.Afterwards
	StartedBy  string
}

// notPaused is a condition with the present as argument 0: notifications are not paused.
const notPaused = "NOT EXISTS (SELECT 1 FROM pauses WHERE until IS NULL OR until > ?0)"

// Pause gives the pause of all notifications that was begun last, or nil. It may have run out: see models.Pause.At.
func (s *Store) Pause(ctx context.Context) (*models.Pause, error) {
	row := new(pauseRow)
	err := s.db.NewSelect().Model(row).Where("id = 1").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain("read the pause", err)
	}
	return &models.Pause{Since: row.Since.UTC(), Until: utc(row.Until), Reason: row.Reason, Afterwards: row.Afterwards, By: row.StartedBy}, nil
}

// BeginPause pauses all notifications, in place of a pause that holds already, whose beginning is kept.
func (s *Store) BeginPause(ctx context.Context, p *models.Pause) error {
	now := s.Now()
	p.Since = now
	return s.inTx(ctx, "pause notifications", func(tx bun.Tx) error {
		row := &pauseRow{ID: 1, Since: now, Until: p.Until, Reason: p.Reason, Afterwards: p.Afterwards, StartedBy: p.By}
		err := tx.NewInsert().Model(row).On("CONFLICT (id) DO UPDATE").
			Set("since = CASE WHEN p.until IS NULL OR p.until > ? THEN p.since ELSE EXCLUDED.since END", now).
			Set("until = EXCLUDED.until").Set("reason = EXCLUDED.reason").Set("afterwards = EXCLUDED.afterwards").
			Set("started_by = EXCLUDED.started_by").Returning("since").Scan(ctx, &p.Since)
		if err != nil {
			return err
		}
		p.Since = p.Since.UTC()
		changes := map[string]any{"reason": p.Reason, "afterwards": string(p.Afterwards)}
		if p.Until != nil {
			changes["until"] = p.Until.UTC()
		}
		if err := s.audit(ctx, tx, models.NotificationsPaused, nil, changes); err != nil {
			return err
		}
		return s.routingChanged(ctx, tx)
	})
}

// EndPause lets notifications go out again, and reports whether they were paused.
func (s *Store) EndPause(ctx context.Context) (bool, error) {
	ended := false
	err := s.inTx(ctx, "resume notifications", func(tx bun.Tx) error {
		var held []bool // whether it had not run out
		if err := tx.NewRaw("DELETE FROM pauses RETURNING until IS NULL OR until > ?", s.Now()).Scan(ctx, &held); err != nil {
			return err
		}
		if ended = slices.Contains(held, true); ended {
			if err := s.audit(ctx, tx, models.NotificationsResumed, nil, nil); err != nil {
				return err
			}
		}
		return s.routingChanged(ctx, tx)
	})
	return ended, err
}
