package models

import (
	"context"
	"encoding/json"
	"io"
	"time"
)

// AuditEntry says who changed what, when and from where. Entries are never changed, and kept for good.
type AuditEntry struct {
	ID          int64
	At          time.Time
	By          string // name of the token, "command line", or "server"
	TokenID     *int64 // nil for what is no stored token
	Address     *string
	Action      AuditAction
	SubjectID   *int64  // of the channel, token, alert, delivery or silence; nil where there are several, or none
	SubjectName *string // its name then
	// Changes is what was changed, by field: {"from": …, "to": …} where it was something before. Secrets are masked.
	Changes json.RawMessage
}

// What is no token is called by these names, which no token may have.
const (
	ServerName      = "server"
	CommandLineName = "command line"
)

// AuditAction is a kind of change.
type AuditAction string

// The actions, as they are stored and shown.
const (
	ChannelCreated       AuditAction = "CHANNEL_CREATED"
	ChannelUpdated       AuditAction = "CHANNEL_UPDATED"
	ChannelDeleted       AuditAction = "CHANNEL_DELETED"
	ChannelTested        AuditAction = "CHANNEL_TESTED"
	TokenCreated         AuditAction = "TOKEN_CREATED"
	TokenRevoked         AuditAction = "TOKEN_REVOKED"
	AlertAcknowledged    AuditAction = "ALERT_ACKNOWLEDGED"
	AlertResolved        AuditAction = "ALERT_RESOLVED"
	AlertReopened        AuditAction = "ALERT_REOPENED"
	AlertAssigned        AuditAction = "ALERT_ASSIGNED"
	AlertCommented       AuditAction = "ALERT_COMMENTED"
	AlertsAcknowledged   AuditAction = "ALERTS_ACKNOWLEDGED"
	AlertsResolved       AuditAction = "ALERTS_RESOLVED"
	AlertsReopened       AuditAction = "ALERTS_REOPENED"
	AlertsAssigned       AuditAction = "ALERTS_ASSIGNED"
	AlertsDeleted        AuditAction = "ALERTS_DELETED"
	DeliveryRetried      AuditAction = "DELIVERY_RETRIED"
	DeliveriesRetried    AuditAction = "DELIVERIES_RETRIED"
	DeliveriesCancelled  AuditAction = "DELIVERIES_CANCELLED"
	NotificationsPaused  AuditAction = "NOTIFICATIONS_PAUSED"
	NotificationsResumed AuditAction = "NOTIFICATIONS_RESUMED"
	SilenceCreated       AuditAction = "SILENCE_CREATED"
	SilenceEnded         AuditAction = "SILENCE_ENDED"
	SecretsResealed      AuditAction = "SECRETS_RESEALED"
	HeartbeatExpected    AuditAction = "HEARTBEAT_EXPECTED"
)

// AuditActions lists every action.
var AuditActions = []AuditAction{
	ChannelCreated, ChannelUpdated, ChannelDeleted, ChannelTested, TokenCreated, TokenRevoked, AlertAcknowledged, AlertResolved,
	AlertReopened, AlertAssigned, AlertCommented, AlertsAcknowledged, AlertsResolved, AlertsReopened, AlertsAssigned, AlertsDeleted, DeliveryRetried,
	DeliveriesRetried, DeliveriesCancelled, NotificationsPaused, NotificationsResumed, SilenceCreated, SilenceEnded, SecretsResealed,
	HeartbeatExpected,
}

// MarshalGQL writes the action as a GraphQL enum.
func (a AuditAction) MarshalGQL(w io.Writer) { writeEnum(w, string(a)) }

// UnmarshalGQL reads a GraphQL enum.
func (a *AuditAction) UnmarshalGQL(v any) (err error) {
	*a, err = readEnum("AuditAction", v, AuditActions)
	return err
}

// AuditFilter says which entries are wanted. All given fields must match.
type AuditFilter struct {
	Actions   []AuditAction
	By        *string
	SubjectID *int64
	After     *time.Time // this moment or later
	Before    *time.Time // before this moment
}

// Actor is who does something, and from where.
type Actor struct {
	Name    string
	TokenID int64  // 0 = no stored token
	Address string // empty = not over the network
}

type actorKey struct{}

// WithActor notes who does what is done with ctx.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom gives who does it: the server itself when nobody was noted.
func ActorFrom(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return Actor{Name: ServerName}
}
