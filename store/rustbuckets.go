package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// listedRustbucket is a rustbucket with what is known of its heartbeats.
type listedRustbucket struct {
	bun.BaseModel `bun:"table:rustbuckets,alias:r"`

	ID              string
	Name            string
	CreatedAt       time.Time
	IntervalSeconds *int             `bun:",scanonly"`
	Severity        *models.Severity `bun:",scanonly"` // nil = nothing is known of them
	LastSeenAt      *time.Time       `bun:",scanonly"`
	DueAt           *time.Time       `bun:",scanonly"`
}

func (r *listedRustbucket) model() *models.Rustbucket {
	if r.Severity == nil {
		return &models.Rustbucket{ID: r.ID, Name: r.Name, CreatedAt: r.CreatedAt.UTC()}
	}
	h := heartbeatRow{
		RustbucketID: r.ID, Name: r.Name, CreatedAt: r.CreatedAt,
		IntervalSeconds: r.IntervalSeconds, Severity: *r.Severity, LastSeenAt: r.LastSeenAt, DueAt: r.DueAt,
	}
	return h.rustbucket()
}

func selectRustbuckets(db bun.IDB, rows *[]*listedRustbucket) *bun.SelectQuery {
	return db.NewSelect().Model(rows).ColumnExpr("r.*, h.interval_seconds, h.severity, h.last_seen_at, h.due_at").Join(joinHeartbeats)
}

const joinHeartbeats = "LEFT JOIN heartbeats AS h ON h.rustbucket_id = r.id"

// Rustbucket gives one rustbucket, or NOT_FOUND.
func (s *Store) Rustbucket(ctx context.Context, id string) (*models.Rustbucket, error) {
	rustbuckets, err := s.RustbucketsByID(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	if rustbuckets[id] == nil {
		return nil, models.Missing("rustbucket", id)
	}
	return rustbuckets[id], nil
}

// RustbucketsByID gives the rustbuckets that exist among ids.
func (s *Store) RustbucketsByID(ctx context.Context, ids []string) (map[string]*models.Rustbucket, error) {
	var rows []*listedRustbucket
	if err := selectRustbuckets(s.read, &rows).Where("r.id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, s.explain("read rustbuckets", err)
	}
	byID := make(map[string]*models.Rustbucket, len(rows))
	for _, r := range rows {
		byID[r.ID] = r.model()
	}
	return byID, nil
}

// Rustbuckets gives up to limit rustbuckets behind the id after (empty = from the beginning), in the order of their ids' bytes.
func (s *Store) Rustbuckets(ctx context.Context, f *models.RustbucketFilter, after string, limit int) ([]*models.Rustbucket, error) {
	id := "r.id"
	if s.isPostgres() {
		id = `r.id COLLATE "C"`
	}
	var rows []*listedRustbucket
	err := filterRustbuckets(selectRustbuckets(s.read, &rows), f).Where(id+" > ?", after).OrderExpr(id).Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, s.explain("read rustbuckets", err)
	}
	rustbuckets := make([]*models.Rustbucket, len(rows))
	for i, r := range rows {
		rustbuckets[i] = r.model()
	}
	return rustbuckets, nil
}

// CountRustbuckets says how many rustbuckets match.
func (s *Store) CountRustbuckets(ctx context.Context, f *models.RustbucketFilter) (int, error) {
	n, err := filterRustbuckets(s.read.NewSelect().Model((*listedRustbucket)(nil)).Join(joinHeartbeats), f).Count(ctx)
	return int(n), s.explain("count rustbuckets", err)
}

func filterRustbuckets(q *bun.SelectQuery, f *models.RustbucketFilter) *bun.SelectQuery {
	if f == nil {
		return q
	}
	if f.Search != nil {
		q = q.Where("("+contains(q, "r.id")+" OR "+contains(q, "r.name")+")", *f.Search, *f.Search)
	}
	if len(f.HeartbeatStates) > 0 {
		q = q.Where(heartbeatState+" IN (?)", bun.List(f.HeartbeatStates))
	}
	return q
}

// heartbeatState says in SQL what models.Heartbeat.State says in Go; of a rustbucket without a heartbeat nothing is expected.
const heartbeatState = "CASE WHEN h.interval_seconds IS NULL THEN 'UNWATCHED' WHEN h.due_at IS NULL THEN 'OFFLINE' ELSE 'ONLINE' END"

// OpenAlertsOf counts the open alerts about each of the rustbuckets; those without any are left out. It looks at all of their alerts.
func (s *Store) OpenAlertsOf(ctx context.Context, rustbucketIDs []string) (map[string]int, error) {
	var counts []struct {
		RustbucketID string
		Open         int
	}
	err := s.read.NewRaw(`
		SELECT rustbucket_id, count(*) AS open FROM alerts WHERE rustbucket_id IN (?) AND resolved_at IS NULL
		GROUP BY rustbucket_id`, bun.List(rustbucketIDs)).Scan(ctx, &counts)
	if err != nil {
		return nil, s.explain("count open alerts", err)
	}
	open := make(map[string]int, len(counts))
	for _, c := range counts {
		open[c.RustbucketID] = c.Open
	}
	return open, nil
}

// RustbucketStates counts the rustbuckets by the state of their heartbeats.
func (s *Store) RustbucketStates(ctx context.Context) (map[models.HeartbeatState]int, error) {
	var counts []struct {
		State models.HeartbeatState
		N     int
	}
	err := s.read.NewRaw("SELECT "+heartbeatState+" AS state, count(*) AS n FROM rustbuckets AS r "+joinHeartbeats+" GROUP BY 1").Scan(ctx, &counts)
	if err != nil {
		return nil, s.explain("count rustbuckets", err)
	}
	states := make(map[models.HeartbeatState]int, len(counts))
	for _, c := range counts {
		states[c.State] = c.N
	}
	return states, nil
}
