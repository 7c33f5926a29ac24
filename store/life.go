package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// What people do with alerts: see models.AlertChange.

type alertEventRow struct {
	bun.BaseModel `bun:"table:alert_events,alias:h"`

	ID       int64 `bun:",pk,autoincrement"`
	AlertID  int64
	At       time.Time
	By       string
	Kind     models.AlertEventKind
	Text     *string
	Assignee *string
}

func (r *alertEventRow) model() *models.AlertEvent {
	return &models.AlertEvent{ID: r.ID, AlertID: r.AlertID, At: r.At.UTC(), By: r.By, Kind: r.Kind, Text: r.Text, Assignee: r.Assignee}
}

// changesBatch is how many alerts one transaction changes where a filter names them, so that nobody waits long for its locks:
// on SQLite, everybody who writes.
const changesBatch = 500

// changesDeliveries is how many deliveries the alerts of such a batch have at most, unless a single one has more: each channel is to be
// told, and what is deleted takes them along.
const changesDeliveries = 2000

// keyTries is how often such a batch is tried again, each time with half as many, when alerts with the same dedup keys are opened
// meanwhile: down to one, and then some more.
const keyTries = 20

// auditedChanges are the names of changes in the audit log: of one alert, and of several at a time.
var auditedChanges = map[models.AlertEventKind][2]models.AuditAction{
	models.WasAcknowledged: {models.AlertAcknowledged, models.AlertsAcknowledged},
	models.WasAssigned:     {models.AlertAssigned, models.AlertsAssigned},
	models.WasCommented:    {models.AlertCommented},
	models.WasResolved:     {models.AlertResolved, models.AlertsResolved},
	models.WasReopened:     {models.AlertReopened, models.AlertsReopened},
}

// ChangeAlert does something with one alert, in the name of the actor of ctx. An alert with which that is done already stays as
// it is. It gives the channels that have something new to be sent. NOT_FOUND, or CONFLICT when the alert's state does not allow it.
func (s *Store) ChangeAlert(ctx context.Context, id int64, c models.AlertChange) (*models.Alert, []int64, error) {
	var alert *models.Alert
	var told []int64
	err := s.inTx(ctx, "change alert", func(tx bun.Tx) error {
		alerts, err := s.lockAlerts(ctx, tx, []int64{id}, toChange, true)
		if err != nil {
			return err
		}
		alert = alerts[0]
		was := alert.Assignee
		changed, channels, err := s.changeAlerts(ctx, tx, alerts, c, true)
		if told = channels; err != nil || len(changed) == 0 {
			return err
		}
		var noted map[string]any
		if c.Kind == models.WasAssigned {
			noted = map[string]any{"assignee": map[string]any{"from": was, "to": c.Assignee}}
		}
		return s.audit(ctx, tx, auditedChanges[c.Kind][0], &auditSubject{id: id}, noted)
	})
	if err != nil {
		return nil, nil, keyTaken(err)
	}
	s.signalAppended()
	return alert, told, nil
}

// ChangeAlerts does something with several alerts, and gives how many that changed and the channels that have something new to be
// sent. Of alerts that are named by their ids all are changed or none; of those that match a filter, each whose state allows it, in
// batches, the newest first: what was done before an error stays done.
func (s *Store) ChangeAlerts(ctx context.Context, which models.AlertSelection, c models.AlertChange) (n int, told []int64, err error) {
	channels := make(map[int64]bool)
	noted := map[string]any{}
	if c.Kind == models.WasAssigned {
		noted["assignee"] = c.Assignee
	}
	err = s.each(ctx, "change alerts", which, toChange, func(tx bun.Tx, alerts []*models.Alert, first bool) (int, error) {
		changed, ids, err := s.changeAlerts(ctx, tx, alerts, c, which.Filter == nil)
		for _, id := range ids {
			channels[id] = true
		}
		if err != nil || len(changed) == 0 || !first {
			return len(changed), err
		}
		return len(changed), s.auditSelection(ctx, tx, auditedChanges[c.Kind][1], which, noted)
	}, func(done int) { n += done })
	return n, slices.Collect(maps.Keys(channels)), keyTaken(err)
}

// each does something with the selected alerts, which it locks: all at a time when they are named by their ids, else in batches,
// each in a transaction of its own. do is told whether nothing was done before; done hears of each batch how much do has done.
func (s *Store) each(ctx context.Context, what string, which models.AlertSelection, lock string, do func(tx bun.Tx, alerts []*models.Alert, first bool) (int, error), done func(int)) error {
	first := true
	batch := func(ids []int64) error {
		did := 0
		err := s.inTx(ctx, what, func(tx bun.Tx) error {
			alerts, err := s.lockAlerts(ctx, tx, ids, lock, which.Filter == nil)
			if err != nil {
				return err
			}
			// What has changed since it was found may not match any more.
			alerts = slices.DeleteFunc(alerts, func(a *models.Alert) bool { return !which.Filter.Match(a) })
			did, err = do(tx, alerts, first)
			return err
		})
		if err != nil {
			return err
		}
		if did > 0 {
			first = false
			s.signalAppended()
		}
		done(did)
		return nil
	}
	if which.Filter == nil {
		return batch(slices.Compact(slices.Sorted(slices.Values(which.IDs))))
	}
	// What comes in from here on is not meant; the ids of what is found go down.
	for before := int64(0); ; {
		ids, err := s.alertIDs(ctx, which.Filter, before, changesBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		if ids, err = s.fewDeliveries(ctx, ids); err != nil {
			return err
		}
		for tries := 0; ; tries++ { // another alert may have been opened with a key meanwhile: less likely so with fewer at a time
			if err = batch(ids); !isUnique(err) || tries == keyTries {
				break
			}
			ids = ids[:(len(ids)+1)/2]
		}
		if err != nil {
			return err
		}
		before = ids[len(ids)-1]
	}
}

// alertIDs gives up to limit ids of alerts that match, below before (0 = all), newest first. It holds nobody up.
func (s *Store) alertIDs(ctx context.Context, f *models.AlertFilter, before int64, limit int) (ids []int64, err error) {
	q := filterAlerts(s.read.NewSelect().Model((*alertRow)(nil)).Column("a.id"), f).OrderExpr("a.id DESC").Limit(int64(limit))
	if before > 0 {
		q = q.Where("a.id < ?", before)
	}
	err = q.Scan(ctx, &ids)
	return ids, s.explain("look for alerts", err)
}

// fewDeliveries gives the first of these alerts, at least one, as far as they have changesDeliveries together.
func (s *Store) fewDeliveries(ctx context.Context, ids []int64) ([]int64, error) {
	var counts []struct {
		AlertID int64
		N       int
	}
	err := s.read.NewRaw("SELECT alert_id, count(*) AS n FROM deliveries WHERE alert_id IN (?) GROUP BY alert_id", bun.List(ids)).Scan(ctx, &counts)
	if err != nil {
		return nil, s.explain("count the deliveries of alerts", err)
	}
	of := make(map[int64]int, len(counts))
	for _, c := range counts {
		of[c.AlertID] = c.N
	}
	sum := of[ids[0]]
	for i, id := range ids[1:] {
		if sum += of[id]; sum > changesDeliveries {
			return ids[:i+1], nil
		}
	}
	return ids, nil
}

// How alerts are locked on PostgreSQL: others may create deliveries of them meanwhile, or nobody may.
const (
	toChange = "NO KEY UPDATE OF a"
	toDelete = "UPDATE OF a"
)

// lockAlerts reads alerts and keeps others from changing them until the transaction ends. all = NOT_FOUND names the first that
// is none; otherwise those that are gone are left out.
func (s *Store) lockAlerts(ctx context.Context, tx bun.Tx, ids []int64, lock string, all bool) ([]*models.Alert, error) {
	var rows []*alertRow
	q := selectAlerts(tx, &rows).Where("a.id IN (?)", bun.List(ids)).OrderExpr("a.id") // in one order everywhere
	if s.isPostgres() {
		q = q.For(lock)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, err
	}
	alerts := make([]*models.Alert, len(rows))
	found := make(map[int64]bool, len(rows))
	for i, r := range rows {
		var err error
		if alerts[i], err = r.model(); err != nil {
			return nil, err
		}
		found[r.ID] = true
	}
	for _, id := range ids {
		if all && !found[id] {
			return nil, models.Missing("alert", id)
		}
	}
	return alerts, nil
}

// changeAlerts does something with alerts that are locked, as part of a transaction: the alerts themselves, their history,
// what has to be told, and the events. It gives those that changed, and the channels that have something new to be sent. Strict =
// an alert whose state does not allow it is a CONFLICT; otherwise it stays as it is.
func (s *Store) changeAlerts(ctx context.Context, tx bun.Tx, alerts []*models.Alert, c models.AlertChange, strict bool) (changed []*models.Alert, told []int64, err error) {
	if len(alerts) == 0 {
		return nil, nil, nil
	}
	at, by := s.Now(), models.ActorFrom(ctx).Name
	lengths, err := historyLengths(ctx, tx, alerts)
	if err != nil {
		return nil, nil, err
	}
	if c.Kind == models.WasReopened {
		if alerts, err = reopenable(ctx, tx, alerts, strict); err != nil {
			return nil, nil, err
		}
	}
	for _, a := range alerts {
		switch did, err := a.Do(c, by, at, lengths[a.ID]); {
		case err != nil && strict:
			return nil, nil, err
		case did:
			changed = append(changed, a)
		}
	}
	if len(changed) == 0 {
		return nil, nil, nil
	}
	if err := saveChange(ctx, tx, changed, c.Kind); err != nil {
		return nil, nil, err
	}
	told, err = s.tellChange(ctx, tx, changed, c, by, at)
	return changed, told, err
}

// historyLengths says how many events the alerts have.
func historyLengths(ctx context.Context, tx bun.Tx, alerts []*models.Alert) (map[int64]int, error) {
	var counts []struct {
		AlertID int64
		N       int
	}
	err := tx.NewRaw("SELECT alert_id, count(*) AS n FROM alert_events WHERE alert_id IN (?) GROUP BY alert_id", bun.List(idsOf(alerts))).Scan(ctx, &counts)
	lengths := make(map[int64]int, len(counts))
	for _, c := range counts {
		lengths[c.AlertID] = c.N
	}
	return lengths, err
}

func idsOf(alerts []*models.Alert) []int64 {
	ids := make([]int64, len(alerts))
	for i, a := range alerts {
		ids[i] = a.ID
	}
	return ids
}

// reopenable leaves out resolved alerts whose dedup key another open alert has, or a newer one among them. Strict = they are a
// CONFLICT.
func reopenable(ctx context.Context, tx bun.Tx, alerts []*models.Alert, strict bool) ([]*models.Alert, error) {
	var keys []string
	for _, a := range alerts {
		if a.DedupKey != nil && a.IsResolved() {
			keys = append(keys, *a.DedupKey)
		}
	}
	if len(keys) == 0 {
		return alerts, nil
	}
	var taken []struct {
		ID       int64
		DedupKey string
	}
	err := tx.NewRaw("SELECT id, dedup_key FROM alerts WHERE dedup_key IN (?) AND resolved_at IS NULL", bun.List(keys)).Scan(ctx, &taken)
	if err != nil {
		return nil, err
	}
	open := make(map[string]int64, len(taken))
	for _, t := range taken {
		open[t.DedupKey] = t.ID
	}
	able := make([]*models.Alert, 0, len(alerts))
	for _, a := range slices.Backward(alerts) { // newest first
		if a.DedupKey != nil && a.IsResolved() {
			if other, isTaken := open[*a.DedupKey]; isTaken && strict {
				return nil, models.Conflicting("id", "alert %d cannot be reopened: alert %d with the same dedupKey is open", a.ID, other)
			} else if isTaken {
				continue
			}
			open[*a.DedupKey] = a.ID
		}
		able = append(able, a)
	}
	slices.Reverse(able)
	return able, nil
}

// keyTaken explains that somebody opened another alert with the dedup key of one that was to be reopened at this very moment.
func keyTaken(err error) error {
	if isUnique(err) {
		return models.Conflicting("id", "an alert cannot be reopened: another one with the same dedupKey is open")
	}
	return err
}

// saveChange stores what a change made of alerts, which is the same for all of them.
func saveChange(ctx context.Context, tx bun.Tx, changed []*models.Alert, kind models.AlertEventKind) error {
	q := tx.NewUpdate().Model((*alertRow)(nil)).Where("id IN (?)", bun.List(idsOf(changed)))
	switch a := changed[0]; kind {
	case models.WasAcknowledged:
		q = q.Set("acknowledged_at = ?", a.AcknowledgedAt).Set("acknowledged_by = ?", a.AcknowledgedBy)
	case models.WasResolved:
		q = q.Set("resolved_at = ?", a.ResolvedAt).Set("resolved_by = ?", a.ResolvedBy)
	case models.WasReopened:
		q = q.Set("resolved_at = NULL").Set("resolved_by = NULL").Set("acknowledged_at = NULL").Set("acknowledged_by = NULL")
	case models.WasAssigned:
		q = q.Set("assignee = ?", a.Assignee)
	case models.WasCommented:
		return nil
	}
	_, err := q.Exec(ctx)
	return err
}

// tellChange notes a change in the history of alerts, and creates what has to be told about it: an event each, and the
// deliveries. It gives the channels that have something new to be sent.
func (s *Store) tellChange(ctx context.Context, tx bun.Tx, changed []*models.Alert, c models.AlertChange, by string, at time.Time) ([]int64, error) {
	rows := make([]*alertEventRow, len(changed))
	for i, a := range changed {
		rows[i] = &alertEventRow{AlertID: a.ID, At: at, By: by, Kind: c.Kind, Text: c.Text, Assignee: c.Assignee}
	}
	var stored []struct{ ID, AlertID int64 }
	if err := tx.NewInsert().Model(&rows).ExcludeColumn("id").Returning("id, alert_id").Scan(ctx, &stored); err != nil {
		return nil, err
	}
	byAlert := make(map[int64]int64, len(stored))
	for _, r := range stored {
		byAlert[r.AlertID] = r.ID
	}
	events := make([]eventRecord, len(changed))
	for i, a := range changed {
		rows[i].ID = byAlert[a.ID]
		events[i] = changeEvent(a, rows[i].model())
	}
	channels, err := s.tellChannels(ctx, tx, changed, c.Kind, at)
	if err != nil {
		return nil, err
	}
	return channels, s.appendEvents(ctx, tx, at, events)
}

// Histories gives what people did with each alert, the oldest first: up to models.MaxAlertEvents.
func (s *Store) Histories(ctx context.Context, alertIDs []int64) (map[int64][]*models.AlertEvent, error) {
	var rows []*alertEventRow
	err := s.read.NewSelect().Model(&rows).Where("alert_id IN (?)", bun.List(alertIDs)).OrderExpr("h.id").Scan(ctx)
	if err != nil {
		return nil, s.explain("read the history of alerts", err)
	}
	byAlert := make(map[int64][]*models.AlertEvent, len(alertIDs))
	for _, r := range rows {
		byAlert[r.AlertID] = append(byAlert[r.AlertID], r.model())
	}
	return byAlert, nil
}
