package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/rustbucket/alerts/models"
)

// MaxOutcomes is how many outcomes Record takes at a time: their events fit into one row.
const MaxOutcomes = maxEventsPerRow

// outcomeRow is an outcome as one row of values: what becomes of the delivery, its attempt if there was one, and its event.
type outcomeRow struct {
	bun.BaseModel `bun:"table:deliveries,alias:o"`

	DeliveryID    int64
	Was           int // attempts before
	Attempts      int
	Status        models.DeliveryStatus
	NextAttemptAt *time.Time
	Error         *string
	CompletedAt   *time.Time
	Number        int // of the attempt; 0 = none was made
	StartedAt     *time.Time
	DurationUs    int64
	StatusCode    *int
	AttemptError  *string
	Response      *string
	Event         string // JSON
}

// Record stores up to MaxOutcomes outcomes reported by holder, with their attempts and events. It is fenced: an outcome
// whose lease went to somebody else, or whose delivery has moved on, changes nothing. It gives the deliveries as they are
// now, by id, for those that applied.
func (s *Store) Record(ctx context.Context, holder string, outcomes []Outcome) (map[int64]*models.Delivery, error) {
	if len(outcomes) == 0 {
		return nil, nil
	}
	at := now()
	rows := make([]outcomeRow, len(outcomes))
	deliveries := make(map[int64]*models.Delivery, len(outcomes))
	for i, o := range outcomes {
		d := o.after(at)
		deliveries[d.ID] = d
		var err error
		if rows[i], err = newOutcomeRow(o, d, at); err != nil {
			return nil, s.explain("record outcomes", err)
		}
	}
	var ids []int64
	var err error
	if s.isPostgres() {
		ids, err = s.recordPostgres(ctx, holder, rows, at)
	} else {
		ids, err = s.recordSQLite(ctx, holder, rows, at)
	}
	if err != nil {
		return nil, s.explain("record outcomes", err)
	}
	s.signalAppended()
	applied := make(map[int64]*models.Delivery, len(ids))
	for _, id := range ids {
		applied[id] = deliveries[id]
	}
	return applied, nil
}

// after is the delivery as the outcome leaves it.
func (o *Outcome) after(at time.Time) *models.Delivery {
	d := *o.Delivery
	d.Status, d.Error, d.NextAttemptAt, d.CompletedAt = o.Status, o.Error, o.NextAttemptAt, nil
	if o.Attempt != nil {
		d.Attempts++
	}
	if o.Status != models.Pending {
		d.CompletedAt = &at
	}
	return &d
}

func newOutcomeRow(o Outcome, d *models.Delivery, at time.Time) (outcomeRow, error) {
	row := outcomeRow{
		DeliveryID: d.ID, Was: o.Delivery.Attempts, Attempts: d.Attempts, Status: d.Status,
		NextAttemptAt: d.NextAttemptAt, Error: d.Error, CompletedAt: d.CompletedAt,
	}
	if a := o.Attempt; a != nil {
		started := a.StartedAt.UTC().Truncate(time.Microsecond)
		row.Number, row.StartedAt, row.DurationUs = a.Number, &started, a.Duration.Microseconds()
		row.StatusCode, row.AttemptError, row.Response = a.StatusCode, a.Error, a.Response
	}
	event, err := json.Marshal(deliveryEvent(d, row.Number, at))
	row.Event = string(event)
	return row, err
}

// applyOutcomes moves the deliveries on, where they are still as they were; o is the table of outcomes. Only a PENDING
// delivery has a lease; to ask for the status as well lets PostgreSQL go through the index of what is due, mostly dead rows.
const applyOutcomes = `
	UPDATE deliveries AS d
	SET status = o.status, attempts = o.attempts, next_attempt_at = o.next_attempt_at, error = o.error,
	    completed_at = o.completed_at, leased_by = NULL, lease_until = NULL
	FROM o WHERE d.id = o.delivery_id AND d.leased_by = ? AND d.attempts = o.was
	RETURNING id`

// recordPostgres does all of it in one statement: five messages to the server and back cost more than the work itself.
func (s *Store) recordPostgres(ctx context.Context, holder string, rows []outcomeRow, at time.Time) ([]int64, error) {
	var ids []int64
	err := s.db.NewRaw(`
		WITH ?, done AS (`+applyOutcomes+`),
		logged AS (
			INSERT INTO attempts (delivery_id, number, started_at, duration_us, status_code, error, response)
			SELECT delivery_id, number, started_at, duration_us, status_code, attempt_error, response
			FROM o JOIN done ON done.id = o.delivery_id WHERE number > 0),
		told AS (
			INSERT INTO events (count, created_at, payload)
			SELECT count(*), ?, ('[' || string_agg(event, ',') || ']')::json
			FROM o JOIN done ON done.id = o.delivery_id HAVING count(*) > 0)
		SELECT id FROM done`, s.outcomes(&rows), holder, at).Scan(ctx, &ids)
	return ids, err
}

// recordSQLite does the same step by step: SQLite changes nothing inside a WITH, and its steps cost no messages.
func (s *Store) recordSQLite(ctx context.Context, holder string, rows []outcomeRow, at time.Time) ([]int64, error) {
	var ids []int64
	err := s.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if err := tx.NewRaw("WITH ? "+applyOutcomes, s.outcomes(&rows), holder).Scan(ctx, &ids); err != nil {
			return err
		}
		applied := make(map[int64]bool, len(ids))
		for _, id := range ids {
			applied[id] = true
		}
		var attempts []attemptRow
		var events []eventRecord
		for _, r := range rows {
			if !applied[r.DeliveryID] {
				continue
			}
			if r.Number > 0 {
				attempts = append(attempts, attemptRow{
					DeliveryID: r.DeliveryID, Number: r.Number, StartedAt: *r.StartedAt, DurationUs: r.DurationUs,
					StatusCode: r.StatusCode, Error: r.AttemptError, Response: r.Response,
				})
			}
			var event eventRecord
			if err := json.Unmarshal([]byte(r.Event), &event); err != nil {
				return err
			}
			events = append(events, event)
		}
		if len(attempts) > 0 {
			if _, err := tx.NewInsert().Model(&attempts).Exec(ctx); err != nil {
				return err
			}
		}
		return s.appendEvents(ctx, tx, at, events)
	})
	return ids, err
}

// outcomes gives the rows as the table o of a WITH.
func (s *Store) outcomes(rows *[]outcomeRow) outcomeTable { return outcomeTable{s.db.NewValues(rows)} }

type outcomeTable struct{ *bun.ValuesQuery }

func (t outcomeTable) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	b, err := t.AppendColumns(gen, append(b, "o ("...))
	if err != nil {
		return nil, err
	}
	if b, err = t.ValuesQuery.AppendQuery(gen, append(b, ") AS ("...)); err != nil {
		return nil, err
	}
	return append(b, ')'), nil
}
