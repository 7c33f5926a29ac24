package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// Rustbuckets that are offline for longer than the silence during which they went so: nobody else reports that once more.

// findOutlasted finds alerts of which a silence kept everybody from being told, and that is over by the moment ?0: of rustbuckets
// that are still offline, and that nobody is on. The condition up to resolved_at is that of the index alerts_muted_offline.
const findOutlasted = `
	SELECT a.id FROM alerts AS a JOIN heartbeats AS h ON h.rustbucket_id = a.rustbucket_id
	WHERE a.type = 'rustbucket_offline' AND a.created_by = -1 AND a.silence_id IS NOT NULL AND a.resolved_at IS NULL
	  AND a.acknowledged_at IS NULL AND CAST(a.decisions AS text) LIKE '%"SILENCED"%'
	  AND h.interval_seconds IS NOT NULL AND h.due_at IS NULL
	  AND NOT EXISTS (SELECT 1 FROM silences WHERE id = a.silence_id AND ` + silenceHolds + `)`

// Outlasted reports once more, as again says, rustbuckets that went offline during a silence and still are, with alerts above the id
// after: those that are routed anew by that, up to limit of them. The others stay as they are, another silence holds for them. It is for
// calling every second or so, and costs next to nothing where there are none. It gives the last alert that it looked at; 0 = it has seen all.
func (s *Store) Outlasted(ctx context.Context, after int64, limit int, again func(*models.Alert) AlertInsert) (recorded *Recorded, last int64, err error) {
	const what = "look for rustbuckets that are offline longer than a silence"
	recorded = new(Recorded)
	var ids []int64
	if err := s.read.NewRaw(findOutlasted+" AND a.id > ?1 ORDER BY a.id LIMIT ?2", s.Now(), after, limit).Scan(ctx, &ids); err != nil || len(ids) == 0 {
		return recorded, 0, s.explain(what, err)
	}
	if len(ids) == limit {
		last = ids[limit-1]
	}
	err = s.inTx(ctx, what, func(tx bun.Tx) error {
		*recorded = Recorded{}
		lock := ""
		if s.isPostgres() { // whose row is locked is heard of, or changed, or reported by another process at this moment
			lock = "FOR NO KEY UPDATE OF h, a SKIP LOCKED"
		}
		var still []int64
		if err := tx.NewRaw(findOutlasted+" AND a.id IN (?1) ORDER BY a.id "+lock, s.Now(), bun.List(ids)).Scan(ctx, &still); err != nil {
			return err
		}
		open, err := alertsByID(ctx, tx, still)
		if err != nil {
			return err
		}
		var inserts []AlertInsert
		for _, id := range still {
			if insert := again(open[id]); insert.Again(open[id]) != nil {
				inserts = append(inserts, insert)
			}
		}
		if len(inserts) == 0 {
			return nil
		}
		if recorded.Raised, err = s.createAlerts(ctx, tx, inserts, ""); err != nil {
			return err
		}
		recorded.Waiting = waiting(recorded.Raised)
		return nil
	})
	if err != nil {
		return new(Recorded), 0, err
	}
	if len(recorded.Raised) > 0 {
		s.signalAppended()
	}
	return recorded, last, nil
}
