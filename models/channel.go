package models

import (
	"slices"
	"time"
)

// Channel is somewhere that alerts are told.
type Channel struct {
	ID          int64
	Name        string
	Config      ChannelConfig // with its secrets in clear: show it as Config.Masked()
	MinSeverity Severity
	AlertTypes  []string // empty = all types
	IsActive    bool
	RateLimit   *RateLimit // nil = as many as there are
	// NotifyOnResolve says that it is told, too, when an alert is resolved.
	NotifyOnResolve bool
	// NotifyOnAcknowledge says that it is told, too, when somebody acknowledges an alert.
	NotifyOnAcknowledge bool
	CreatedAt           time.Time
	UpdatedAt           time.Time
	DeletedAt           *time.Time // nil unless it was deleted
}

// Type is the service that the channel speaks to.
func (c *Channel) Type() ChannelType { return c.Config.Type() }

// Valid returns an Error that names the field at fault, below the given path, or nil.
func (c *Channel) Valid(path string) error {
	if err := c.ValidButConfig(path); err != nil {
		return err
	}
	return c.Config.Valid(path + ".config")
}

// ValidButConfig is Valid for a channel whose config stays as it was stored: what was fine then may not be any more, and still
// it may be renamed and switched off.
func (c *Channel) ValidButConfig(path string) error {
	if err := ValidText(path+".name", c.Name, MaxName); err != nil {
		return err
	}
	for i, t := range c.AlertTypes {
		field := pathIndex(path+".alertTypes", i)
		if err := ValidText(field, t, MaxName); err != nil {
			return err
		}
		if slices.Contains(c.AlertTypes[:i], t) {
			return Invalid(field, "%q is named twice", t)
		}
	}
	return c.RateLimit.Valid(path + ".rateLimit")
}

// Decide says whether this channel is told about an alert of this type and severity, and why not.
func (c *Channel) Decide(alertType string, severity Severity) RoutingReason {
	switch {
	case !c.IsActive || c.DeletedAt != nil:
		return ChannelInactive
	case severity < c.MinSeverity:
		return BelowMinSeverity
	case len(c.AlertTypes) > 0 && !slices.Contains(c.AlertTypes, alertType):
		return TypeNotSelected
	}
	return Matched
}

// ChannelFilter says which channels are wanted. All given fields must match.
type ChannelFilter struct {
	Types    []ChannelType
	IsActive *bool
	Search   *string // part of the name, whatever the case
}

// RoutingDecision is what is decided for one channel about one alert.
type RoutingDecision struct {
	ChannelID int64
	Reason    RoutingReason
}

// WillNotify reports whether the channel is told.
func (d RoutingDecision) WillNotify() bool { return d.Reason == Matched }

// Decisions is what is decided for every channel about one alert, in the order of the channels.
type Decisions []RoutingDecision

// Silenced reports whether a silence has kept a channel from being told.
func (d Decisions) Silenced() bool {
	return slices.ContainsFunc(d, func(x RoutingDecision) bool { return x.Reason == Silenced })
}

// Route decides for every channel whether it is told about the alert. duplicate says that an open alert with the same
// dedup key is counted up instead; silence is the one that holds for the alert, and pause the one of all notifications, nil
// when there is none.
func Route(a *NewAlert, duplicate bool, silence *Silence, pause *Pause, channels []*Channel) Decisions {
	decisions := make(Decisions, len(channels))
	for i, c := range channels {
		reason := NotifyFalse
		switch {
		case !a.Notify:
		case duplicate:
			reason = Duplicate
		default:
			reason = c.Decide(a.Type, a.Severity)
		}
		switch {
		case reason != Matched:
		case a.AboutChannel == c.ID:
			reason = AboutItself
		case silence != nil:
			reason = Silenced
		case pause != nil && pause.Afterwards == DropThem:
			reason = Paused
		}
		decisions[i] = RoutingDecision{ChannelID: c.ID, Reason: reason}
	}
	return decisions
}
