package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

type stateRow struct {
	bun.BaseModel `bun:"table:channel_states,alias:s"`
	models.ChannelState
}

func (r *stateRow) model() models.ChannelState {
	s := r.ChannelState
	s.Since = s.Since.UTC()
	for _, t := range []**time.Time{&s.ProbeAt, &s.LastErrorAt, &s.LastSuccessAt, &s.HoldUntil, &s.RateArrival, &s.PausedToldAt, &s.FailedToldAt} {
		*t = utc(*t)
	}
	return s
}

// States gives the state of every channel that is not deleted, by the channel's id.
func (s *Store) States(ctx context.Context) (map[int64]*models.ChannelState, error) {
	var rows []*stateRow
	err := s.db.NewSelect().Model(&rows).Where("channel_id IN (SELECT id FROM channels WHERE deleted_at IS NULL)").Scan(ctx)
	if err != nil {
		return nil, s.explain("read the channels' states", err)
	}
	states := make(map[int64]*models.ChannelState, len(rows))
	for _, r := range rows {
		state := r.model()
		states[r.ChannelID] = &state
	}
	return states, nil
}

// lockStates gives the states of channels, by id, and keeps others from changing them until the transaction ends.
func (s *Store) lockStates(ctx context.Context, tx bun.IDB, channelIDs []int64) (map[int64]models.ChannelState, error) {
	if len(channelIDs) == 0 {
		return nil, nil
	}
	var rows []*stateRow
	// In one order everywhere, so that two processes wait for each other instead of deadlocking.
	q := tx.NewSelect().Model(&rows).Where("channel_id IN (?)", bun.List(channelIDs)).OrderExpr("channel_id")
	if s.isPostgres() {
		q = q.For("UPDATE")
	}
	if err := q.Scan(ctx); err != nil {
		return nil, err
	}
	states := make(map[int64]models.ChannelState, len(rows))
	for _, r := range rows {
		states[r.ChannelID] = r.model()
	}
	return states, nil
}

func saveState(ctx context.Context, tx bun.IDB, state models.ChannelState) error {
	_, err := tx.NewUpdate().Model(&stateRow{ChannelState: state}).ExcludeColumn("channel_id").
		Where("channel_id = ?", state.ChannelID).Exec(ctx)
	return err
}

// mend notes, as part of a transaction, that somebody has changed the channels' settings or seen that they work: what
// waits is tried at once.
func (s *Store) mend(ctx context.Context, tx bun.IDB, channelIDs []int64) error {
	states, err := s.lockStates(ctx, tx, channelIDs)
	if err != nil {
		return err
	}
	for _, state := range states {
		if err := saveState(ctx, tx, state.Mended(s.Now())); err != nil {
			return err
		}
	}
	return nil
}

// Healths gives how channels fare and what waits on them, by their ids.
func (s *Store) Healths(ctx context.Context, channelIDs []int64) (map[int64]*models.ChannelHealth, error) {
	var states []*stateRow
	if err := s.read.NewSelect().Model(&states).Where("channel_id IN (?)", bun.List(channelIDs)).Scan(ctx); err != nil {
		return nil, s.explain("read the channels' states", err)
	}
	var waiting []struct {
		ChannelID int64
		Waiting   int
		Oldest    bun.NullTime
	}
	err := s.read.NewRaw(`
		SELECT channel_id, count(*) AS waiting, min(created_at) AS oldest
		FROM `+pending("channel_id IN (?0)")+` AS d GROUP BY channel_id`, bun.List(channelIDs)).Scan(ctx, &waiting)
	if err != nil {
		return nil, s.explain("read what waits", err)
	}
	backlogs := make(map[int64]models.Backlog, len(waiting))
	for _, w := range waiting {
		oldest := w.Oldest.UTC()
		backlogs[w.ChannelID] = models.Backlog{Waiting: w.Waiting, Oldest: &oldest}
	}
	healths := make(map[int64]*models.ChannelHealth, len(states))
	for _, r := range states {
		state := r.model()
		healths[r.ChannelID] = state.Shown(backlogs[r.ChannelID], s.Now())
	}
	return healths, nil
}
