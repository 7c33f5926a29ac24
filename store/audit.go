package store

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"strconv"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

type auditRow struct {
	bun.BaseModel `bun:"table:audit,alias:u"`

	ID          int64 `bun:",pk,autoincrement"`
	At          time.Time
	By          string
	TokenID     *int64
	Address     *string
	Action      models.AuditAction
	SubjectID   *int64
	SubjectName *string
	Changes     *string
}

// audit notes, as part of a transaction, who makes a change: the actor of ctx. Subject and changes may be nil.
func (s *Store) audit(ctx context.Context, db bun.IDB, action models.AuditAction, subject *auditSubject, changes map[string]any) error {
	actor := models.ActorFrom(ctx)
	row := &auditRow{At: s.Now(), By: actor.Name, Action: action}
	if actor.TokenID != 0 {
		row.TokenID = &actor.TokenID
	}
	if actor.Address != "" {
		row.Address = &actor.Address
	}
	if subject != nil {
		if subject.id != 0 {
			row.SubjectID = &subject.id
		}
		if subject.name != "" {
			row.SubjectName = &subject.name
		}
	}
	if len(changes) > 0 {
		text, err := json.Marshal(changes)
		if err != nil {
			return err
		}
		shown := string(text)
		row.Changes = &shown
	}
	_, err := db.NewInsert().Model(row).ExcludeColumn("id").Returning("NULL").Exec(ctx)
	return err
}

// auditSubject is what a change is about.
type auditSubject struct {
	id   int64 // 0 = its name is its id
	name string
}

func channelSubject(c *models.Channel) *auditSubject { return &auditSubject{c.ID, c.Name} }

// auditChannel notes what a change makes of a channel, field by field; was is nil for a new one.
func (s *Store) auditChannel(ctx context.Context, db bun.IDB, was, is *models.Channel) error {
	after := auditedChannel(is)
	if was == nil {
		return s.audit(ctx, db, models.ChannelCreated, channelSubject(is), after)
	}
	before := auditedChannel(was)
	changes := make(map[string]any)
	for field, to := range after {
		if from := before[field]; !reflect.DeepEqual(from, to) {
			changes[field] = map[string]any{"from": from, "to": to}
		}
	}
	if _, seen := changes["config"]; !seen && !reflect.DeepEqual(was.Config, is.Config) {
		changes["config"] = "a secret in it"
	}
	if len(changes) == 0 {
		return nil
	}
	return s.audit(ctx, db, models.ChannelUpdated, channelSubject(is), changes)
}

// NoteTest notes that somebody sent a test notification, and what came of it. Where a channel's own configuration was not what
// was tested, r has none, and config is noted, too.
func (s *Store) NoteTest(ctx context.Context, config models.ChannelConfig, r *models.TestResult) error {
	noted := map[string]any{"success": r.Success}
	if r.StatusCode != nil {
		noted["statusCode"] = *r.StatusCode
	}
	var subject *auditSubject
	if r.Channel != nil {
		subject = channelSubject(r.Channel)
	} else {
		noted["type"], noted["config"] = string(config.Type()), config.Masked()
	}
	return s.inTx(ctx, "note a test", func(tx bun.Tx) error { return s.audit(ctx, tx, models.ChannelTested, subject, noted) })
}

// auditedChannel is what of a channel is noted, by the names of the API.
func auditedChannel(c *models.Channel) map[string]any {
	types := c.AlertTypes
	if types == nil {
		types = []string{}
	}
	var limit any
	if c.RateLimit != nil {
		limit = map[string]any{"perMinute": c.RateLimit.PerMinute, "burst": c.RateLimit.Burst}
	}
	return map[string]any{
		"name": c.Name, "type": string(c.Type()), "config": c.Config.Masked(), "minSeverity": c.MinSeverity.String(), "alertTypes": types,
		"isActive": c.IsActive, "rateLimit": limit, "notifyOnResolve": c.NotifyOnResolve,
		"notifyOnAcknowledge": c.NotifyOnAcknowledge,
	}
}

// auditedFilter is what of a filter is noted, by the names of the API.
func auditedFilter(f *models.DeliveryFilter) map[string]any {
	noted := make(map[string]any)
	if f == nil {
		return noted
	}
	for name, id := range map[string]*int64{"alertId": f.AlertID, "channelId": f.ChannelID} {
		if id != nil {
			noted[name] = strconv.FormatInt(*id, 10)
		}
	}
	for name, at := range map[string]*time.Time{"createdAfter": f.CreatedAfter, "createdBefore": f.CreatedBefore} {
		if at != nil {
			noted[name] = at.UTC()
		}
	}
	if len(f.Statuses) > 0 {
		noted["statuses"] = f.Statuses
	}
	return noted
}

// auditSelection notes with which alerts something was done.
func (s *Store) auditSelection(ctx context.Context, tx bun.Tx, action models.AuditAction, which models.AlertSelection, noted map[string]any) error {
	changes := maps.Clone(noted)
	if changes == nil {
		changes = make(map[string]any)
	}
	if which.Filter != nil {
		changes["filter"] = auditedAlertFilter(which.Filter)
		return s.audit(ctx, tx, action, nil, changes)
	}
	ids := make([]string, len(which.IDs))
	for i, id := range which.IDs {
		ids[i] = strconv.FormatInt(id, 10)
	}
	changes["ids"] = ids
	var subject *auditSubject
	if len(ids) == 1 {
		subject = &auditSubject{id: which.IDs[0]}
	}
	return s.audit(ctx, tx, action, subject, changes)
}

// auditedAlertFilter is what of a filter is noted, by the names of the API.
func auditedAlertFilter(f *models.AlertFilter) map[string]any {
	noted := make(map[string]any)
	for name, text := range map[string]*string{"rustbucketId": f.RustbucketID, "search": f.Search, "assignee": f.Assignee} {
		if text != nil {
			noted[name] = *text
		}
	}
	for name, at := range map[string]*time.Time{"createdAfter": f.CreatedAfter, "createdBefore": f.CreatedBefore} {
		if at != nil {
			noted[name] = at.UTC()
		}
	}
	if len(f.Types) > 0 {
		noted["types"] = f.Types
	}
	if len(f.Severities) > 0 {
		names := make([]string, len(f.Severities))
		for i, severity := range f.Severities {
			names[i] = severity.String()
		}
		noted["severities"] = names
	}
	if f.MinSeverity != nil {
		noted["minSeverity"] = f.MinSeverity.String()
	}
	if len(f.States) > 0 {
		noted["states"] = f.States
	}
	for name, is := range map[string]*bool{"isResolved": f.IsResolved, "isSilenced": f.IsSilenced} {
		if is != nil {
			noted[name] = *is
		}
	}
	if f.SilenceID != nil {
		noted["silenceId"] = strconv.FormatInt(*f.SilenceID, 10)
	}
	return noted
}

// AuditLog gives up to limit entries with an id below before (0 = all), newest first.
func (s *Store) AuditLog(ctx context.Context, f *models.AuditFilter, before int64, limit int) ([]*models.AuditEntry, error) {
	var rows []*auditRow
	q := filterAudit(s.read.NewSelect().Model(&rows), f).OrderExpr("u.id DESC").Limit(int64(limit))
	if before > 0 {
		q = q.Where("u.id < ?", before)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, s.explain("read the audit log", err)
	}
	entries := make([]*models.AuditEntry, len(rows))
	for i, r := range rows {
		entries[i] = &models.AuditEntry{
			ID: r.ID, At: r.At.UTC(), By: r.By, TokenID: r.TokenID, Address: r.Address, Action: r.Action, SubjectID: r.SubjectID, SubjectName: r.SubjectName,
		}
		if r.Changes != nil {
			entries[i].Changes = json.RawMessage(*r.Changes)
		}
	}
	return entries, nil
}

// CountAudit says how many entries match.
func (s *Store) CountAudit(ctx context.Context, f *models.AuditFilter) (int, error) {
	n, err := filterAudit(s.read.NewSelect().Model((*auditRow)(nil)), f).Count(ctx)
	return int(n), s.explain("count the audit log", err)
}

func filterAudit(q *bun.SelectQuery, f *models.AuditFilter) *bun.SelectQuery {
	if f == nil {
		return q
	}
	if len(f.Actions) > 0 {
		q = q.Where("u.action IN (?)", bun.List(f.Actions))
	}
	if f.By != nil {
		q = q.Where("u.by = ?", *f.By)
	}
	if f.SubjectID != nil {
		q = q.Where("u.subject_id = ?", *f.SubjectID)
	}
	if f.After != nil {
		q = q.Where("u.at >= ?", f.After.UTC())
	}
	if f.Before != nil {
		q = q.Where("u.at < ?", f.Before.UTC())
	}
	return q
}
