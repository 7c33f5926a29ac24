package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// maxEventsPerRow bounds the size of a row when one transaction has very many events.
const maxEventsPerRow = 500

// maxTextPerRow bounds, roughly, the bytes of notes in a row.
const maxTextPerRow = 256 << 10

// eventRow holds the events of one transaction.
type eventRow struct {
	bun.BaseModel `bun:"table:events,alias:e"`

	ID            int64 `bun:",pk,autoincrement"`
	FirstPosition *int64
	Count         int
	CreatedAt     time.Time
	Payload       string
}

// eventRecord is an event as it stands in a row's payload: what changes about an alert or a delivery as it was then; the
// rest is read from their tables. Times are microseconds since 1970.
type eventRecord struct {
	Kind           models.FeedEventKind `json:"k"`
	At             int64                `json:"t"`
	AlertID        int64                `json:"a"`
	Occurrences    int                  `json:"n,omitempty"` // of an alert's event
	ResolvedAt     *int64               `json:"r,omitempty"`
	ResolvedBy     *string              `json:"v,omitempty"`
	AcknowledgedAt *int64               `json:"q,omitempty"`
	AcknowledgedBy *string              `json:"w,omitempty"`
	Assignee       *string              `json:"u,omitempty"`
	Change         *changeRecord        `json:"h,omitempty"` // what somebody did
	Delivery       *deliveryRecord      `json:"d,omitempty"` // of a delivery's event
}

type changeRecord struct {
	ID       int64                 `json:"i"`
	By       string                `json:"b"`
	Kind     models.AlertEventKind `json:"k"`
	Text     *string               `json:"x,omitempty"`
	Assignee *string               `json:"u,omitempty"`
}

type deliveryRecord struct {
	ID            int64                 `json:"i"`
	ChannelID     int64                 `json:"c"`
	Status        models.DeliveryStatus `json:"s"`
	Attempts      int                   `json:"n"`
	SeriesStart   int                   `json:"b,omitempty"`
	SeriesBegan   int64                 `json:"g,omitempty"`
	Kind          models.DeliveryKind   `json:"k,omitempty"` // empty = ALERT
	DigestSize    *int                  `json:"m,omitempty"`
	NextAttemptAt *int64                `json:"x,omitempty"`
	Error         *string               `json:"e,omitempty"`
	CreatedAt     int64                 `json:"o"`
	CompletedAt   *int64                `json:"z,omitempty"`
	Attempt       int                   `json:"l,omitempty"` // number of the attempt that the event tells of
	Recipients    recipientList         `json:"p,omitempty"`
}

func alertEvent(kind models.FeedEventKind, a *models.Alert, at time.Time) eventRecord {
	return eventRecord{
		Kind: kind, At: at.UnixMicro(), AlertID: a.ID, Occurrences: a.Occurrences, ResolvedAt: toMicros(a.ResolvedAt), ResolvedBy: a.ResolvedBy,
		AcknowledgedAt: toMicros(a.AcknowledgedAt), AcknowledgedBy: a.AcknowledgedBy, Assignee: a.Assignee,
	}
}

// changeEvent is the event of what somebody did with an alert, which is as that left it.
func changeEvent(a *models.Alert, c *models.AlertEvent) eventRecord {
	r := alertEvent(models.AlertUpdated, a, c.At)
	r.Change = &changeRecord{ID: c.ID, By: c.By, Kind: c.Kind, Text: c.Text, Assignee: c.Assignee}
	return r
}

func deliveryEvent(d *models.Delivery, attempt int, at time.Time) eventRecord {
	kind := d.Kind
	if kind == models.TellAlert {
		kind = ""
	}
	return eventRecord{Kind: models.DeliveryUpdated, At: at.UnixMicro(), AlertID: d.AlertID, Delivery: &deliveryRecord{
		ID: d.ID, ChannelID: d.ChannelID, Status: d.Status, Attempts: d.Attempts, SeriesStart: d.SeriesStart,
		SeriesBegan: d.SeriesBegan.UnixMicro(), Kind: kind, DigestSize: d.DigestSize, NextAttemptAt: toMicros(d.NextAttemptAt), Error: d.Error, CreatedAt: d.CreatedAt.UnixMicro(),
		CompletedAt: toMicros(d.CompletedAt), Attempt: attempt, Recipients: d.Recipients,
	}}
}

// model gives the event with a copy of its alert as it was then, or nil when the alert is gone.
func (r *eventRecord) model(position int64, alerts map[int64]*models.Alert) *models.FeedEvent {
	stored := alerts[r.AlertID]
	if stored == nil {
		return nil
	}
	alert := *stored
	e := &models.FeedEvent{Position: position, Kind: r.Kind, At: time.UnixMicro(r.At).UTC(), Alert: &alert}
	if r.Delivery == nil {
		alert.Occurrences, alert.ResolvedAt, alert.ResolvedBy = r.Occurrences, fromMicros(r.ResolvedAt), r.ResolvedBy
		alert.AcknowledgedAt, alert.AcknowledgedBy, alert.Assignee = fromMicros(r.AcknowledgedAt), r.AcknowledgedBy, r.Assignee
		if c := r.Change; c != nil {
			e.Change = &models.AlertEvent{ID: c.ID, AlertID: r.AlertID, At: e.At, By: c.By, Kind: c.Kind, Text: c.Text, Assignee: c.Assignee}
		}
		return e
	}
	d := r.Delivery
	e.Attempt = d.Attempt
	e.Delivery = &models.Delivery{
		ID: d.ID, AlertID: r.AlertID, Alert: &alert, ChannelID: d.ChannelID, Status: d.Status, Attempts: d.Attempts, SeriesStart: d.SeriesStart,
		SeriesBegan: time.UnixMicro(d.SeriesBegan).UTC(), Kind: models.DeliveryKind(cmp.Or(string(d.Kind), string(models.TellAlert))),
		DigestSize: d.DigestSize, NextAttemptAt: fromMicros(d.NextAttemptAt), Error: d.Error, CreatedAt: time.UnixMicro(d.CreatedAt).UTC(),
		CompletedAt: fromMicros(d.CompletedAt), Recipients: d.Recipients,
	}
	return e
}

// appendEvents writes events in the transaction that they tell of.
func (s *Store) appendEvents(ctx context.Context, tx bun.Tx, at time.Time, events []eventRecord) error {
	statements, err := s.eventRows(ctx, tx, at, events)
	if err != nil {
		return err
	}
	return s.run(ctx, tx, statements)
}

// eventRows gives the statements that write events. On SQLite, where one connection writes, they get their positions at
// once; on PostgreSQL Place gives them after the commit.
func (s *Store) eventRows(ctx context.Context, tx bun.IDB, at time.Time, events []eventRecord) ([]bun.Query, error) {
	if len(events) == 0 {
		return nil, nil
	}
	var rows []*eventRow
	for part := range slices.Chunk(events, eventsPerRow(events)) {
		payload, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		rows = append(rows, &eventRow{Count: len(part), CreatedAt: at, Payload: string(payload)})
	}
	if !s.isPostgres() {
		var last int64
		err := tx.NewRaw("UPDATE feed_head SET position = position + ? WHERE id = 1 RETURNING position", len(events)).Scan(ctx, &last)
		if err != nil {
			return nil, err
		}
		next := last - int64(len(events)) + 1
		for _, r := range rows {
			first := next
			r.FirstPosition, next = &first, next+int64(r.Count)
		}
	}
	return []bun.Query{tx.NewInsert().Model(&rows).Returning("NULL")}, nil
}

// eventsPerRow is how many of these events go into one row: fewer where they carry a long note, so that no row is large.
func eventsPerRow(events []eventRecord) int {
	longest := 0
	for i := range events {
		if c := events[i].Change; c != nil && c.Text != nil {
			longest = max(longest, len(*c.Text))
		}
	}
	return min(maxEventsPerRow, max(1, maxTextPerRow/max(1, longest)))
}

// signalAppended wakes whoever waits on Appended; it never blocks.
func (s *Store) signalAppended() {
	select {
	case s.appended <- struct{}{}:
	default:
	}
}

// Place gives positions to committed events that have none, and tells the other processes. The row in feed_head is the
// lock as well as the counter: one process at a time does this, and another takes over by itself. Nothing to do on SQLite.
func (s *Store) Place(ctx context.Context) error {
	if !s.isPostgres() {
		return nil
	}
	// Two statements, because each sees what was committed when it began: the second begins with the lock held.
	// Sent as one message they are one transaction.
	_, err := s.db.NewRaw(`
		SELECT position FROM feed_head WHERE id = 1 FOR UPDATE;
		WITH todo AS MATERIALIZED (
			SELECT id, count, sum(count) OVER (ORDER BY id) AS upto
			FROM (SELECT id, count FROM events WHERE first_position IS NULL ORDER BY id LIMIT 10000) AS unplaced),
		placed AS (
			UPDATE events AS e SET first_position = h.position + todo.upto - todo.count + 1
			FROM todo, feed_head AS h WHERE e.id = todo.id AND h.id = 1 RETURNING e.count),
		moved AS (
			UPDATE feed_head SET position = position + (SELECT sum(count) FROM placed)
			WHERE id = 1 AND EXISTS (SELECT 1 FROM todo) RETURNING id)
		SELECT pg_notify(?, '') FROM moved`, TopicFeed).Exec(ctx)
	return s.explain("place events", err)
}

// Head gives the position of the newest event, and of the newest one that retention removed; 0 = none.
func (s *Store) Head(ctx context.Context) (position, trimmed int64, err error) {
	err = s.read.NewRaw("SELECT position, trimmed FROM feed_head WHERE id = 1").Scan(ctx, &position, &trimmed)
	return position, trimmed, s.explain("read the feed's head", err)
}

// Events gives events behind a position in their order: about limit of them, whole transactions at a time, and the position
// that they reach (an event whose alert retention has removed is passed over). None means that there are none.
func (s *Store) Events(ctx context.Context, after int64, limit int) ([]*models.FeedEvent, int64, error) {
	var rows []*eventRow
	// The row that holds after+1 may begin before it.
	err := s.read.NewSelect().Model(&rows).Column("first_position", "count", "payload").
		Where("first_position >= (SELECT coalesce(max(first_position), 0) FROM events WHERE first_position <= ?)", after+1).
		Where("first_position + count > ?", after+1).
		OrderExpr("first_position").Limit(int64(max(1, limit/8))).Scan(ctx)
	if err != nil {
		return nil, after, s.explain("read events", err)
	}
	type placed struct {
		position int64
		eventRecord
	}
	var records []placed
	ids := make(map[int64]struct{})
	for _, row := range rows {
		if len(records) >= limit {
			break
		}
		var parts []eventRecord
		if err := json.Unmarshal([]byte(row.Payload), &parts); err != nil {
			return nil, after, s.explain("read events", err)
		}
		for i, r := range parts {
			if position := *row.FirstPosition + int64(i); position > after {
				records = append(records, placed{position, r})
				ids[r.AlertID] = struct{}{}
			}
		}
	}
	if len(records) == 0 {
		return nil, after, nil
	}
	wanted := make([]int64, 0, len(ids))
	for id := range ids {
		wanted = append(wanted, id)
	}
	alerts, err := s.toldAlerts(ctx, wanted)
	if err != nil {
		return nil, after, err
	}
	events := make([]*models.FeedEvent, 0, len(records))
	for i := range records {
		if e := records[i].model(records[i].position, alerts); e != nil {
			events = append(events, e)
		}
	}
	return events, records[len(records)-1].position, nil
}

func toMicros(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	us := t.UnixMicro()
	return &us
}

func fromMicros(us *int64) *time.Time {
	if us == nil {
		return nil
	}
	t := time.UnixMicro(*us).UTC()
	return &t
}
