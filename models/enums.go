package models

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Severity says how bad an alert is. It is ordered: SeverityLow < SeverityMedium < SeverityHigh.
type Severity int

// The severities, as they are stored.
const (
	SeverityLow Severity = iota
	SeverityMedium
	SeverityHigh
)

var severityNames = []string{"LOW", "MEDIUM", "HIGH"}

func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return "Severity(" + strconv.Itoa(int(s)) + ")"
	}
	return severityNames[s]
}

// Lower gives the name in lower case, as notifications carry it.
func (s Severity) Lower() string { return strings.ToLower(s.String()) }

// MarshalGQL writes the severity as a GraphQL enum.
func (s Severity) MarshalGQL(w io.Writer) { writeEnum(w, s.String()) }

// UnmarshalGQL reads a GraphQL enum.
func (s *Severity) UnmarshalGQL(v any) error {
	name, err := readEnum("Severity", v, severityNames)
	if err == nil {
		*s = Severity(slices.Index(severityNames, name))
	}
	return err
}

// ChannelType is the service that a channel speaks to.
type ChannelType string

// The channel types, as they are stored and shown.
const (
	Email     ChannelType = "EMAIL"
	Slack     ChannelType = "SLACK"
	Webhook   ChannelType = "WEBHOOK"
	PagerDuty ChannelType = "PAGERDUTY"
	Opsgenie  ChannelType = "OPSGENIE"
	Teams     ChannelType = "TEAMS"
	Discord   ChannelType = "DISCORD"
)

// MarshalGQL writes the type as a GraphQL enum.
func (t ChannelType) MarshalGQL(w io.Writer) { writeEnum(w, string(t)) }

// UnmarshalGQL reads a GraphQL enum.
func (t *ChannelType) UnmarshalGQL(v any) (err error) {
	*t, err = readEnum("ChannelType", v, ChannelTypes())
	return err
}

// FieldKind says how a form asks for a field of a channel's config.
type FieldKind string

// The kinds of fields, as they are shown.
const (
	FieldText     FieldKind = "TEXT"
	FieldLongText FieldKind = "LONG_TEXT" // several lines
	FieldList     FieldKind = "LIST"      // of texts
	FieldMap      FieldKind = "MAP"       // names and their values
)

var fieldKinds = []FieldKind{FieldText, FieldLongText, FieldList, FieldMap}

// MarshalGQL writes the kind as a GraphQL enum.
func (k FieldKind) MarshalGQL(w io.Writer) { writeEnum(w, string(k)) }

// UnmarshalGQL reads a GraphQL enum.
func (k *FieldKind) UnmarshalGQL(v any) (err error) {
	*k, err = readEnum("FieldKind", v, fieldKinds)
	return err
}

// DeliveryStatus says where a delivery stands. Only Pending is not final.
type DeliveryStatus string

// The statuses, as they are stored and shown.
const (
	Pending   DeliveryStatus = "PENDING"
	Delivered DeliveryStatus = "DELIVERED"
	Failed    DeliveryStatus = "FAILED"
	Cancelled DeliveryStatus = "CANCELLED"
)

var deliveryStatuses = []DeliveryStatus{Pending, Delivered, Failed, Cancelled}

// MarshalGQL writes the status as a GraphQL enum.
func (s DeliveryStatus) MarshalGQL(w io.Writer) { writeEnum(w, string(s)) }

// UnmarshalGQL reads a GraphQL enum.
func (s *DeliveryStatus) UnmarshalGQL(v any) (err error) {
	*s, err = readEnum("DeliveryStatus", v, deliveryStatuses)
	return err
}

// DeliveryKind says what a delivery tells.
type DeliveryKind string

// The kinds of delivery, as they are stored and shown.
const (
	TellAlert        DeliveryKind = "ALERT"        // that the alert came in
	TellAcknowledged DeliveryKind = "ACKNOWLEDGED" // that somebody is on it
	TellResolved     DeliveryKind = "RESOLVED"     // that it was resolved
	TellReopened     DeliveryKind = "REOPENED"     // that it was reopened
)

var deliveryKinds = []DeliveryKind{TellAlert, TellAcknowledged, TellResolved, TellReopened}

// MarshalGQL writes the kind as a GraphQL enum.
func (k DeliveryKind) MarshalGQL(w io.Writer) { writeEnum(w, string(k)) }

// UnmarshalGQL reads a GraphQL enum.
func (k *DeliveryKind) UnmarshalGQL(v any) (err error) {
	*k, err = readEnum("DeliveryKind", v, deliveryKinds)
	return err
}

// HealthState says how a channel fares.
type HealthState string

// The states of health, as they are stored and shown.
const (
	HealthOK      HealthState = "OK"
	HealthFailing HealthState = "FAILING" // the last attempts failed
	HealthPaused  HealthState = "PAUSED"  // too many failed: one delivery at a time finds out whether it works again
	HealthBroken  HealthState = "BROKEN"  // the service said that nothing works until somebody mends it
)

// HealthStates lists every state.
var HealthStates = []HealthState{HealthOK, HealthFailing, HealthPaused, HealthBroken}

// MarshalGQL writes the state as a GraphQL enum.
func (s HealthState) MarshalGQL(w io.Writer) { writeEnum(w, string(s)) }

// UnmarshalGQL reads a GraphQL enum.
func (s *HealthState) UnmarshalGQL(v any) (err error) {
	*s, err = readEnum("HealthState", v, HealthStates)
	return err
}

// AlertSource says who raised an alert.
type AlertSource string

// The sources, as they are shown.
const (
	FromAPI    AlertSource = "API"
	FromServer AlertSource = "SERVER" // itself: a channel that fails, a delivery that was given up, a rustbucket that is not heard of
	FromImport AlertSource = "IMPORT" // another system: it was taken over from there, and nobody was told again
)

var alertSources = []AlertSource{FromAPI, FromServer, FromImport}

// MarshalGQL writes the source as a GraphQL enum.
func (s AlertSource) MarshalGQL(w io.Writer) { writeEnum(w, string(s)) }

// UnmarshalGQL reads a GraphQL enum.
func (s *AlertSource) UnmarshalGQL(v any) (err error) {
	*s, err = readEnum("AlertSource", v, alertSources)
	return err
}

// Afterwards says what becomes of the notifications of a pause when it ends.
type Afterwards string

// What may become of them, as it is stored and shown.
const (
	TellThem Afterwards = "TELL"
	DropThem Afterwards = "DROP"
)

var afterwards = []Afterwards{TellThem, DropThem}

// MarshalGQL writes it as a GraphQL enum.
func (a Afterwards) MarshalGQL(w io.Writer) { writeEnum(w, string(a)) }

// UnmarshalGQL reads a GraphQL enum.
func (a *Afterwards) UnmarshalGQL(v any) (err error) {
	*a, err = readEnum("Afterwards", v, afterwards)
	return err
}

// RoutingReason says why a channel is told about an alert, or why not.
type RoutingReason string

// The reasons, in the order in which they are looked at.
const (
	NotifyFalse      RoutingReason = "NOTIFY_FALSE"
	Duplicate        RoutingReason = "DUPLICATE"
	ChannelInactive  RoutingReason = "CHANNEL_INACTIVE"
	BelowMinSeverity RoutingReason = "BELOW_MIN_SEVERITY"
	TypeNotSelected  RoutingReason = "TYPE_NOT_SELECTED"
	AboutItself      RoutingReason = "ABOUT_ITSELF"
	Silenced         RoutingReason = "SILENCED"
	Paused           RoutingReason = "NOTIFICATIONS_PAUSED"
	Matched          RoutingReason = "MATCHED"
)

var routingReasons = []RoutingReason{NotifyFalse, Duplicate, ChannelInactive, BelowMinSeverity, TypeNotSelected, AboutItself, Silenced, Paused, Matched}

// MarshalGQL writes the reason as a GraphQL enum.
func (r RoutingReason) MarshalGQL(w io.Writer) { writeEnum(w, string(r)) }

// UnmarshalGQL reads a GraphQL enum.
func (r *RoutingReason) UnmarshalGQL(v any) (err error) {
	*r, err = readEnum("RoutingReason", v, routingReasons)
	return err
}

// FeedEventKind says what happened.
type FeedEventKind string

// The kinds of event, as they are stored and shown.
const (
	AlertCreated    FeedEventKind = "ALERT_CREATED"
	AlertUpdated    FeedEventKind = "ALERT_UPDATED"
	AlertDeleted    FeedEventKind = "ALERT_DELETED"
	DeliveryUpdated FeedEventKind = "DELIVERY_UPDATED"
)

var feedEventKinds = []FeedEventKind{AlertCreated, AlertUpdated, AlertDeleted, DeliveryUpdated}

// MarshalGQL writes the kind as a GraphQL enum.
func (k FeedEventKind) MarshalGQL(w io.Writer) { writeEnum(w, string(k)) }

// UnmarshalGQL reads a GraphQL enum.
func (k *FeedEventKind) UnmarshalGQL(v any) (err error) {
	*k, err = readEnum("FeedEventKind", v, feedEventKinds)
	return err
}

// Role is what a token may do.
type Role string

// The roles, as they are stored and shown.
const (
	Reporter Role = "REPORTER"
	Viewing  Role = "VIEWER"
	Analyst  Role = "ANALYST"
	Admin    Role = "ADMIN"
)

// Roles lists every role.
var Roles = []Role{Reporter, Viewing, Analyst, Admin}

// MarshalGQL writes the role as a GraphQL enum.
func (r Role) MarshalGQL(w io.Writer) { writeEnum(w, string(r)) }

// UnmarshalGQL reads a GraphQL enum.
func (r *Role) UnmarshalGQL(v any) (err error) {
	*r, err = readEnum("Role", v, Roles)
	return err
}

func writeEnum(w io.Writer, name string) { _, _ = io.WriteString(w, strconv.Quote(name)) }

// readEnum takes one of the names exactly as written, and says which they are when v is none of them.
func readEnum[T ~string](enum string, v any, names []T) (T, error) {
	s, ok := v.(string)
	if ok && slices.Contains(names, T(s)) {
		return T(s), nil
	}
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = string(n)
	}
	return "", Invalid("", "%s is not a %s: use one of %s", fmt.Sprintf("%.40q", fmt.Sprint(v)), enum, strings.Join(all, ", "))
}
