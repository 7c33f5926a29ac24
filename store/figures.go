package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// What operators watch, read for the metrics.

// BacklogByType gives what waits, by the type of its channel.
func (s *Store) BacklogByType(ctx context.Context) (map[models.ChannelType]models.Backlog, error) {
	var rows []struct {
		Type    models.ChannelType
		Waiting int
		Oldest  bun.NullTime
	}
	err := s.read.NewRaw(`
		SELECT c.type, sum(w.waiting) AS waiting, min(w.oldest) AS oldest
		FROM (SELECT channel_id, count(*) AS waiting, min(created_at) AS oldest FROM `+pending("")+` AS d GROUP BY channel_id) AS w
		JOIN channels AS c ON c.id = w.channel_id GROUP BY c.type`).Scan(ctx, &rows)
	backlogs := make(map[models.ChannelType]models.Backlog, len(rows))
	for _, r := range rows {
		oldest := r.Oldest.UTC()
		backlogs[r.Type] = models.Backlog{Waiting: r.Waiting, Oldest: &oldest}
	}
	return backlogs, s.explain("read what waits", err)
}

// EventsLag gives the events that are stored and have no place in the feed yet. On SQLite they get it with their storing.
func (s *Store) EventsLag(ctx context.Context) (models.Backlog, error) {
	var lag models.Backlog
	if !s.isPostgres() {
		return lag, nil
	}
	var row struct {
		Waiting int
		Oldest  bun.NullTime
	}
	err := s.read.NewRaw("SELECT coalesce(sum(count), 0) AS waiting, min(created_at) AS oldest FROM events WHERE first_position IS NULL").Scan(ctx, &row)
	if lag.Waiting = row.Waiting; !row.Oldest.IsZero() {
		oldest := row.Oldest.UTC()
		lag.Oldest = &oldest
	}
	return lag, s.explain("read the events' lag", err)
}
