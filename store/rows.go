package store

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

type alertRow struct {
	bun.BaseModel `bun:"table:alerts,alias:a"`

	ID           int64           `bun:",pk,autoincrement"`
	Type         string          `bun:",notnull"`
	Severity     models.Severity `bun:",notnull"`
	Message      string          `bun:",notnull"`
	Details      *string
	RustbucketID *string
	DedupKey     *string
	Occurrences  int
	Notify       bool
	CreatedAt    time.Time
	ResolvedAt   *time.Time
	CreatedBy    int64
	Decisions    string
	PauseReason  *string
	SilenceID    *int64
	TraceParent  *string
	// What comes later is no part of an insert: createAlert has nothing to say about it.
	RustbucketName *string    `bun:",scanonly"`
	ResolvedBy     *string    `bun:",scanonly"`
	AcknowledgedAt *time.Time `bun:",scanonly"`
	AcknowledgedBy *string    `bun:",scanonly"`
	Assignee       *string    `bun:",scanonly"`
}

func newAlertRow(in AlertInsert, occurrences int, at time.Time) (*alertRow, error) {
	a := in.New
	decisions, err := encodeDecisions(in.Decisions)
	if err != nil {
		return nil, err
	}
	row := &alertRow{
		Type: a.Type, Severity: a.Severity, Message: a.Message, DedupKey: a.DedupKey, Occurrences: occurrences,
		Notify: a.Notify, CreatedAt: at, CreatedBy: a.CreatedBy, Decisions: decisions, PauseReason: in.PauseReason,
		SilenceID: in.SilenceID,
	}
	if a.TraceParent != "" {
		row.TraceParent = &a.TraceParent
	}
	if a.Details != nil {
		details := string(a.Details)
		row.Details = &details
	}
	if a.Rustbucket != nil {
		row.RustbucketID, row.RustbucketName = &a.Rustbucket.ID, &a.Rustbucket.Name
	}
	return row, nil
}

func (r *alertRow) model() (*models.Alert, error) {
	decisions, err := decodeDecisions(r.Decisions)
	if err != nil {
		return nil, err
	}
	a := &models.Alert{
		ID: r.ID, Type: r.Type, Severity: r.Severity, Message: r.Message, DedupKey: r.DedupKey, Occurrences: r.Occurrences,
		Notify: r.Notify, CreatedAt: r.CreatedAt.UTC(), ResolvedAt: utc(r.ResolvedAt), CreatedBy: r.CreatedBy, Decisions: decisions,
		PauseReason: r.PauseReason, SilenceID: r.SilenceID, ResolvedBy: r.ResolvedBy, AcknowledgedAt: utc(r.AcknowledgedAt),
		AcknowledgedBy: r.AcknowledgedBy, Assignee: r.Assignee,
	}
	if r.TraceParent != nil {
		a.TraceParent = *r.TraceParent
	}
	if r.Details != nil {
		a.Details = json.RawMessage(*r.Details)
	}
	if r.RustbucketID != nil {
		a.Rustbucket = &models.Rustbucket{ID: *r.RustbucketID}
		if r.RustbucketName != nil {
			a.Rustbucket.Name = *r.RustbucketName
		}
	}
	return a, nil
}

// encodeDecisions groups channels by reason: with a hundred channels an alert's decisions stay a few hundred bytes.
func encodeDecisions(d models.Decisions) (string, error) {
	byReason := make(map[models.RoutingReason][]int64, 4)
	for _, x := range d {
		byReason[x.Reason] = append(byReason[x.Reason], x.ChannelID)
	}
	b, err := json.Marshal(byReason)
	return string(b), err
}

// decodeDecisions gives them channels newest first, as channels are listed.
func decodeDecisions(s string) (models.Decisions, error) {
	var byReason map[models.RoutingReason][]int64
	if err := json.Unmarshal([]byte(s), &byReason); err != nil {
		return nil, err
	}
	var d models.Decisions
	for reason, ids := range byReason {
		for _, id := range ids {
			d = append(d, models.RoutingDecision{ChannelID: id, Reason: reason})
		}
	}
	slices.SortFunc(d, func(a, b models.RoutingDecision) int { return int(b.ChannelID - a.ChannelID) })
	return d, nil
}

type rustbucketRow struct {
	bun.BaseModel `bun:"table:rustbuckets,alias:r"`

	ID        string `bun:",pk"`
	Name      string
	CreatedAt time.Time
}

type deliveryRow struct {
	bun.BaseModel `bun:"table:deliveries,alias:d"`

	ID            int64 `bun:",pk,autoincrement"`
	AlertID       int64
	ChannelID     int64
	Kind          models.DeliveryKind
	Severity      models.Severity // of its alert
	Status        models.DeliveryStatus
	Attempts      int
	SeriesStart   int
	SeriesBeganAt time.Time
	NextAttemptAt *time.Time
	LeasedBy      *string
	CancelReason  *string
	Error         *string
	DigestSize    *int
	Recipients    recipientList `bun:"type:json,nullzero"`
	CreatedAt     time.Time
	CompletedAt   *time.Time
	Unsure        *bool `bun:",scanonly"` // see unsureIfHeld
}

// recipientList is a column of JSON.
type recipientList []models.RecipientOutcome

func (r *deliveryRow) model() *models.Delivery {
	d := &models.Delivery{
		ID: r.ID, AlertID: r.AlertID, ChannelID: r.ChannelID, Kind: r.Kind, Status: r.Status, Attempts: r.Attempts,
		SeriesStart: r.SeriesStart, SeriesBegan: r.SeriesBeganAt.UTC(), DigestSize: r.DigestSize,
		Error: r.Error, CreatedAt: r.CreatedAt.UTC(), CompletedAt: utc(r.CompletedAt),
	}
	if r.Status == models.Pending && r.LeasedBy == nil {
		d.NextAttemptAt = utc(r.NextAttemptAt)
	}
	d.SetRecipients(r.Recipients)
	return d
}

type attemptRow struct {
	bun.BaseModel `bun:"table:attempts,alias:t"`

	DeliveryID int64 `bun:",pk"`
	Number     int   `bun:",pk"`
	StartedAt  time.Time
	DurationUs int64
	StatusCode *int
	Error      *string
	Response   *string
	DigestSize *int
}

func (r *attemptRow) model() *models.DeliveryAttempt {
	return &models.DeliveryAttempt{
		DeliveryID: r.DeliveryID, Number: r.Number, StartedAt: r.StartedAt.UTC(),
		Duration: time.Duration(r.DurationUs) * time.Microsecond, StatusCode: r.StatusCode, Error: r.Error, Response: r.Response,
		DigestSize: r.DigestSize,
	}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
