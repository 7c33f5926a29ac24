package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/rustbucket/alerts/models"
)

// MaxOutcomes is how many outcomes Record takes at a time: their events fit into one row.
const MaxOutcomes = maxEventsPerRow

// Outcome is what an attempt, or the decision not to make one, does to a delivery. It applies only if the delivery is
// still as Delivery says and still leased to the one who reports it.
type Outcome struct {
	Delivery      *models.Delivery        // as it was before
	Alert         *models.Alert           // what it tells of
	Attempt       *models.DeliveryAttempt // nil when none was made
	Status        models.DeliveryStatus
	Error         *string
	NextAttemptAt *time.Time // with PENDING
	// Recipients is how each recipient stands after it; nil = as they stood before.
	Recipients []models.RecipientOutcome
	Uncounted  bool // the attempt does not count in its series: the service asked for time
	// Observed is what the attempt says about its channel; nil when that is nothing new.
	Observed *models.Observation
	// Succeeded is when the channel was last told something, where that is not stored yet: without it, failures that came
	// between successes would count as a row. Only with Observed.
	Succeeded *time.Time
}

// plain reports whether the outcome changes nothing but its delivery.
func (o *Outcome) plain() bool { return o.Status == models.Delivered && o.Observed == nil }

// observations is what the outcome says about its channel.
func (o *Outcome) observations() []models.Observation {
	if o.Observed == nil {
		return nil
	}
	seen := []models.Observation{*o.Observed}
	if o.Succeeded != nil {
		seen = append(seen, models.Observation{Kind: models.Worked, At: *o.Succeeded})
	}
	return seen
}

// Recorded is what Record has done.
type Recorded struct {
	Applied map[int64]*models.Delivery // as they are now, by id
	States  []*models.ChannelState     // that changed
	Turned  []*models.ChannelState     // those of them whose health changed
	Raised  []AlertResult
	Waiting []int64 // channels that have something new to be sent
}

// Record stores up to MaxOutcomes outcomes reported by holder, with their attempts and events, and what they say about their
// channels; react decides, in the same transaction, what the server raises about that. It is fenced: an outcome whose lease
// went to somebody else, or whose delivery has moved on, changes nothing. Outcomes come in the order of their deliveries' ids,
// in which their rows are locked.
func (s *Store) Record(ctx context.Context, holder string, outcomes []Outcome, react func([]*StateChange) Reaction) (*Recorded, error) {
	recorded := &Recorded{Applied: make(map[int64]*models.Delivery, len(outcomes))}
	if len(outcomes) == 0 {
		return recorded, nil
	}
	var err error
	if len(oncePerDelivery(outcomes)) == 1 && !slices.ContainsFunc(outcomes, func(o Outcome) bool { return !o.plain() }) {
		// One statement locks the rows as it meets them. Mostly that is the order of everybody else; to make sure of it would
		// cost more than to begin again when PostgreSQL had to break a circle.
		err = afterDeadlocks(func() error { return s.apply(ctx, s.db, holder, outcomes, recorded.Applied) })
	} else {
		err = s.inTx(ctx, "record outcomes", func(tx bun.Tx) error {
			*recorded = Recorded{Applied: make(map[int64]*models.Delivery, len(outcomes))}
			return s.recordWithStates(ctx, tx, holder, outcomes, react, recorded)
		})
	}
	if err != nil {
		return nil, s.explain("record outcomes", err)
	}
	s.signalAppended()
	return recorded, nil
}

// recordWithStates is Record where more than a delivery may change.
func (s *Store) recordWithStates(ctx context.Context, tx bun.Tx, holder string, outcomes []Outcome, react func([]*StateChange) Reaction, recorded *Recorded) error {
	if err := s.heedCancels(ctx, tx, holder, outcomes); err != nil {
		return err
	}
	var applied []*Outcome
	for _, part := range oncePerDelivery(outcomes) {
		moved := make(map[int64]*models.Delivery, len(part))
		if err := s.apply(ctx, tx, holder, part, moved); err != nil {
			return err
		}
		for i := range part {
			if moved[part[i].Delivery.ID] != nil {
				applied = append(applied, &part[i])
			}
		}
		maps.Copy(recorded.Applied, moved)
	}
	changes, err := s.observe(ctx, tx, applied)
	if err != nil {
		return err
	}
	return s.settle(ctx, tx, changes, holder, react, recorded)
}

// oncePerDelivery splits outcomes where a delivery comes a second time. That is rare: a process lost the delivery, and got it
// again before it could report its first attempt. In one statement, both would be logged and told of when one applies.
func oncePerDelivery(outcomes []Outcome) (parts [][]Outcome) {
	seen, begin := make(map[int64]bool, len(outcomes)), 0
	for i, o := range outcomes {
		if seen[o.Delivery.ID] {
			parts = append(parts, outcomes[begin:i])
			begin = i
			clear(seen)
		}
		seen[o.Delivery.ID] = true
	}
	return append(parts, outcomes[begin:])
}

// heedCancels ends deliveries as cancelled that somebody wanted cancelled meanwhile, unless they were delivered. On
// PostgreSQL it locks all of them, in the one order that keeps processes from deadlocking.
func (s *Store) heedCancels(ctx context.Context, tx bun.Tx, holder string, outcomes []Outcome) error {
	ids := make([]int64, len(outcomes))
	for i, o := range outcomes {
		ids[i] = o.Delivery.ID
	}
	var rows []*deliveryRow
	q := tx.NewSelect().Model(&rows).Column("id", "cancel_reason").Where("id IN (?) AND leased_by = ?", bun.List(ids), holder).OrderExpr("d.id")
	if s.isPostgres() {
		q = q.For("UPDATE")
	}
	if err := q.Scan(ctx); err != nil {
		return err
	}
	reasons := make(map[int64]*string, len(rows))
	for _, r := range rows {
		reasons[r.ID] = r.CancelReason
	}
	for i := range outcomes {
		if o := &outcomes[i]; reasons[o.Delivery.ID] != nil && o.Status != models.Delivered {
			o.Status, o.Error, o.NextAttemptAt = models.Cancelled, reasons[o.Delivery.ID], nil
		}
	}
	return nil
}

// apply moves deliveries on and notes those that it moved in applied.
func (s *Store) apply(ctx context.Context, db bun.IDB, holder string, outcomes []Outcome, applied map[int64]*models.Delivery) error {
	at := s.Now()
	rows := make([]outcomeRow, len(outcomes))
	deliveries := make(map[int64]*models.Delivery, len(outcomes))
	for i, o := range outcomes {
		d := o.after(at)
		deliveries[d.ID] = d
		var err error
		if rows[i], err = newOutcomeRow(o, d, at); err != nil {
			return err
		}
	}
	var ids []int64
	var err error
	if s.isPostgres() {
		ids, err = s.recordPostgres(ctx, db, holder, rows, at)
	} else {
		ids, err = s.recordSQLite(ctx, db, holder, rows, at)
	}
	for _, id := range ids {
		applied[id] = deliveries[id]
	}
	return err
}

// outcomeRow is an outcome as one row of values: what becomes of the delivery, its attempt if there was one, and its event.
type outcomeRow struct {
	bun.BaseModel `bun:"table:deliveries,alias:o"`

	DeliveryID    int64
	Was           int // attempts before
	Attempts      int
	SeriesStart   int
	Status        models.DeliveryStatus
	NextAttemptAt *time.Time
	Error         *string
	CompletedAt   *time.Time
	DigestSize    *int
	Recipients    recipientList `bun:"type:json,nullzero"`
	Number        int           // of the attempt; 0 = none was made
	StartedAt     *time.Time
	DurationUs    int64
	StatusCode    *int
	AttemptError  *string
	Response      *string
	Event         string // JSON
}

// after is the delivery as the outcome leaves it.
func (o *Outcome) after(at time.Time) *models.Delivery {
	d := *o.Delivery
	d.Status, d.Error, d.NextAttemptAt, d.CompletedAt = o.Status, o.Error, o.NextAttemptAt, nil
	if o.Attempt != nil {
		d.Attempts++
		d.DigestSize = o.Attempt.DigestSize
		if o.Uncounted {
			d.SeriesStart++
		}
	}
	if o.Status != models.Pending {
		d.CompletedAt = &at
	}
	if o.Recipients != nil {
		d.Recipients = o.Recipients
	}
	d.SetRecipients(d.Recipients)
	return &d
}

func newOutcomeRow(o Outcome, d *models.Delivery, at time.Time) (outcomeRow, error) {
	row := outcomeRow{
		DeliveryID: d.ID, Was: o.Delivery.Attempts, Attempts: d.Attempts, SeriesStart: d.SeriesStart, Status: d.Status,
		NextAttemptAt: d.NextAttemptAt, Error: d.Error, CompletedAt: d.CompletedAt, DigestSize: d.DigestSize,
		Recipients: d.Recipients,
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
	SET status = o.status, attempts = o.attempts, series_start = o.series_start, digest_size = o.digest_size, next_attempt_at = o.next_attempt_at, error = o.error,
	    recipients = o.recipients, completed_at = o.completed_at, leased_by = NULL, cancel_reason = NULL
	FROM o WHERE d.id = o.delivery_id AND d.leased_by = ? AND d.attempts = o.was
	RETURNING id`

// recordPostgres does all of it in one statement: five messages to the server and back cost more than the work itself.
func (s *Store) recordPostgres(ctx context.Context, db bun.IDB, holder string, rows []outcomeRow, at time.Time) ([]int64, error) {
	var ids []int64
	err := db.NewRaw(`
		WITH ?, done AS (`+applyOutcomes+`),
		logged AS (
			INSERT INTO attempts (delivery_id, number, started_at, duration_us, status_code, error, response, digest_size)
			SELECT delivery_id, number, started_at, duration_us, status_code, attempt_error, response, o.digest_size
			FROM o JOIN done ON done.id = o.delivery_id WHERE number > 0),
		told AS (
			INSERT INTO events (count, created_at, payload)
			SELECT count(*), ?, ('[' || string_agg(event, ',') || ']')::json
			FROM o JOIN done ON done.id = o.delivery_id HAVING count(*) > 0)
		SELECT id FROM done`, s.outcomes(&rows), holder, at).Scan(ctx, &ids)
	return ids, err
}

// recordSQLite does the same step by step: SQLite changes nothing inside a WITH, and its steps cost no messages.
func (s *Store) recordSQLite(ctx context.Context, db bun.IDB, holder string, rows []outcomeRow, at time.Time) ([]int64, error) {
	var ids []int64
	err := db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
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
					StatusCode: r.StatusCode, Error: r.AttemptError, Response: r.Response, DigestSize: r.DigestSize,
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
