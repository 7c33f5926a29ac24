package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/rustbucket/alerts/models"
)

// NewDelivery is a delivery to be created with its alert.
type NewDelivery struct {
	ChannelID int64
	Leased    bool // the creator sends it at once; otherwise whoever has room does
}

// AlertInsert is an alert to be created and what was decided about it.
type AlertInsert struct {
	New        *models.NewAlert
	Decisions  models.Decisions
	Deliveries []NewDelivery // one for each channel that matched
	// PauseReason says why all notifications are paused; nil when they are not.
	PauseReason *string
	SilenceID   *int64 // the silence that holds for it; nil = none
	// Revision is that of the silences and the pause by which it was decided, see LiveSilences; 0 = whatever they are now.
	Revision int64
	// Again decides anew about the open alert that this one only counts up; nil, or a nil answer, = it stays as it was decided.
	Again func(open *models.Alert) *AlertInsert
}

// AlertResult is what became of an AlertInsert.
type AlertResult struct {
	Alert      *models.Alert
	Deliveries []*models.Delivery // in the order of the insert's; for a duplicate those that Again has made
	Duplicate  bool               // an open alert with the same dedup key was counted up instead
}

// CreateAlerts stores alerts with their deliveries and events, all or none, and answers in the order of the batch. Deliveries
// that are to be leased are leased to holder. ErrOutdated when one was decided by an older revision than what holds now.
//
// It is the hot path, and on PostgreSQL a message to the server and back costs more than the rows in it: the ids come with
// one message, everything else goes with another, which is a transaction by itself. Only dedup keys take a longer way.
func (s *Store) CreateAlerts(ctx context.Context, batch []AlertInsert, holder string) ([]AlertResult, error) {
	var results []AlertResult
	var err error
	if s.isPostgres() && !slices.ContainsFunc(batch, func(in AlertInsert) bool { return in.New.DedupKey != nil }) {
		results, err = s.createOnOneConnection(ctx, batch, holder)
		err = s.explain("create alerts", err)
	} else {
		err = s.inTx(ctx, "create alerts", func(tx bun.Tx) error {
			results, err = s.createAlerts(ctx, tx, batch, holder)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	s.signalAppended()
	return results, nil
}

// createOnOneConnection holds on to its connection: database/sql sends a statement again over another one when it takes the
// first for dead, and what was sent may have been stored.
func (s *Store) createOnOneConnection(ctx context.Context, batch []AlertInsert, holder string) ([]AlertResult, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return s.createAlerts(ctx, conn, batch, holder)
}

func (s *Store) createAlerts(ctx context.Context, db bun.IDB, batch []AlertInsert, holder string) ([]AlertResult, error) {
	at := s.Now()
	results := make([]AlertResult, len(batch))
	var statements []bun.Query
	if q := upsertRustbuckets(db, batch, at); q != nil {
		statements = append(statements, q)
	}
	updated, again, err := s.insertKeyed(ctx, db, batch, results, at, &statements)
	if err != nil {
		return nil, err
	}
	alerts, deliveries := 0, 0
	for i, in := range batch {
		if in.New.DedupKey == nil {
			alerts++
		}
		if !results[i].Duplicate {
			deliveries += len(in.Deliveries)
		} else if again[i] != nil {
			deliveries += len(again[i].Deliveries)
		}
	}
	alertIDs, deliveryIDs, revision, err := s.nextIDs(ctx, db, alerts, deliveries)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(batch, func(in AlertInsert) bool { return in.Revision != 0 && in.Revision != revision }) {
		return nil, ErrOutdated
	}
	var alertRows []*alertRow
	var deliveryRows []*deliveryRow
	events := make([]eventRecord, 0, len(batch)+len(updated))
	for i, in := range batch {
		result := &results[i]
		if result.Duplicate {
			if again[i] == nil {
				continue
			}
			in.Deliveries = again[i].Deliveries
			q, err := routedAgain(db, result.Alert, again[i])
			if err != nil {
				return nil, err
			}
			statements = append(statements, q)
		} else if in.New.DedupKey == nil {
			row, err := newAlertRow(in, 1, at)
			if err != nil {
				return nil, err
			}
			row.ID, alertIDs = alertIDs[0], alertIDs[1:]
			alertRows = append(alertRows, row)
			result.Alert = created(row.ID, in, at)
		}
		if !result.Duplicate {
			events = append(events, alertEvent(models.AlertCreated, result.Alert, at))
		}
		for _, d := range in.Deliveries {
			row := &deliveryRow{
				ID: deliveryIDs[0], AlertID: result.Alert.ID, ChannelID: d.ChannelID, Kind: models.TellAlert,
				Severity: result.Alert.Severity, Status: models.Pending,
				SeriesBeganAt: at, NextAttemptAt: &at, CreatedAt: at,
			}
			if d.Leased {
				row.LeasedBy = &holder
			}
			deliveryIDs = deliveryIDs[1:]
			deliveryRows = append(deliveryRows, row)
			result.Deliveries = append(result.Deliveries, row.model())
		}
	}
	if len(alertRows) > 0 {
		statements = append(statements, db.NewInsert().Model(&alertRows).Returning("NULL"))
	}
	if len(deliveryRows) > 0 {
		statements = append(statements, db.NewInsert().Model(&deliveryRows).Returning("NULL"))
	}
	appended, err := s.eventRows(ctx, db, at, append(events, updated...))
	if err != nil {
		return nil, err
	}
	return results, s.run(ctx, db, append(statements, appended...))
}

// created is the alert that an insert without a dedup key makes.
func created(id int64, in AlertInsert, at time.Time) *models.Alert {
	return &models.Alert{
		ID: id, Type: in.New.Type, Severity: in.New.Severity, Message: in.New.Message, Details: in.New.Details,
		Rustbucket: in.New.Rustbucket, Occurrences: 1, Notify: in.New.Notify, CreatedAt: at,
		CreatedBy: in.New.CreatedBy, Decisions: in.Decisions, PauseReason: in.PauseReason, SilenceID: in.SilenceID, TraceParent: in.New.TraceParent,
	}
}

// routedAgain notes what was decided anew about an open alert.
func routedAgain(db bun.IDB, a *models.Alert, again *AlertInsert) (bun.Query, error) {
	decisions, err := encodeDecisions(again.Decisions)
	if err != nil {
		return nil, err
	}
	a.Decisions, a.PauseReason = again.Decisions, again.PauseReason
	return db.NewUpdate().Model((*alertRow)(nil)).Set("decisions = ?", decisions).Set("pause_reason = ?", again.PauseReason).Where("id = ?", a.ID), nil
}

// nextIDs gives ids for rows that are about to be inserted, in rising order, and the revision of the silences and the pause.
func (s *Store) nextIDs(ctx context.Context, db bun.IDB, alerts, deliveries int) (alertIDs, deliveryIDs []int64, revision int64, err error) {
	var rows []struct {
		Kind int
		ID   int64
	}
	if s.isPostgres() {
		err = db.NewRaw(`
			SELECT 0 AS kind, nextval('alerts_id_seq') AS id FROM generate_series(1, ?) UNION ALL
			SELECT 1 AS kind, nextval('deliveries_id_seq') AS id FROM generate_series(1, ?) UNION ALL
			SELECT 2 AS kind, revision AS id FROM routing`,
			alerts, deliveries).Scan(ctx, &rows)
		for _, r := range rows {
			switch r.Kind {
			case 0:
				alertIDs = append(alertIDs, r.ID)
			case 1:
				deliveryIDs = append(deliveryIDs, r.ID)
			default:
				revision = r.ID
			}
		}
		return alertIDs, deliveryIDs, revision, err
	}
	// AUTOINCREMENT follows what is inserted with an id of its own; nobody else writes during the transaction.
	var last struct{ Alert, Delivery, Revision int64 }
	err = db.NewRaw(`
		SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'alerts'), 0) AS alert,
		       coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'), 0) AS delivery,
		       (SELECT revision FROM routing) AS revision`).Scan(ctx, &last)
	return series(last.Alert, alerts), series(last.Delivery, deliveries), last.Revision, err
}

// series gives the n numbers behind last.
func series(last int64, n int) []int64 {
	numbers := make([]int64, n)
	for i := range numbers {
		numbers[i] = last + 1 + int64(i)
	}
	return numbers
}

// upsertRustbuckets registers the machines of a batch and keeps their names up to date; the last name in the batch counts.
// A machine whose name nobody knows has its id for a name, and that takes the place of no other. The server's own alerts say
// nothing new of it. Nil = there are none.
func upsertRustbuckets(db bun.IDB, batch []AlertInsert, at time.Time) bun.Query {
	byID := make(map[string]rustbucketRow)
	for _, in := range batch {
		if r := in.New.Rustbucket; r != nil && in.New.CreatedBy != models.ServerItself && (r.Name != r.ID || byID[r.ID].ID == "") {
			byID[r.ID] = rustbucketRow{ID: r.ID, Name: r.Name, CreatedAt: at}
		}
	}
	if len(byID) == 0 {
		return nil
	}
	rows := make([]rustbucketRow, 0, len(byID))
	for _, r := range byID {
		rows = append(rows, r)
	}
	// In one order everywhere: two processes with the same machines then wait for each other instead of deadlocking.
	slices.SortFunc(rows, func(a, b rustbucketRow) int { return cmp.Compare(a.ID, b.ID) })
	return upsertNames(db, &rows)
}

func upsertNames(db bun.IDB, rows *[]rustbucketRow) bun.Query {
	return db.NewInsert().Model(rows).
		On("CONFLICT (id) DO UPDATE").Set("name = EXCLUDED.name").Where("r.name <> EXCLUDED.name AND EXCLUDED.name <> EXCLUDED.id")
}

// insertKeyed stores the alerts that have a dedup key: the first of a key is created unless one is open, every other counts
// up. It returns the events of what was counted up, and what was decided anew about such alerts, by the place in the batch.
// What stands in before is done first.
func (s *Store) insertKeyed(ctx context.Context, tx bun.IDB, batch []AlertInsert, results []AlertResult, at time.Time, before *[]bun.Query) ([]eventRecord, map[int]*AlertInsert, error) {
	calls := make(map[string][]int) // dedup key -> places in the batch
	for i, in := range batch {
		if in.New.DedupKey != nil {
			calls[*in.New.DedupKey] = append(calls[*in.New.DedupKey], i)
		}
	}
	if len(calls) == 0 {
		return nil, nil, nil
	}
	rows := make([]*alertRow, 0, len(calls))
	for _, places := range calls {
		row, err := newAlertRow(batch[places[0]], len(places), at)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b *alertRow) int { return cmp.Compare(*a.DedupKey, *b.DedupKey) })
	if err := s.run(ctx, tx, *before); err != nil {
		return nil, nil, err
	}
	*before = nil
	var stored []struct {
		ID          int64
		DedupKey    string
		Occurrences int
	}
	err := tx.NewInsert().Model(&rows).
		On("CONFLICT (dedup_key) WHERE dedup_key IS NOT NULL AND resolved_at IS NULL DO UPDATE").
		Set("occurrences = a.occurrences + EXCLUDED.occurrences").
		Returning("id, dedup_key, occurrences").Scan(ctx, &stored)
	if err != nil {
		return nil, nil, err
	}
	ids := make([]int64, len(stored))
	for i, r := range stored {
		ids[i] = r.ID
	}
	alerts, err := alertsByID(ctx, tx, ids)
	if err != nil {
		return nil, nil, err
	}
	var events []eventRecord
	again := make(map[int]*AlertInsert)
	for _, r := range stored {
		places, alert := calls[r.DedupKey], alerts[r.ID]
		wasOpen := r.Occurrences > len(places)
		for n, place := range places {
			results[place] = AlertResult{Alert: alert, Duplicate: wasOpen || n > 0}
		}
		if wasOpen { // and its row is locked: nobody else decides anew about it now
			for _, place := range places {
				if decide := batch[place].Again; decide != nil {
					if anew := decide(alert); anew != nil {
						again[place] = anew
						break
					}
				}
			}
		}
		if wasOpen || len(places) > 1 {
			events = append(events, alertEvent(models.AlertUpdated, alert, at))
		}
	}
	return events, again, nil
}

// Alert gives one alert, or NOT_FOUND.
func (s *Store) Alert(ctx context.Context, id int64) (*models.Alert, error) {
	alerts, err := s.AlertsByID(ctx, []int64{id})
	if err != nil {
		return nil, err
	}
	if alerts[id] == nil {
		return nil, models.Missing("alert", id)
	}
	return alerts[id], nil
}

// AlertsByID gives the alerts that exist among ids.
func (s *Store) AlertsByID(ctx context.Context, ids []int64) (map[int64]*models.Alert, error) {
	alerts, err := alertsByID(ctx, s.read, ids)
	return alerts, s.explain("read alerts", err)
}

func alertsByID(ctx context.Context, db bun.IDB, ids []int64) (map[int64]*models.Alert, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []*alertRow
	if err := selectAlerts(db, &rows).Where("a.id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, err
	}
	alerts := make(map[int64]*models.Alert, len(rows))
	for _, r := range rows {
		a, err := r.model()
		if err != nil {
			return nil, err
		}
		alerts[a.ID] = a
	}
	return alerts, nil
}

// Alerts gives up to limit alerts with an id below before (0 = all), newest first.
func (s *Store) Alerts(ctx context.Context, f *models.AlertFilter, before int64, limit int) ([]*models.Alert, error) {
	var rows []*alertRow
	q := filterAlerts(selectAlerts(s.read, &rows), f).OrderExpr("a.id DESC").Limit(int64(limit))
	if before > 0 {
		q = q.Where("a.id < ?", before)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, s.explain("read alerts", err)
	}
	alerts := make([]*models.Alert, len(rows))
	for i, r := range rows {
		a, err := r.model()
		if err != nil {
			return nil, s.explain("read alerts", err)
		}
		alerts[i] = a
	}
	return alerts, nil
}

// CountAlerts says how many alerts match.
func (s *Store) CountAlerts(ctx context.Context, f *models.AlertFilter) (int, error) {
	n, err := filterAlerts(s.read.NewSelect().Model((*alertRow)(nil)), f).Count(ctx)
	return int(n), s.explain("count alerts", err)
}

// OpenAlert gives the alert with this dedup key that is open, or nil.
func (s *Store) OpenAlert(ctx context.Context, dedupKey string) (*models.Alert, error) {
	var rows []*alertRow
	if err := selectAlerts(s.read, &rows).Where("a.dedup_key = ? AND a.resolved_at IS NULL", dedupKey).Scan(ctx); err != nil || len(rows) == 0 {
		return nil, s.explain("look for an open alert", err)
	}
	open, err := rows[0].model()
	return open, s.explain("look for an open alert", err)
}

func selectAlerts(db bun.IDB, rows *[]*alertRow) *bun.SelectQuery {
	return db.NewSelect().Model(rows).ColumnExpr("a.*, r.name AS rustbucket_name").
		Join("LEFT JOIN rustbuckets AS r ON r.id = a.rustbucket_id")
}

// filterAlerts says in SQL what models.AlertFilter.Match says in Go.
func filterAlerts(q *bun.SelectQuery, f *models.AlertFilter) *bun.SelectQuery {
	if f == nil {
		return q
	}
	if len(f.Types) > 0 {
		q = q.Where("a.type IN (?)", bun.List(f.Types))
	}
	if len(f.Severities) > 0 {
		q = q.Where("a.severity IN (?)", bun.List(f.Severities))
	}
	if f.MinSeverity != nil {
		q = q.Where("a.severity >= ?", *f.MinSeverity)
	}
	if len(f.States) > 0 {
		q = q.Where("CASE WHEN a.resolved_at IS NOT NULL THEN 'RESOLVED' WHEN a.acknowledged_at IS NOT NULL THEN 'ACKNOWLEDGED' ELSE 'OPEN' END IN (?)", bun.List(f.States))
	}
	if f.IsResolved != nil {
		q = q.Where("(a.resolved_at IS NOT NULL) = ?", *f.IsResolved)
	}
	if f.Assignee != nil {
		q = q.Where("a.assignee = ?", *f.Assignee)
	}
	if f.RustbucketID != nil {
		q = q.Where("a.rustbucket_id = ?", *f.RustbucketID)
	}
	if f.CreatedAfter != nil {
		q = q.Where(createdAt(q, "a")+" >= ?", f.CreatedAfter.UTC())
	}
	if f.CreatedBefore != nil {
		q = q.Where(createdAt(q, "a")+" < ?", f.CreatedBefore.UTC())
	}
	if f.Search != nil {
		q = q.Where("("+contains(q, "a.type")+" OR "+contains(q, "a.message")+")", *f.Search, *f.Search)
	}
	if f.IsSilenced != nil && *f.IsSilenced { // as the index has it
		q = q.Where("a.silence_id IS NOT NULL")
	} else if f.IsSilenced != nil {
		q = q.Where("a.silence_id IS NULL")
	}
	if f.SilenceID != nil {
		q = q.Where("a.silence_id = ?", *f.SilenceID)
	}
	if f.CreatedBy != nil {
		q = q.Where("a.created_by = ?", *f.CreatedBy)
	}
	return q
}

// createdAt is the column in a condition of a list. SQLite has no idea how many rows a span of time has, and would read all of them
// through its index to sort them, where a page is to be had from the ids: the sign keeps it from that.
func createdAt(q *bun.SelectQuery, alias string) string {
	if q.Dialect().Name() == dialect.PG {
		return alias + ".created_at"
	}
	return "+" + alias + ".created_at"
}

// contains is a condition with one argument: the column contains it, whatever the case of the letters.
func contains(q *bun.SelectQuery, column string) string {
	if q.Dialect().Name() == dialect.PG {
		return "position(lower(?) in lower(" + column + ")) > 0"
	}
	return "instr(fold_case(" + column + "), fold_case(?)) > 0"
}
