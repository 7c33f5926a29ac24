package dispatch

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
	"github.com/rustbucket/alerts/store"
)

// maxTests is how many channels one testChannels tests at a time.
const maxTests = 16

// attempt tells one channel once, or decides that it is not to be told any more, and says what that makes of the delivery.
func (d *Dispatcher) attempt(j job) store.Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	channel := d.directory.Get(j.delivery.ChannelID)
	if channel == nil || !channel.IsActive {
		// Perhaps another process has just created it or switched it on: only the database knows.
		if err := d.directory.Refresh(ctx); err != nil {
			return postponed(j.delivery)
		}
		channel = d.directory.Get(j.delivery.ChannelID)
	}
	switch {
	case channel == nil:
		return cancelled(j.delivery, nil, store.CancelledDeleted)
	case !channel.IsActive:
		return cancelled(j.delivery, nil, store.CancelledInactive)
	}
	started := time.Now()
	outcome := d.send(ctx, notifiers.Notification{Key: d.key(j.delivery), Alert: j.alert, Config: channel.Config})
	attempt := &models.DeliveryAttempt{
		DeliveryID: j.delivery.ID, Number: j.delivery.Attempts + 1, StartedAt: started, Duration: time.Since(started),
		StatusCode: optional(outcome.StatusCode), Error: optional(outcome.Error), Response: optional(outcome.Response),
	}
	d.log.Debug("attempt", "delivery", j.delivery.ID, "alert", j.alert.ID, "channel", channel.ID, "number", attempt.Number,
		"status", outcome.StatusCode, "error", outcome.Error, "duration", attempt.Duration)
	if outcome.Result == notifiers.Retry {
		if now := d.directory.Get(channel.ID); now == nil {
			return cancelled(j.delivery, attempt, store.CancelledDeleted)
		} else if !now.IsActive {
			return cancelled(j.delivery, attempt, store.CancelledInactive)
		}
	}
	return judge(j.delivery, attempt, outcome)
}

// send goes through the notifier of the channel's type. A notifier that panics harms one attempt only.
func (d *Dispatcher) send(ctx context.Context, n notifiers.Notification) (outcome notifiers.Outcome) {
	notifier, ok := d.notifiers[n.Config.Type()]
	if !ok {
		return notifiers.Outcome{Result: notifiers.ChannelBroken, Error: fmt.Sprintf("channels of type %s are not available yet", n.Config.Type())}
	}
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("a notifier panicked", "type", n.Config.Type(), "panic", p)
			outcome = notifiers.Outcome{Result: notifiers.Permanent, Error: "the server failed to make up this notification; its log says why"}
		}
	}()
	return notifier.Send(ctx, n)
}

// Test sends a test alert now, through the same notifier as an alert. channel is nil for a config that is not saved.
func (d *Dispatcher) Test(ctx context.Context, channel *models.Channel, config models.ChannelConfig) *models.TestResult {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	started := time.Now()
	outcome := d.send(ctx, notifiers.TestNotification(config))
	result := &models.TestResult{
		Channel: channel, Success: outcome.Result == notifiers.Delivered, Message: outcome.Error, Duration: time.Since(started),
		StatusCode: optional(outcome.StatusCode), Response: optional(outcome.Response),
	}
	if result.Success {
		result.Message = "the test notification was taken"
	}
	return result
}

// TestAll tests several channels at once, a few at a time, and answers in their order.
func (d *Dispatcher) TestAll(ctx context.Context, channels []*models.Channel) []*models.TestResult {
	results := make([]*models.TestResult, len(channels))
	var tests errgroup.Group
	tests.SetLimit(maxTests)
	for i, c := range channels {
		tests.Go(func() error {
			results[i] = d.Test(ctx, c, c.Config)
			return nil
		})
	}
	_ = tests.Wait() // a test that fails is a result
	return results
}

// Available reports whether channels of this type can be told.
func (d *Dispatcher) Available(t models.ChannelType) bool {
	_, ok := d.notifiers[t]
	return ok
}

// judge says what an attempt makes of its delivery.
func judge(d *models.Delivery, attempt *models.DeliveryAttempt, o notifiers.Outcome) store.Outcome {
	result := store.Outcome{Delivery: d, Attempt: attempt, Status: models.Failed, Error: attempt.Error}
	switch o.Result {
	case notifiers.Delivered:
		result.Status, result.Error = models.Delivered, nil
	case notifiers.Retry:
		if delay, ok := models.RetryDelay(attempt.Number-d.SeriesStart, o.RetryAfter); ok {
			next := time.Now().Add(delay).UTC().Truncate(time.Microsecond)
			result.Status, result.NextAttemptAt = models.Pending, &next
		} else {
			given := fmt.Sprintf("given up after %d attempts: %s", attempt.Number-d.SeriesStart, o.Error)
			result.Error = &given
		}
	}
	return result
}

func cancelled(d *models.Delivery, attempt *models.DeliveryAttempt, reason string) store.Outcome {
	return store.Outcome{Delivery: d, Attempt: attempt, Status: models.Cancelled, Error: &reason}
}

// postponed hands a delivery back untouched.
func postponed(d *models.Delivery) store.Outcome {
	next := time.Now().Add(pollEvery).UTC().Truncate(time.Microsecond)
	return store.Outcome{Delivery: d, Status: models.Pending, Error: d.Error, NextAttemptAt: &next}
}

// key is the same in every attempt of a delivery and different for every other, on other databases too.
func (d *Dispatcher) key(delivery *models.Delivery) string {
	return fmt.Sprintf("alert-%d-delivery-%d-%s", delivery.AlertID, delivery.ID, d.store.DatabaseID())
}

func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
