package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

const (
	channelFailing = models.ChannelFailing
	deliveryFailed = models.DeliveryFailed
)

// tellAgain is how long nobody is told anew of the same channel's troubles: a channel that comes and goes would fill the others.
const tellAgain = 10 * time.Minute

// react decides what the server raises about what became of channels and deliveries. What becomes of alerts that it raised
// so raises nothing, so that they can never feed on themselves; they go to every matching channel but the one that
// they are about.
func (d *Dispatcher) react(changes []*store.StateChange) store.Reaction {
	var r store.Reaction
	for _, c := range changes {
		channel := d.directory.Get(c.ChannelID)
		if channel == nil {
			continue
		}
		var failed []*store.Outcome
		ordinary := false
		for _, o := range c.Outcomes {
			if o.Alert == nil || o.Alert.AboutTelling() || o.Status == models.Delivered {
				continue
			}
			ordinary = true
			if o.Status == models.Failed {
				failed = append(failed, o)
			}
		}
		told := c.After.Announced
		if out := !c.After.InService(); out && ordinary && (c.Before.Health != c.After.Health || !told) {
			d.raise(&r, d.channelFailing(channel, c.After), told, &c.After.PausedToldAt, c.After)
		}
		if len(failed) > 0 {
			d.raise(&r, d.deliveryFailed(channel, failed), told, &c.After.FailedToldAt, c.After)
		}
		if c.Worked && c.After.Health == models.HealthOK && (c.After.Announced || c.Before.Health != models.HealthOK || len(failed) > 0) {
			r.Resolve = append(r.Resolve, models.OwnKeyOf(channelFailing, channel.ID), models.OwnKeyOf(deliveryFailed, channel.ID))
			c.After.Announced = false
		}
	}
	return r
}

// raise adds an alert of the server's own to a reaction. before is when somebody was last told of the like. Within tellAgain of
// that it is stored, and nobody is told; if the trouble lasts longer, an alert that is told takes the place of the silent one.
func (d *Dispatcher) raise(r *store.Reaction, a *models.NewAlert, announced bool, before **time.Time, state *models.ChannelState) {
	now := d.store.Now()
	a.Notify = *before == nil || now.Sub(**before) >= tellAgain
	insert := route(a, d.directory.rules())
	r.Raise = append(r.Raise, insert)
	dropped := slices.ContainsFunc(insert.Decisions, func(d models.RoutingDecision) bool { return d.Reason == models.Paused || d.Reason == models.Silenced })
	if !a.Notify || dropped {
		return // to be told later, if it lasts
	}
	if !announced {
		r.Replace = append(r.Replace, *a.DedupKey)
	}
	*before, state.Announced = &now, true
}

func (d *Dispatcher) channelFailing(c *models.Channel, state *models.ChannelState) *models.NewAlert {
	what := fmt.Sprintf("is paused after %d failures in a row; it is tried again from time to time, and what is to be told waits", state.Failures)
	if state.Health == models.HealthBroken {
		what = "is broken and needs somebody to mend it; what is to be told waits"
	}
	return ownAlert(channelFailing, models.SeverityHigh, c, fmt.Sprintf("Channel %q (%s) %s. Last error: %s", c.Name, c.Type(), what, *state.LastError),
		map[string]any{"state": state.Health, "error": *state.LastError})
}

func (d *Dispatcher) deliveryFailed(c *models.Channel, failed []*store.Outcome) *models.NewAlert {
	first, severity := failed[0], models.SeverityMedium
	for _, o := range failed {
		severity = max(severity, o.Alert.Severity)
	}
	text := fmt.Sprintf("Alert %d (%s, %s) was not told on channel %q (%s): %s", first.Alert.ID, first.Alert.Type, first.Alert.Severity, c.Name, c.Type(), *first.Error)
	if n := len(failed) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	return ownAlert(deliveryFailed, severity, c, text,
		map[string]any{"delivery": strconv.FormatInt(first.Delivery.ID, 10), "alert": strconv.FormatInt(first.Alert.ID, 10), "error": *first.Error})
}

func ownAlert(kind string, severity models.Severity, c *models.Channel, message string, details map[string]any) *models.NewAlert {
	details["channel"], details["channelId"] = c.Name, strconv.FormatInt(c.ID, 10)
	text, _ := json.Marshal(details) // strings only
	key := models.OwnKeyOf(kind, c.ID)
	if runes := []rune(message); len(runes) > models.MaxMessage {
		message = string(runes[:models.MaxMessage])
	}
	return &models.NewAlert{
		Type: kind, Severity: severity, Message: message, Details: text, DedupKey: &key, Notify: true,
		CreatedBy: models.ServerItself, AboutChannel: c.ID,
	}
}

// Announce decides for every channel whether it is told about an alert of the server's own that another room raises. When that is
// not stored because it is outdated (store.ErrOutdated), Relearn comes before the next try; Settled follows when it is.
func (d *Dispatcher) Announce(a *models.NewAlert) store.AlertInsert {
	r := d.directory.rules()
	insert := route(a, r)
	insert.Revision = r.revision
	return insert
}

// Relearn reads again what decides who is told.
func (d *Dispatcher) Relearn(ctx context.Context) error { return d.directory.Refresh(ctx) }

// route decides for every channel whether it is told about an alert. Its deliveries are not leased.
func route(a *models.NewAlert, r rules) store.AlertInsert {
	silence := r.silences.Of(a, r.now)
	insert := store.AlertInsert{New: a, Decisions: models.Route(a, false, silence, r.pause, r.channels)}
	if silence != nil {
		insert.SilenceID = &silence.ID
	}
	if r.pause != nil {
		insert.PauseReason = &r.pause.Reason
	}
	if a.DedupKey != nil {
		insert.Again = func(open *models.Alert) *store.AlertInsert { return routeAgain(open, a, r) }
	}
	for _, d := range insert.Decisions {
		if d.WillNotify() {
			insert.Deliveries = append(insert.Deliveries, store.NewDelivery{ChannelID: d.ChannelID})
		}
	}
	return insert
}

// routeAgain decides anew about an open alert that a silence has kept from being told, and that is reported once more, by a, when
// no silence holds for it any more: as if it came in now. Otherwise whoever only looks at notifications would never hear of a
// trouble that lasts. Not when somebody acknowledged it: they are on it. Nil = it stays as it was decided.
func routeAgain(open *models.Alert, a *models.NewAlert, r rules) *store.AlertInsert {
	if !a.Notify || open.AcknowledgedAt != nil || !open.Decisions.Silenced() {
		return nil
	}
	insert := route(open.Again(a), r)
	if insert.SilenceID != nil {
		return nil
	}
	return &insert
}
