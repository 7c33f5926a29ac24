package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// ErrOutdated says that alerts were routed by silences or a pause that have changed since. Nothing was stored: route them
// again by what holds now.
var ErrOutdated = errors.New("what decides who is told has changed meanwhile")

// maxOverListed is how many silences that are over are listed.
const maxOverListed = 1000

type silenceRow struct {
	bun.BaseModel `bun:"table:silences,alias:s"`

	ID            int64             `bun:",pk,autoincrement"`
	Types         []string          `bun:"type:json"`
	Severities    []models.Severity `bun:"type:json"`
	RustbucketIDs []string          `bun:"rustbucket_ids,type:json"`
	Reason        string
	StartsAt      time.Time
	EndsAt        time.Time
	EndedAt       *time.Time
	CreatedAt     time.Time
	CreatedBy     string
}

func (r *silenceRow) model() *models.Silence {
	return &models.Silence{
		ID: r.ID, Types: r.Types, Severities: r.Severities, RustbucketIDs: r.RustbucketIDs, Reason: r.Reason, StartsAt: r.StartsAt.UTC(),
		EndsAt: r.EndsAt.UTC(), EndedAt: utc(r.EndedAt), CreatedAt: r.CreatedAt.UTC(), CreatedBy: r.CreatedBy,
	}
}

// Conditions on silences with the present as argument 0.
const (
	silenceLeft  = "(ended_at IS NULL AND ends_at > ?0)" // it is not over
	silenceHolds = "(ended_at IS NULL AND ends_at > ?0 AND starts_at <= ?0)"
)

// LiveSilences gives the silences that are not over, those that begin later too, and a number that goes up with every change
// of them and of the pause: what is read after it is at least as new.
func (s *Store) LiveSilences(ctx context.Context) (live []*models.Silence, revision int64, err error) {
	if err := s.db.NewRaw("SELECT revision FROM routing WHERE id = 1").Scan(ctx, &revision); err != nil {
		return nil, 0, s.explain("read the revision of the silences", err)
	}
	live, err = s.findSilences(ctx, s.db, silenceLeft, s.Now())
	return live, revision, err
}

// Silences gives silences, newest first: all of them, or those that hold now, or do not. Of those that are over it gives the
// newest maxOverListed.
func (s *Store) Silences(ctx context.Context, active *bool) ([]*models.Silence, error) {
	where := "(" + silenceLeft + " OR id IN (SELECT id FROM silences WHERE NOT " + silenceLeft + " ORDER BY id DESC LIMIT ?1))"
	args := []any{s.Now(), maxOverListed}
	if active != nil {
		where += " AND " + silenceHolds + " = ?2"
		args = append(args, *active)
	}
	return s.findSilences(ctx, s.read, where, args...)
}

// SilencesByID gives the silences that exist among ids.
func (s *Store) SilencesByID(ctx context.Context, ids []int64) (map[int64]*models.Silence, error) {
	silences, err := s.findSilences(ctx, s.read, "id IN (?)", bun.List(ids))
	byID := make(map[int64]*models.Silence, len(silences))
	for _, x := range silences {
		byID[x.ID] = x
	}
	return byID, err
}

func (s *Store) findSilences(ctx context.Context, db bun.IDB, where string, args ...any) ([]*models.Silence, error) {
	var rows []*silenceRow
	if err := db.NewSelect().Model(&rows).Where(where, args...).OrderExpr("id DESC").Scan(ctx); err != nil {
		return nil, s.explain("read silences", err)
	}
	silences := make([]*models.Silence, len(rows))
	for i, r := range rows {
		silences[i] = r.model()
	}
	return silences, nil
}

// SilencedAlerts says how many of the alerts that are kept came in under each of these silences. It goes through an index that
// has nothing but them.
func (s *Store) SilencedAlerts(ctx context.Context, silenceIDs []int64) (map[int64]int, error) {
	var rows []struct {
		SilenceID int64
		N         int
	}
	err := s.read.NewRaw("SELECT silence_id, count(*) AS n FROM alerts WHERE silence_id IN (?) AND silence_id IS NOT NULL GROUP BY silence_id",
		bun.List(silenceIDs)).Scan(ctx, &rows)
	counts := make(map[int64]int, len(rows))
	for _, r := range rows {
		counts[r.SilenceID] = r.N
	}
	return counts, s.explain("count silenced alerts", err)
}

// CreateSilence stores a silence and gives it an id. CONFLICT when there are models.MaxSilences that are not over.
func (s *Store) CreateSilence(ctx context.Context, silence *models.Silence) error {
	return s.inTx(ctx, "create silence", func(tx bun.Tx) error {
		if err := s.routingChanged(ctx, tx); err != nil { // one at a time from here on
			return err
		}
		n, err := tx.NewSelect().Model((*silenceRow)(nil)).Where(silenceLeft, s.Now()).Count(ctx)
		if err != nil {
			return err
		}
		if n >= models.MaxSilences {
			return models.Conflicting("input", "there are %d silences that are not over, which is as many as there may be: end some first", n)
		}
		row := &silenceRow{
			Types: listed(silence.Types), Severities: listed(silence.Severities), RustbucketIDs: listed(silence.RustbucketIDs), Reason: silence.Reason,
			StartsAt: silence.StartsAt, EndsAt: silence.EndsAt, CreatedAt: silence.CreatedAt, CreatedBy: silence.CreatedBy,
		}
		if _, err := tx.NewInsert().Model(row).ExcludeColumn("id").Returning("id").Exec(ctx); err != nil {
			return err
		}
		*silence = *row.model()
		return s.audit(ctx, tx, models.SilenceCreated, &auditSubject{id: silence.ID}, auditedSilence(silence))
	})
}

// EndSilence ends a silence before its time, also one that has not begun. One that is over already stays as it is. NOT_FOUND.
func (s *Store) EndSilence(ctx context.Context, id int64) (*models.Silence, error) {
	var silence *models.Silence
	err := s.inTx(ctx, "end silence", func(tx bun.Tx) error {
		now := s.Now()
		res, err := tx.NewUpdate().Model((*silenceRow)(nil)).Set("ended_at = ?", now).Where("id = ?", id).Where(silenceLeft, now).Exec(ctx)
		if err != nil {
			return err
		}
		found, err := s.findSilences(ctx, tx, "id = ?", id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return models.Missing("silence", id)
		}
		silence = found[0]
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if err := s.audit(ctx, tx, models.SilenceEnded, &auditSubject{id: id}, map[string]any{"reason": silence.Reason}); err != nil {
			return err
		}
		return s.routingChanged(ctx, tx)
	})
	return silence, err
}

// trimSilences removes up to limit silences that were over before a moment, and that no alert names. Nothing is routed by them any
// more, so nobody has to hear of it.
func trimSilences(ctx context.Context, tx bun.Tx, before time.Time, limit int) (int, error) {
	res, err := tx.NewRaw(`
		DELETE FROM silences WHERE id IN (
			SELECT id FROM silences AS s WHERE COALESCE(ended_at, ends_at) < ?
			AND NOT EXISTS (SELECT 1 FROM alerts WHERE silence_id = s.id AND silence_id IS NOT NULL) ORDER BY id LIMIT ?)`, before.UTC(), limit).Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// routingChanged notes, as part of a transaction, that the silences or the pause change: from its commit on, no alert is stored
// that was routed by what was before.
func (s *Store) routingChanged(ctx context.Context, tx bun.Tx) error {
	if _, err := tx.NewRaw("UPDATE routing SET revision = revision + 1 WHERE id = 1").Exec(ctx); err != nil {
		return err
	}
	return s.notifyChannels(ctx, tx)
}

// auditedSilence is what of a silence is noted, by the names of the API.
func auditedSilence(x *models.Silence) map[string]any {
	severities := make([]string, len(x.Severities))
	for i, severity := range x.Severities {
		severities[i] = severity.String()
	}
	return map[string]any{
		"types": x.Types, "severities": severities, "rustbucketIds": x.RustbucketIDs, "reason": x.Reason,
		"startsAt": x.StartsAt, "endsAt": x.EndsAt,
	}
}

// listed is a list as it is stored: never null.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
