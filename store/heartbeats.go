package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// seenEvery is how exactly it is stored when a rustbucket of which nothing is expected was last heard of.
const seenEvery = 10 * time.Second

type heartbeatRow struct {
	bun.BaseModel `bun:"table:heartbeats,alias:h"`

	RustbucketID    string `bun:",pk"`
	IntervalSeconds *int
	Severity        models.Severity
	LastSeenAt      *time.Time
	DueAt           *time.Time
	Name            string    `bun:",scanonly"`
	CreatedAt       time.Time `bun:",scanonly"`
}

func (r *heartbeatRow) model() *models.Heartbeat {
	return &models.Heartbeat{IntervalSeconds: r.IntervalSeconds, Severity: r.Severity, LastSeenAt: utc(r.LastSeenAt), DueAt: utc(r.DueAt)}
}

func (r *heartbeatRow) rustbucket() *models.Rustbucket {
	m := &models.Rustbucket{ID: r.RustbucketID, Name: r.Name, CreatedAt: r.CreatedAt.UTC()}
	if r.IntervalSeconds != nil || r.LastSeenAt != nil {
		m.Heartbeat = r.model()
	}
	return m
}

// Heartbeats stores signs of life, all or none, and answers in their order. It resolves the alerts that said that a rustbucket
// was offline, and gives the channels that have something new to be sent.
//
// Whoever raises such an alert has locked the rustbucket's row: a heartbeat that comes meanwhile waits, and then finds the alert.
func (s *Store) Heartbeats(ctx context.Context, beats []models.Beat) ([]*models.Rustbucket, []int64, error) {
	names := make(map[string]*string, len(beats)) // the last name in the batch counts
	for _, b := range beats {
		if b.Name != nil || names[b.RustbucketID] == nil {
			names[b.RustbucketID] = b.Name
		}
	}
	if err := s.readClock(ctx); err != nil {
		return nil, nil, err
	}
	var rows map[string]*heartbeatRow
	var told []int64
	var back []string
	err := s.inTx(ctx, "store heartbeats", func(tx bun.Tx) error {
		var err error
		if rows, err = s.heartbeatsOf(ctx, tx, names); err != nil {
			return err
		}
		told, back = nil, nil
		at := s.Now() // with all of them locked: of two heartbeats, the later one is stored later
		due := make(map[time.Duration][]string)
		for id, r := range rows {
			h := r.model()
			switch h.State() {
			case models.Unwatched:
				if h.LastSeenAt != nil && at.Sub(*h.LastSeenAt) < seenEvery {
					continue
				}
			case models.Offline:
				back = append(back, models.OfflineKey(id))
			}
			due[h.Interval()] = append(due[h.Interval()], id)
		}
		var statements []bun.Query
		for interval, ids := range due {
			next := dueAfter(at, interval)
			for _, id := range ids {
				rows[id].LastSeenAt, rows[id].DueAt = &at, next
			}
			statements = append(statements, tx.NewRaw("UPDATE heartbeats SET last_seen_at = ?, due_at = ? WHERE rustbucket_id IN (?)", at, next, bun.List(ids)))
		}
		if err := s.run(ctx, tx, statements); err != nil {
			return err
		}
		told, err = s.resolveKeys(ctx, tx, back)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if len(back) > 0 {
		s.signalAppended()
	}
	answers := make([]*models.Rustbucket, len(beats))
	for i, b := range beats {
		answers[i] = rows[b.RustbucketID].rustbucket()
	}
	return answers, told, nil
}

func dueAfter(at time.Time, interval time.Duration) *time.Time {
	if interval == 0 {
		return nil
	}
	due := at.Add(interval)
	return &due
}

// ExpectHeartbeat says how often a rustbucket is to be heard of from now on, and registers it when it is new. Its first interval
// begins now, unless it has the same one already; one that is offline stays so until it is heard of. It gives the channels that
// have something new to be sent.
func (s *Store) ExpectHeartbeat(ctx context.Context, w models.Watch) (*models.Rustbucket, []int64, error) {
	if err := s.readClock(ctx); err != nil {
		return nil, nil, err
	}
	var row *heartbeatRow
	var told []int64
	err := s.inTx(ctx, "expect heartbeats", func(tx bun.Tx) error {
		told = nil
		rows, err := s.heartbeatsOf(ctx, tx, map[string]*string{w.RustbucketID: nil})
		if err != nil {
			return err
		}
		row = rows[w.RustbucketID]
		was := row.model()
		next := &models.Heartbeat{IntervalSeconds: w.IntervalSeconds, Severity: w.Severity, DueAt: was.DueAt}
		switch {
		case w.IntervalSeconds == nil:
			next.Severity, next.DueAt = was.Severity, nil
		case was.State() != models.Offline && was.Interval() != next.Interval():
			next.DueAt = dueAfter(s.Now(), next.Interval())
		}
		changes := make(map[string]any)
		if was.Interval() != next.Interval() {
			changes["intervalSeconds"] = map[string]any{"from": was.IntervalSeconds, "to": next.IntervalSeconds}
		}
		if was.Severity != next.Severity {
			changes["severity"] = map[string]any{"from": was.Severity.String(), "to": next.Severity.String()}
		}
		if len(changes) == 0 {
			return nil
		}
		row.IntervalSeconds, row.Severity, row.DueAt = next.IntervalSeconds, next.Severity, next.DueAt
		if _, err := tx.NewUpdate().Model(row).Column("interval_seconds", "severity", "due_at").WherePK().Exec(ctx); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, models.HeartbeatExpected, &auditSubject{name: w.RustbucketID}, changes); err != nil {
			return err
		}
		if was.State() == models.Offline && next.State() == models.Unwatched {
			told, err = s.resolveKeys(ctx, tx, []string{models.OfflineKey(w.RustbucketID)})
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	s.signalAppended()
	return row.rustbucket(), told, nil
}

// readClock makes Now that of PostgreSQL at this moment. The store's own clock follows it closely, but not while a machine that was
// suspended wakes up: a heartbeat stored with the time of before would be missed at once.
func (s *Store) readClock(ctx context.Context) error {
	if !s.isPostgres() {
		return nil
	}
	return s.explain("read the database's clock", s.syncClock(ctx))
}

// heartbeatsOf gives what is known of the heartbeats of rustbuckets, and keeps others from changing it until the transaction
// ends. It registers those that are new, and keeps names up to date; a name that is nil is as it is.
func (s *Store) heartbeatsOf(ctx context.Context, tx bun.Tx, names map[string]*string) (map[string]*heartbeatRow, error) {
	ids := slices.Sorted(maps.Keys(names))
	rows, err := s.lockHeartbeats(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var named, unnamed []rustbucketRow
	var unknown []heartbeatRow
	at := s.Now()
	for _, id := range ids {
		name, row := names[id], rows[id]
		switch {
		case name != nil && (row == nil || row.Name != *name):
			named = append(named, rustbucketRow{ID: id, Name: *name, CreatedAt: at})
		case row == nil:
			unnamed = append(unnamed, rustbucketRow{ID: id, Name: id, CreatedAt: at})
		}
		if row == nil {
			unknown = append(unknown, heartbeatRow{RustbucketID: id, Severity: models.SeverityHigh})
		}
	}
	var statements []bun.Query
	if len(named) > 0 {
		statements = append(statements, upsertNames(tx, &named))
	}
	if len(unnamed) > 0 {
		statements = append(statements, tx.NewInsert().Model(&unnamed).On("CONFLICT (id) DO NOTHING").Returning("NULL"))
	}
	if len(unknown) > 0 {
		statements = append(statements, tx.NewInsert().Model(&unknown).On("CONFLICT (rustbucket_id) DO NOTHING").Returning("NULL"))
	}
	if len(statements) == 0 {
		return rows, nil
	}
	if err := s.run(ctx, tx, statements); err != nil {
		return nil, err
	}
	return s.lockHeartbeats(ctx, tx, ids)
}

// lockHeartbeats gives what is known of the heartbeats of rustbuckets. In one order everywhere, so that two processes wait for
// each other instead of deadlocking.
func (s *Store) lockHeartbeats(ctx context.Context, tx bun.Tx, ids []string) (map[string]*heartbeatRow, error) {
	var rows []*heartbeatRow
	q := selectHeartbeats(tx, &rows).Where("h.rustbucket_id IN (?)", bun.List(ids)).OrderExpr("h.rustbucket_id")
	if s.isPostgres() {
		q = q.For("NO KEY UPDATE OF h")
	}
	if err := q.Scan(ctx); err != nil {
		return nil, err
	}
	byID := make(map[string]*heartbeatRow, len(rows))
	for _, r := range rows {
		byID[r.RustbucketID] = r
	}
	return byID, nil
}

func selectHeartbeats(db bun.IDB, rows *[]*heartbeatRow) *bun.SelectQuery {
	return db.NewSelect().Model(rows).ColumnExpr("h.*, r.name, r.created_at").Join("JOIN rustbuckets AS r ON r.id = h.rustbucket_id")
}

// Sweep looks for missed heartbeats, and raises what missed decides about the rustbuckets that were to be heard of by now, up to
// limit of them, the longest overdue first. It is for calling every second or so: who was not heard of while nobody called it is
// excused, see models.Excused. Of several processes that call it at a time, one does the work. It reports whether there is more.
func (s *Store) Sweep(ctx context.Context, limit int, missed func(*models.Rustbucket) AlertInsert) (recorded *Recorded, more bool, err error) {
	recorded = new(Recorded)
	watched, err := s.read.NewSelect().Model((*heartbeatRow)(nil)).Where("due_at IS NOT NULL").Exists(ctx)
	if err != nil || !watched {
		return recorded, false, s.explain("look for missed heartbeats", err)
	}
	if err := s.readClock(ctx); err != nil {
		return recorded, false, err
	}
	now := s.Now()
	err = s.inTx(ctx, "look for missed heartbeats", func(tx bun.Tx) error {
		*recorded, more = Recorded{}, false
		gap, mine, err := s.beginSweep(ctx, tx, now)
		if err != nil || !mine {
			return err
		}
		if err := s.excuse(ctx, tx, now, gap); err != nil {
			return err
		}
		var rows []*heartbeatRow
		q := selectHeartbeats(tx, &rows).Where("h.due_at <= ?", now).OrderExpr("h.due_at").Limit(int64(limit))
		if s.isPostgres() {
			q = q.For("NO KEY UPDATE OF h SKIP LOCKED") // whose row is locked is heard of at this moment
		}
		if err := q.Scan(ctx); err != nil || len(rows) == 0 {
			return err
		}
		more = len(rows) == limit
		ids, keys := make([]string, len(rows)), make([]string, len(rows))
		alerts := make([]AlertInsert, len(rows))
		for i, r := range rows {
			ids[i], keys[i], alerts[i] = r.RustbucketID, models.OfflineKey(r.RustbucketID), missed(r.rustbucket())
		}
		if _, err := tx.NewRaw("UPDATE heartbeats SET due_at = NULL WHERE rustbucket_id IN (?)", bun.List(ids)).Exec(ctx); err != nil {
			return err
		}
		// Who was heard of until now has an alert that is open only when somebody has reopened it: counted up, it would tell nobody.
		if recorded.Waiting, err = s.resolveKeys(ctx, tx, keys); err != nil {
			return err
		}
		if recorded.Raised, err = s.createAlerts(ctx, tx, alerts, ""); err != nil {
			return err
		}
		recorded.Waiting = append(recorded.Waiting, waiting(recorded.Raised)...)
		return nil
	})
	if err != nil {
		return new(Recorded), false, err
	}
	if len(recorded.Raised) > 0 {
		s.signalAppended()
	}
	return recorded, more, nil
}

// beginSweep says for how long nobody has looked for missed heartbeats, notes that somebody does now, and keeps others from doing
// so until the transaction ends; mine is false when another process does.
func (s *Store) beginSweep(ctx context.Context, tx bun.Tx, now time.Time) (gap time.Duration, mine bool, err error) {
	lock := ""
	if s.isPostgres() {
		lock = "FOR UPDATE SKIP LOCKED"
	}
	var swept []time.Time
	if err := tx.NewRaw("SELECT swept_at FROM heartbeat_sweeps WHERE id = 1 "+lock).Scan(ctx, &swept); err != nil || len(swept) == 0 {
		return 0, false, err
	}
	if gap = now.Sub(swept[0]); gap <= 0 {
		return 0, true, nil
	}
	_, err = tx.NewRaw("UPDATE heartbeat_sweeps SET swept_at = ? WHERE id = 1", now).Exec(ctx)
	return gap, true, err
}

// excuse gives a whole interval again to those whose heartbeats cannot be missed after a gap.
func (s *Store) excuse(ctx context.Context, tx bun.Tx, now time.Time, gap time.Duration) error {
	if !models.Excused(models.MinHeartbeat, gap) {
		return nil
	}
	var all, excused []int
	if err := tx.NewRaw("SELECT DISTINCT interval_seconds FROM heartbeats WHERE due_at IS NOT NULL").Scan(ctx, &all); err != nil {
		return err
	}
	for _, seconds := range all {
		if models.Excused(time.Duration(seconds)*time.Second, gap) {
			excused = append(excused, seconds)
		}
	}
	if len(excused) == 0 {
		return nil
	}
	if s.isPostgres() { // in the order of everybody else
		_, err := tx.NewRaw(`
			SELECT 1 FROM heartbeats WHERE due_at IS NOT NULL AND interval_seconds IN (?)
			ORDER BY rustbucket_id FOR NO KEY UPDATE`, bun.List(excused)).Exec(ctx)
		if err != nil {
			return err
		}
	}
	for _, seconds := range excused {
		_, err := tx.NewRaw("UPDATE heartbeats SET due_at = ? WHERE due_at IS NOT NULL AND interval_seconds = ?",
			now.Add(time.Duration(seconds)*time.Second), seconds).Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}
