package dispatch

import (
	"context"
	"time"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

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
	batches    *batcher[[]*models.NewAlert, []*models.Alert]
}

// NewIntake makes an intake that hands new deliveries to the dispatcher.
func NewIntake(s *store.Store, directory *Directory, dispatcher *Dispatcher) *Intake {
	in := &Intake{store: s, directory: directory, dispatcher: dispatcher}
	size := func(alerts []*models.NewAlert) int { return max(1, len(alerts)) }
	in.batches = newBatcher(maxIntakeBatch, maxIntakeQueue, size, in.storeBatch)
	return in
}

// Run takes alerts in until stop is closed and everything that was accepted is answered.
func (in *Intake) Run(ctx context.Context, stop <-chan struct{}) { in.batches.run(ctx, stop) }

// Create stores valid alerts, all or none, and answers in their order. OVERLOADED when too many wait.
func (in *Intake) Create(ctx context.Context, alerts []*models.NewAlert) ([]*models.Alert, error) {
	return in.batches.do(ctx, alerts)
}

// Preview says who would be told about the alert now.
func (in *Intake) Preview(ctx context.Context, a *models.NewAlert) (models.Decisions, error) {
	duplicate := false
	if a.DedupKey != nil {
		var err error
		if duplicate, err = in.store.OpenAlert(ctx, *a.DedupKey); err != nil {
			return nil, err
		}
	}
	return models.Route(a, duplicate, nil, in.directory.All()), nil
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

func (in *Intake) storeTogether(ctx context.Context, calls [][]*models.NewAlert) ([][]*models.Alert, error) {
	channels := in.directory.All()
	lease := in.dispatcher.newLease()
	var batch []store.AlertInsert
	for _, alerts := range calls {
		for _, a := range alerts {
			insert := store.AlertInsert{New: a, Decisions: models.Route(a, false, nil, channels)}
			for _, d := range insert.Decisions {
				if d.WillNotify() {
					leased := in.dispatcher.reserve(d.ChannelID)
					insert.Deliveries = append(insert.Deliveries, store.NewDelivery{ChannelID: d.ChannelID, Leased: leased})
				}
			}
			batch = append(batch, insert)
		}
	}
	// Half a lease is more than any commit takes; later than that the leases would be of no use.
	ctx, cancel := context.WithTimeout(ctx, time.Until(lease.Until)/2)
	defer cancel()
	results, err := in.store.CreateAlerts(ctx, batch, lease)
	in.handOver(batch, results, lease)
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
func (in *Intake) handOver(batch []store.AlertInsert, results []store.AlertResult, lease store.Lease) {
	for i, insert := range batch {
		for j, d := range insert.Deliveries {
			switch {
			case !d.Leased:
			case results == nil || results[i].Duplicate:
				in.dispatcher.unreserve(d.ChannelID)
			default:
				in.dispatcher.submitReserved(job{delivery: results[i].Deliveries[j], alert: results[i].Alert, until: lease.Until})
			}
		}
	}
}
