package graph

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/tracing"
)

const maxAlertsPerCall = 1000

// newAlert translates and checks an alert to be created.
func newAlert(ctx context.Context, path string, in *CreateAlertInput) (*models.NewAlert, error) {
	a := &models.NewAlert{
		Type: in.Type, Severity: in.Severity, Message: in.Message, Details: in.Details, Rustbucket: in.Rustbucket,
		DedupKey: in.DedupKey, Notify: in.Notify, TraceParent: tracing.Parent(ctx),
	}
	if v := access.ViewerFrom(ctx); v != nil {
		a.CreatedBy = v.TokenID
	}
	return a, a.Valid(path)
}

// shown is an alert as its creator may see it. A REPORTER whose alert was counted up on somebody else's learns its id and
// how often it was reported, beside what it has sent itself.
func shown(ctx context.Context, given *models.NewAlert, a *models.Alert) *models.Alert {
	if own := ownAlerts(ctx, nil); own.Match(a) {
		return a
	}
	return &models.Alert{
		ID: a.ID, Type: given.Type, Severity: given.Severity, Message: given.Message, Details: given.Details,
		Rustbucket: given.Rustbucket, DedupKey: a.DedupKey, Occurrences: a.Occurrences, Notify: given.Notify, CreatedAt: a.CreatedAt,
	}
}

func newAlerts(ctx context.Context, inputs []*CreateAlertInput) ([]*models.NewAlert, error) {
	if len(inputs) == 0 || len(inputs) > maxAlertsPerCall {
		return nil, models.Invalid("inputs", "has %d alerts: give 1 to %d at a time", len(inputs), maxAlertsPerCall)
	}
	alerts := make([]*models.NewAlert, len(inputs))
	for i, in := range inputs {
		var err error
		if alerts[i], err = newAlert(ctx, "inputs."+strconv.Itoa(i), in); err != nil {
			return nil, err
		}
	}
	return alerts, nil
}

// oneConfig gives the one config that was given.
func oneConfig(path string, in *ChannelConfigInput) (models.ChannelConfig, error) {
	given := in.given()
	if len(given) != 1 { // oneOf has refused it already, wherever it stood
		return nil, models.Invalid(path, "needs exactly one of its fields")
	}
	return given[0], nil
}

// given has the configs that are not null.
func (in *ChannelConfigInput) given() []models.ChannelConfig {
	var given []models.ChannelConfig
	for _, c := range []struct {
		config models.ChannelConfig
		given  bool
	}{
		{in.Email, in.Email != nil}, {in.Slack, in.Slack != nil}, {in.Webhook, in.Webhook != nil},
		{in.Pagerduty, in.Pagerduty != nil}, {in.Opsgenie, in.Opsgenie != nil}, {in.Teams, in.Teams != nil}, {in.Discord, in.Discord != nil},
	} {
		if c.given {
			given = append(given, c.config)
		}
	}
	return given
}

func (r *Resolver) newChannel(in *CreateChannelInput) (*models.Channel, error) {
	config, err := oneConfig("input.config", in.Config)
	if err != nil {
		return nil, err
	}
	c := &models.Channel{
		Name: in.Name, Config: config, MinSeverity: in.MinSeverity, AlertTypes: in.AlertTypes, IsActive: in.IsActive,
		RateLimit: config.Type().Info().RateLimit, NotifyOnResolve: config.Type().Info().NotifyOnResolve,
		NotifyOnAcknowledge: config.Type().Info().NotifyOnAcknowledge,
	}
	if limit, given := in.RateLimit.ValueOK(); given {
		c.RateLimit = limit
	}
	if in.NotifyOnResolve != nil {
		c.NotifyOnResolve = *in.NotifyOnResolve
	}
	if in.NotifyOnAcknowledge != nil {
		c.NotifyOnAcknowledge = *in.NotifyOnAcknowledge
	}
	return c, c.Valid("input")
}

// apply changes a channel as the input says.
func (r *Resolver) apply(in *UpdateChannelInput, c *models.Channel) error {
	if in.Config != nil {
		config, err := oneConfig("input.config", in.Config)
		if err != nil {
			return err
		}
		if config.Type() != c.Type() {
			return models.Invalid("input.config", "is of type %s, but the channel is of type %s: create a new channel instead", config.Type(), c.Type())
		}
		c.Config = config.Unmask(c.Config)
	}
	if in.Name != nil {
		c.Name = *in.Name
	}
	if in.MinSeverity != nil {
		c.MinSeverity = *in.MinSeverity
	}
	if in.AlertTypes != nil {
		c.AlertTypes = in.AlertTypes
	}
	if in.IsActive != nil {
		c.IsActive = *in.IsActive
	}
	if limit, given := in.RateLimit.ValueOK(); given {
		c.RateLimit = limit
	}
	if in.NotifyOnResolve != nil {
		c.NotifyOnResolve = *in.NotifyOnResolve
	}
	if in.NotifyOnAcknowledge != nil {
		c.NotifyOnAcknowledge = *in.NotifyOnAcknowledge
	}
	if in.Config == nil {
		return c.ValidButConfig("input")
	}
	return c.Valid("input")
}

// unmasked is a config to be tested with the secrets of the channel that it is meant for. They go to the host that has them, and
// nowhere else: so nobody is shown a secret by testing a channel against a receiver of their own.
func (r *Resolver) unmasked(channelID int64, given models.ChannelConfig) (models.ChannelConfig, error) {
	channel := r.Directory.Get(channelID)
	if channel == nil {
		return nil, models.Missing("channel", channelID)
	}
	if channel.Type() != given.Type() {
		return nil, models.Invalid("config", "is of type %s, but the channel is of type %s: leave channelId out", given.Type(), channel.Type())
	}
	config := given.Unmask(channel.Config)
	if !reflect.DeepEqual(config, given) && models.HostOf(config) != models.HostOf(channel.Config) {
		return nil, models.Invalid("config", "goes to another host than the channel, which is not given its secrets by a test: give those that are masked as a whole")
	}
	return config, nil
}

// byHand is the filter of deliveries that somebody retries or cancels. It must say something, so that nobody means a few
// and gets all.
func byHand(f models.DeliveryFilter, unless models.DeliveryStatus, may ...models.DeliveryStatus) (*models.DeliveryFilter, error) {
	if f.AlertID == nil && f.ChannelID == nil && f.CreatedAfter == nil && f.CreatedBefore == nil && len(f.Statuses) == 0 {
		return nil, models.Invalid("filter", "is empty: name at least one field, such as channelId, or statuses for all of them")
	}
	for i, s := range f.Statuses {
		if !slices.Contains(may, s) {
			return nil, models.Invalid("filter.statuses."+strconv.Itoa(i), "is %s: this is for %v", s, may)
		}
	}
	if len(f.Statuses) == 0 {
		f.Statuses = []models.DeliveryStatus{unless}
	}
	return &f, nil
}

func (r *Resolver) newPause(ctx context.Context, until *time.Time, reason string, afterwards models.Afterwards) (*models.Pause, error) {
	if err := models.ValidText("reason", reason, models.MaxName); err != nil {
		return nil, err
	}
	if until != nil && !until.After(r.Store.Now()) {
		return nil, models.Invalid("until", "is %s, which has passed: give a later time, or leave it out", until.UTC().Format(time.RFC3339))
	}
	return &models.Pause{Until: until, Reason: reason, Afterwards: afterwards, By: access.ViewerFrom(ctx).Name}, nil
}
