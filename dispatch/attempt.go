package dispatch

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/tracing"
)

// maxTests is how many channels one testChannels tests at a time.
const maxTests = 16

// attempt sends one message, or decides that it is not to be sent any more, and says what that makes of its deliveries.
func (d *Dispatcher) attempt(j job) []report {
	channel, err := d.current(j)
	if err != nil { // whether it is to be sent cannot be known now: that is no reason to cancel it
		d.handBackJob(j)
		return nil
	}
	var outcomes []report
	var sent []store.Claimed
	for _, c := range j.message {
		if reason := d.reasonNotToSend(c, channel); reason != "" {
			outcomes = append(outcomes, report{Outcome: store.Outcome{Delivery: c.Delivery, Alert: c.Alert, Status: models.Cancelled, Error: &reason}})
		} else {
			sent = append(sent, c)
		}
	}
	if len(sent) == 0 {
		return outcomes
	}
	sent, rest := together(sent, d.store.Now())
	d.handBackRest(channel, rest)
	spanned, end := tracing.StartAttempt(span(channel, sent))
	ctx, cancel := context.WithTimeout(spanned, d.timeout)
	defer cancel()
	started, began := d.store.Now(), time.Now()
	result := d.send(ctx, d.notification(channel, sent))
	took := time.Since(began)
	end(result.Error)
	d.metrics.Attempt(channel.Type(), resultLabel(result), took)
	if len(sent) > 1 && result.Result == notifiers.Delivered {
		d.metrics.DigestSent(channel.Type(), len(sent))
	}
	d.log.Debug("attempt", "delivery", sent[0].Delivery.ID, "deliveries", len(sent), "alert", sent[0].Alert.ID, "channel", channel.ID,
		"status", result.StatusCode, "error", result.Error, "duration", took)
	again := make(map[int]*time.Time) // when, by the attempts made
	for i, c := range sent {
		attempt := &models.DeliveryAttempt{
			DeliveryID: c.Delivery.ID, Number: c.Delivery.Attempts + 1, StartedAt: started, Duration: took,
			StatusCode: optional(result.StatusCode), Error: optional(result.Error), Response: optional(result.Response),
		}
		if len(sent) > 1 {
			attempt.DigestSize = optional(len(sent))
		}
		o := d.judge(c, attempt, result)
		if made := attempt.Number - c.Delivery.SeriesStart; o.NextAttemptAt != nil { // a digest is tried again as a whole
			if again[made] == nil {
				again[made] = o.NextAttemptAt
			}
			o.NextAttemptAt = again[made]
		}
		if i == len(sent)-1 {
			o.Observed = d.observe(channel.ID, result, j.probe)
		}
		o.Recipients = result.Recipients
		outcomes = append(outcomes, o)
	}
	return outcomes
}

// current gives the channel of a job. One that is unknown or switched off here may just have been created or switched on by
// another process: then it is read again, unless that was done since the job came.
func (d *Dispatcher) current(j job) (*models.Channel, error) {
	id := j.message[0].Delivery.ChannelID
	if c := d.directory.Get(id); c != nil && c.IsActive {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := d.directory.refreshOlder(ctx, j.came); err != nil {
		d.complain(ctx, "channels could not be read again", err)
		return nil, err
	}
	if c := d.directory.Get(id); c != nil {
		return c, nil
	}
	return deletedChannel(id), nil
}

// deletedChannel is a mere name for a channel that was deleted: what waits on it is claimed to be cancelled.
func deletedChannel(id int64) *models.Channel {
	return &models.Channel{ID: id, Config: new(models.WebhookConfig)}
}

// span says what the trace of a message's attempt is about. A digest begins a trace of its own, with links to its alerts'.
func span(channel *models.Channel, sent []store.Claimed) (traceparent string, a tracing.Attempt) {
	first := sent[0]
	a = tracing.Attempt{Type: channel.Type(), ChannelID: channel.ID, Number: first.Delivery.Attempts + 1}
	if len(sent) == 1 {
		a.AlertID, a.DeliveryID = first.Alert.ID, first.Delivery.ID
		return first.Alert.TraceParent, a
	}
	a.Digest = len(sent)
	for _, c := range sent {
		if c.Alert.TraceParent != "" {
			a.Links = append(a.Links, c.Alert.TraceParent)
		}
	}
	return "", a
}

// reasonNotToSend says why a delivery is not to be sent any more; empty when it is.
func (d *Dispatcher) reasonNotToSend(c store.Claimed, channel *models.Channel) string {
	switch {
	case d.directory.Get(channel.ID) == nil:
		return store.CancelledDeleted
	case !channel.IsActive:
		return store.CancelledInactive
	}
	return c.NotToTell
}

// notification is the message about what was claimed together.
func (d *Dispatcher) notification(channel *models.Channel, sent []store.Claimed) notifiers.Notification {
	first := sent[0]
	if len(sent) == 1 {
		return notifiers.Notification{
			Key: d.key(first.Delivery), AlertKey: d.alertKey(first.Alert.ID), Kind: first.Delivery.Kind, Alert: first.Alert, Change: first.Change, Config: channel.Config,
			Recipients: first.Delivery.Recipients,
		}
	}
	items := make([]models.DigestItem, len(sent))
	same := fnv.New64a() // a second attempt with the same deliveries has the same key
	for i, c := range sent {
		items[i] = models.DigestItem{Kind: c.Delivery.Kind, Alert: c.Alert, Change: c.Change}
		fmt.Fprintf(same, "%d,", c.Delivery.ID)
	}
	return notifiers.Notification{
		Key:    fmt.Sprintf("digest-%d-%x-%s", first.Delivery.ID, same.Sum64(), d.store.DatabaseID()),
		Digest: models.NewDigest(channel.ID, items), Config: channel.Config, Recipients: first.Delivery.Recipients,
	}
}

// send goes through the notifier of the channel's type. A notifier that panics harms one attempt only.
func (d *Dispatcher) send(ctx context.Context, n notifiers.Notification) (outcome notifiers.Outcome) {
	notifier, ok := d.notifiers[n.Config.Type()]
	if !ok {
		return notifiers.Outcome{Result: notifiers.ChannelBroken, Error: fmt.Sprintf("this server cannot tell channels of type %s", n.Config.Type())}
	}
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("a notifier panicked", "type", n.Config.Type(), "panic", p)
			outcome = notifiers.Outcome{Result: notifiers.Permanent, Error: "the server failed to make up this notification; its log says why"}
		}
	}()
	if outcome = notifier.Send(ctx, n); outcome.Result != notifiers.Delivered && outcome.Error == "" {
		outcome.Error = "the notifier gave no reason" // what failed says why, whatever a notifier does
	}
	return outcome
}

// judge says what an attempt makes of its delivery.
func (d *Dispatcher) judge(c store.Claimed, attempt *models.DeliveryAttempt, o notifiers.Outcome) report {
	now := d.store.Now()
	result := report{
		Outcome: store.Outcome{Delivery: c.Delivery, Alert: c.Alert, Attempt: attempt, Status: models.Failed, Error: attempt.Error},
		reason:  metrics.ReasonRefused,
	}
	later := func(delay time.Duration) {
		next := now.Add(delay).Truncate(time.Microsecond)
		result.Status, result.NextAttemptAt = models.Pending, &next
	}
	giveUp := func(after string) {
		given := fmt.Sprintf("given up after %s: %s", after, o.Error)
		result.Error, result.reason = &given, metrics.ReasonExhausted
	}
	switch made := attempt.Number - c.Delivery.SeriesStart; {
	case o.Result == notifiers.Delivered:
		result.Status, result.Error, result.reason = models.Delivered, nil, metrics.ReasonDelivered
	case o.Result == notifiers.Retry && o.Asked:
		if now.Sub(c.Delivery.SeriesBegan) > models.MaxWait {
			giveUp(models.MaxWait.String())
		} else {
			result.Uncounted = true
			later(o.RetryAfter)
		}
	case o.Result == notifiers.Retry:
		if delay, ok := models.RetryDelay(made, o.RetryAfter); ok {
			later(delay)
		} else {
			giveUp(fmt.Sprintf("%d attempts", made))
		}
	case o.Result == notifiers.ChannelBroken:
		result.reason = metrics.ReasonChannelBroken
	}
	return result
}

// resultLabel names what an attempt came to, for the metrics.
func resultLabel(o notifiers.Outcome) string {
	switch {
	case o.Result == notifiers.Delivered:
		return metrics.ResultDelivered
	case o.Result == notifiers.Retry && o.Asked:
		return metrics.ResultAsked
	case o.Result == notifiers.Retry:
		return metrics.ResultRetry
	case o.Result == notifiers.ChannelBroken:
		return metrics.ResultBroken
	}
	return metrics.ResultRefused
}

// observe says what an attempt shows about its channel, or nil when it works as it is known to: then the time of the success is
// stored later, together with others.
func (d *Dispatcher) observe(channelID int64, o notifiers.Outcome, probe bool) *models.Observation {
	seen := &models.Observation{At: d.store.Now(), Error: o.Error, Probe: probe}
	switch {
	case o.Channel == notifiers.SignNone, o.Channel == notifiers.SignAnswers && !probe:
		return nil
	case worked(o):
		if state := d.directory.State(channelID); state.Health == models.HealthOK && state.Failures == 0 && !state.Announced {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.successes[channelID] = seen.At
			return nil
		}
		seen.Kind = models.Worked
	case o.Channel == notifiers.SignAnswers: // what waits may be sent
		seen.Kind = models.Refused
	case o.Result == notifiers.Retry:
		seen.Kind = models.Failing
		if o.Asked {
			until := seen.At.Add(o.RetryAfter)
			seen.Kind, seen.Until = models.Asked, &until
			d.holdUntil(channelID, until)
		}
	case o.Result == notifiers.ChannelBroken:
		seen.Kind = models.Unusable
	default:
		seen.Kind = models.Refused
	}
	return seen
}

// worked reports whether an attempt shows that its channel works: also when a message was taken for some of its recipients only.
func worked(o notifiers.Outcome) bool {
	return o.Result == notifiers.Delivered || o.Channel == notifiers.SignWorks
}

// expired gives up a delivery that has waited too long for a channel that is out of service.
func (d *Dispatcher) expired(c store.Claimed) store.Outcome {
	state := d.directory.State(c.Delivery.ChannelID)
	why := fmt.Sprintf("given up after %v: the channel has been %s since %s", models.MaxWait, state.Health, state.Since.Format(time.RFC3339))
	if state.LastError != nil {
		why += ": " + *state.LastError
	}
	return store.Outcome{Delivery: c.Delivery, Alert: c.Alert, Status: models.Failed, Error: &why}
}

// Test sends a test alert now, through the same notifier as an alert. channel is nil for a config that is not saved. A channel
// that works is in service again.
func (d *Dispatcher) Test(ctx context.Context, channel *models.Channel, config models.ChannelConfig) *models.TestResult {
	within, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	started := time.Now()
	outcome := d.send(within, notifiers.TestNotification(config))
	result := &models.TestResult{
		Channel: channel, Success: outcome.Result == notifiers.Delivered, Message: outcome.Error, Duration: time.Since(started),
		StatusCode: optional(outcome.StatusCode), Response: optional(outcome.Response),
	}
	if result.Success {
		result.Message = "the test notification was taken"
	}
	if worked(outcome) && channel != nil {
		d.works(ctx, channel.ID)
	}
	noting, done := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout) // also when the caller has left: the message went out
	defer done()
	if err := d.store.NoteTest(noting, config, result); err != nil {
		d.log.Error("a test notification could not be noted in the audit log", "by", models.ActorFrom(ctx).Name, "success", result.Success, "error", err)
	}
	return result
}

// works puts a channel into service again that was seen to work.
func (d *Dispatcher) works(ctx context.Context, channelID int64) {
	if d.directory.State(channelID).Health == models.HealthOK {
		return
	}
	err := d.store.ChannelsWork(ctx, []int64{channelID})
	if err == nil {
		err = d.directory.Refresh(ctx)
	}
	if err != nil {
		d.complain(ctx, "a channel that works could not be put into service; the next delivery will find out", err)
	}
	d.Wake([]int64{channelID})
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

// key is the same in every attempt of a delivery and different for every other, on other databases too.
func (d *Dispatcher) key(delivery *models.Delivery) string {
	return fmt.Sprintf("alert-%d-delivery-%d-%s", delivery.AlertID, delivery.ID, d.store.DatabaseID())
}

// alertKey is the same in everything that is told about an alert.
func (d *Dispatcher) alertKey(alertID int64) string {
	return fmt.Sprintf("alert-%d-%s", alertID, d.store.DatabaseID())
}

func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
