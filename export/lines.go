package export

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// lists are what can be exported.
var lists = map[string]func(*store.Store, *params) source{"alerts": alerts, "deliveries": deliveries}

// source is a list that is being exported.
type source struct {
	columns []string // of CSV
	// fill adds lines until the page is full or the list has ended, and says whether there are more.
	fill func(ctx context.Context, out *page) (more bool, err error)
}

// walker makes a source of what the store gives step by step.
func walker[T any](columns []column[T], begin func(ctx context.Context) (store.Span, error),
	step func(ctx context.Context, span store.Span, each func(T) bool) (store.Span, error)) source {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	var span store.Span
	begun := false
	return source{names, func(ctx context.Context, out *page) (bool, error) {
		var err error
		if !begun {
			if span, err = begin(ctx); err != nil {
				return false, err
			}
			begun = true
		}
		for !span.Done() && out.Len() < pageBytes {
			var failed error
			span, err = step(ctx, span, func(line T) bool {
				failed = add(out, columns, line)
				return failed != nil || out.Len() >= pageBytes
			})
			if err == nil {
				err = failed
			}
			if err != nil {
				return false, err
			}
		}
		return !span.Done(), nil
	}}
}

type alertLine struct {
	ID             string          `json:"id"`
	Type           string          `json:"type"`
	Severity       string          `json:"severity"`
	Message        string          `json:"message"`
	Details        json.RawMessage `json:"details"`
	Rustbucket     *rustbucketLine `json:"rustbucket"`
	DedupKey       *string         `json:"dedupKey"`
	Occurrences    int             `json:"occurrences"`
	State          string          `json:"state"`
	IsResolved     bool            `json:"isResolved"`
	CreatedAt      string          `json:"createdAt"`
	AcknowledgedAt *string         `json:"acknowledgedAt"`
	AcknowledgedBy *string         `json:"acknowledgedBy"`
	Assignee       *string         `json:"assignee"`
	ResolvedAt     *string         `json:"resolvedAt"`
	ResolvedBy     *string         `json:"resolvedBy"`
	Source         string          `json:"source"`
	PauseReason    *string         `json:"pauseReason"`
	Silence        *silenceLine    `json:"silence"`
}

type silenceLine struct {
	ID string `json:"id"`
}

type rustbucketLine struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

var alertColumns = []column[*alertLine]{
	{"id", func(a *alertLine) string { return a.ID }},
	{"type", func(a *alertLine) string { return a.Type }},
	{"severity", func(a *alertLine) string { return a.Severity }},
	{"message", func(a *alertLine) string { return a.Message }},
	{"details", func(a *alertLine) string { return string(a.Details) }},
	{"rustbucketId", func(a *alertLine) string {
		if a.Rustbucket == nil {
			return ""
		}
		return a.Rustbucket.ID
	}},
	{"rustbucketName", func(a *alertLine) string {
		if a.Rustbucket == nil {
			return ""
		}
		return a.Rustbucket.Name
	}},
	{"dedupKey", func(a *alertLine) string { return orEmpty(a.DedupKey) }},
	{"occurrences", func(a *alertLine) string { return strconv.Itoa(a.Occurrences) }},
	{"state", func(a *alertLine) string { return a.State }},
	{"isResolved", func(a *alertLine) string { return strconv.FormatBool(a.IsResolved) }},
	{"createdAt", func(a *alertLine) string { return a.CreatedAt }},
	{"acknowledgedAt", func(a *alertLine) string { return orEmpty(a.AcknowledgedAt) }},
	{"acknowledgedBy", func(a *alertLine) string { return orEmpty(a.AcknowledgedBy) }},
	{"assignee", func(a *alertLine) string { return orEmpty(a.Assignee) }},
	{"resolvedAt", func(a *alertLine) string { return orEmpty(a.ResolvedAt) }},
	{"resolvedBy", func(a *alertLine) string { return orEmpty(a.ResolvedBy) }},
	{"source", func(a *alertLine) string { return a.Source }},
	{"pauseReason", func(a *alertLine) string { return orEmpty(a.PauseReason) }},
	{"silenceId", func(a *alertLine) string {
		if a.Silence == nil {
			return ""
		}
		return a.Silence.ID
	}},
}

func alerts(s *store.Store, p *params) source {
	f := &models.AlertFilter{
		Types: list(p, "types", text), Severities: list(p, "severities", enum[models.Severity]),
		MinSeverity: single(p, "minSeverity", enum[models.Severity]), States: list(p, "states", enum[models.AlertState]),
		IsResolved: single(p, "isResolved", truth), Assignee: single(p, "assignee", text), IsSilenced: single(p, "isSilenced", truth),
		SilenceID:    single(p, "silenceId", id),
		RustbucketID: single(p, "rustbucketId", text), CreatedAfter: single(p, "createdAfter", moment),
		CreatedBefore: single(p, "createdBefore", moment), Search: single(p, "search", text),
	}
	return walker(alertColumns,
		func(ctx context.Context) (store.Span, error) { return s.AlertSpan(ctx, f) },
		func(ctx context.Context, span store.Span, each func(*alertLine) bool) (store.Span, error) {
			return s.WalkAlerts(ctx, f, span, func(a *models.Alert) bool { return each(newAlertLine(a)) })
		})
}

func newAlertLine(a *models.Alert) *alertLine {
	line := &alertLine{
		ID: number(a.ID), Type: a.Type, Severity: a.Severity.String(), Message: a.Message, Details: a.Details, DedupKey: a.DedupKey,
		Occurrences: a.Occurrences, State: string(a.State()), IsResolved: a.IsResolved(), CreatedAt: stamp(a.CreatedAt),
		AcknowledgedAt: stampOf(a.AcknowledgedAt), AcknowledgedBy: a.AcknowledgedBy, Assignee: a.Assignee,
		ResolvedAt: stampOf(a.ResolvedAt), ResolvedBy: a.ResolvedBy,
		Source: string(a.Source()), PauseReason: a.PauseReason,
	}
	if r := a.Rustbucket; r != nil {
		line.Rustbucket = &rustbucketLine{r.ID, r.Name}
	}
	if a.SilenceID != nil {
		line.Silence = &silenceLine{number(*a.SilenceID)}
	}
	return line
}

type deliveryLine struct {
	ID            string            `json:"id"`
	Alert         deliveryAlertLine `json:"alert"`
	Channel       channelLine       `json:"channel"`
	Kind          string            `json:"kind"`
	Status        string            `json:"status"`
	Attempts      int               `json:"attempts"`
	NextAttemptAt *string           `json:"nextAttemptAt"`
	Error         *string           `json:"error"`
	CreatedAt     string            `json:"createdAt"`
	CompletedAt   *string           `json:"completedAt"`
	DigestSize    *int              `json:"digestSize"`
}

type deliveryAlertLine struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Severity string `json:"severity"`
}

type channelLine struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

var deliveryColumns = []column[*deliveryLine]{
	{"id", func(d *deliveryLine) string { return d.ID }},
	{"alertId", func(d *deliveryLine) string { return d.Alert.ID }},
	{"alertType", func(d *deliveryLine) string { return d.Alert.Type }},
	{"alertSeverity", func(d *deliveryLine) string { return d.Alert.Severity }},
	{"channelId", func(d *deliveryLine) string { return d.Channel.ID }},
	{"channelName", func(d *deliveryLine) string { return d.Channel.Name }},
	{"channelType", func(d *deliveryLine) string { return d.Channel.Type }},
	{"kind", func(d *deliveryLine) string { return d.Kind }},
	{"status", func(d *deliveryLine) string { return d.Status }},
	{"attempts", func(d *deliveryLine) string { return strconv.Itoa(d.Attempts) }},
	{"nextAttemptAt", func(d *deliveryLine) string { return orEmpty(d.NextAttemptAt) }},
	{"error", func(d *deliveryLine) string { return orEmpty(d.Error) }},
	{"createdAt", func(d *deliveryLine) string { return d.CreatedAt }},
	{"completedAt", func(d *deliveryLine) string { return orEmpty(d.CompletedAt) }},
	{"digestSize", func(d *deliveryLine) string {
		if d.DigestSize == nil {
			return ""
		}
		return strconv.Itoa(*d.DigestSize)
	}},
}

func deliveries(s *store.Store, p *params) source {
	f := &models.DeliveryFilter{
		AlertID: single(p, "alertId", id), ChannelID: single(p, "channelId", id), Statuses: list(p, "statuses", enum[models.DeliveryStatus]),
		CreatedAfter: single(p, "createdAfter", moment), CreatedBefore: single(p, "createdBefore", moment),
	}
	return walker(deliveryColumns,
		func(ctx context.Context) (store.Span, error) { return s.DeliverySpan(ctx, f) },
		func(ctx context.Context, span store.Span, each func(*deliveryLine) bool) (store.Span, error) {
			return s.WalkDeliveries(ctx, f, span, func(d *store.DeliveryLine) bool { return each(newDeliveryLine(d)) })
		})
}

func newDeliveryLine(d *store.DeliveryLine) *deliveryLine {
	return &deliveryLine{
		ID: number(d.ID), Alert: deliveryAlertLine{number(d.AlertID), d.AlertType, d.AlertSeverity.String()},
		Channel: channelLine{number(d.ChannelID), d.ChannelName, string(d.ChannelType)},
		Kind:    string(d.Kind), Status: string(d.Status), Attempts: d.Attempts, NextAttemptAt: stampOf(d.NextAttemptAt), Error: d.Error,
		CreatedAt: stamp(d.CreatedAt), CompletedAt: stampOf(d.CompletedAt), DigestSize: d.DigestSize,
	}
}

// number is an id as the API shows it.
func number(id int64) string { return strconv.FormatInt(id, 10) }

// stamp is a moment as the API shows it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }

func stampOf(t *time.Time) *string {
	if t == nil {
		return nil
	}
	return new(stamp(*t))
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
