package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/rustbucket/alerts/batch"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// storeTimeout is more than any commit takes.
const storeTimeout = 10 * time.Second

// Bounds of the intake, in alerts.
const (
	maxIntakeBatch = 256  // stored in one transaction; a larger createAlerts is a batch of its own
	maxIntakeQueue = 8192 // waiting to be stored; beyond that callers get OVERLOADED
)

// Intake takes alerts in: it gathers concurrent calls into one transaction, which stores the alerts, one delivery for each
// matching channel, and the events. It answers only after the commit.
type Intake struct {
	store      *store.Store
	directory  *Directory
	dispatcher *Dispatcher
	batches    *batch.Batcher[[]*models.NewAlert, []*models.Alert]
}

// NewIntake makes an intake that hands new deliveries to the dispatcher.
func NewIntake(s *store.Store, directory *Directory, dispatcher *Dispatcher) *Intake {
	in := &Intake{store: s, directory: directory, dispatcher: dispatcher}
	size := func(alerts []*models.NewAlert) int { return max(1, len(alerts)) }
	in.batches = batch.New(batch.Options[[]*models.NewAlert, []*models.Alert]{
		Work: in.storeBatch, What: "alerts", Size: size, Max: maxIntakeBatch, Room: maxIntakeQueue,
	})
	return in
}

// Run takes alerts in until stop is closed and everything that was accepted is answered.
func (in *Intake) Run(ctx context.Context, stop <-chan struct{}) { in.batches.Run(ctx, stop) }

// Create stores valid alerts, all or none, and answers in their order. OVERLOADED when too many wait.
func (in *Intake) Create(ctx context.Context, alerts []*models.NewAlert) ([]*models.Alert, error) {
	created, err := in.batches.Do(ctx, alerts)
	if models.HasCode(err, models.Overloaded) {
		in.dispatcher.metrics.AlertsRefused(len(alerts))
	}
	return created, err
}

// Preview says who would be told about the alert now.
func (in *Intake) Preview(ctx context.Context, a *models.NewAlert) (models.Decisions, error) {
	r := in.directory.rules()
	duplicate := false
	if a.DedupKey != nil {
		open, err := in.store.OpenAlert(ctx, *a.DedupKey)
		if err != nil {
			return nil, err
		}
		if duplicate = open != nil; duplicate {
			if again := routeAgain(open, a, r); again != nil {
				return again.Decisions, nil
			}
		}
	}
	return models.Route(a, duplicate, r.silences.Of(a, r.now), r.pause, r.channels), nil
}

// storeBatch stores the calls of a batch together. When the database refuses that, and so has stored none of it, each call
// is stored by itself, so that one which cannot be stored harms no other. After any other error nobody knows what was
// stored, and storing it again could tell an alert twice: then every caller is told that it failed.
func (in *Intake) storeBatch(ctx context.Context, calls [][]*models.NewAlert) ([][]*models.Alert, []error) {
	answers, err := in.storeTogether(ctx, calls)
	errs := make([]error, len(calls))
	if err == nil {
		return answers, errs
	}
	if len(calls) == 1 || !store.Refused(err) {
		for i := range errs {
			errs[i] = err
		}
		return make([][]*models.Alert, len(calls)), errs
	}
	answers = make([][]*models.Alert, len(calls))
	for i, c := range calls {
		one, err := in.storeTogether(ctx, [][]*models.NewAlert{c})
		if errs[i] = err; err == nil {
			answers[i] = one[0]
		}
	}
	return answers, errs
}

// storeTogether stores the calls of a batch in one transaction. When another process has changed the silences or the pause and
// that is not known here yet, they are read again: then all is known that was changed before the calls came in.
func (in *Intake) storeTogether(ctx context.Context, calls [][]*models.NewAlert) ([][]*models.Alert, error) {
	r := in.directory.rules()
	answers, err := in.storeBy(ctx, r, r.revision, calls)
	if errors.Is(err, store.ErrOutdated) {
		within, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		if err := in.directory.Refresh(within); err != nil {
			return nil, err
		}
		return in.storeBy(ctx, in.directory.rules(), 0, calls)
	}
	return answers, err
}

// storeBy stores the calls of a batch as they are routed by the rules, unless those are not of this revision any more; 0 =
// whatever has changed since.
func (in *Intake) storeBy(ctx context.Context, r rules, revision int64, calls [][]*models.NewAlert) ([][]*models.Alert, error) {
	var batch []store.AlertInsert
	for _, alerts := range calls {
		for _, a := range alerts {
			insert := route(a, r)
			insert.Revision = revision
			for i, d := range insert.Deliveries {
				insert.Deliveries[i].Leased = in.dispatcher.reserve(d.ChannelID)
			}
			batch = append(batch, insert)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	results, err := in.store.CreateAlerts(ctx, batch, in.dispatcher.holder)
	if err != nil && !errors.Is(err, store.ErrOutdated) {
		in.dispatcher.unsure()
	}
	in.handOver(batch, results)
	if err != nil {
		return nil, err
	}
	answers := make([][]*models.Alert, len(calls))
	for i, alerts := range calls {
		answers[i] = make([]*models.Alert, len(alerts))
		for j := range alerts {
			answers[i][j] = results[j].Alert
		}
		results = results[len(alerts):]
	}
	return answers, nil
}

// handOver gives the dispatcher what it has reserved room for, and takes back the room for what was not stored.
func (in *Intake) handOver(batch []store.AlertInsert, results []store.AlertResult) {
	duplicates, silenced := 0, 0
	for i, insert := range batch {
		switch {
		case results == nil:
		case results[i].Duplicate:
			duplicates++
			for _, d := range results[i].Deliveries { // the alert was routed anew
				in.dispatcher.left(d.ChannelID)
			}
		case insert.SilenceID != nil:
			silenced++
		}
		for j, d := range insert.Deliveries {
			switch stored := results != nil && !results[i].Duplicate; {
			case stored && d.Leased:
				message := []store.Claimed{{Delivery: results[i].Deliveries[j], Alert: results[i].Alert}}
				in.dispatcher.submitReserved(d.ChannelID, job{message: message})
			case d.Leased:
				in.dispatcher.unreserve(d.ChannelID)
			case stored:
				in.dispatcher.left(d.ChannelID)
			}
		}
	}
	in.dispatcher.metrics.AlertsDeduplicated(duplicates)
	in.dispatcher.metrics.AlertsCreated(models.FromAPI, len(results)-duplicates)
	in.dispatcher.metrics.AlertsSilenced(silenced)
}
