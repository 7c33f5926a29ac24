package dispatch

import (
	"context"
	"errors"
	"sync"
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
	reports    *batch.Batcher[[]models.Report, []models.ReportResult]
}

// NewIntake makes an intake that hands new deliveries to the dispatcher.
func NewIntake(s *store.Store, directory *Directory, dispatcher *Dispatcher) *Intake {
	in := &Intake{store: s, directory: directory, dispatcher: dispatcher}
	size := func(alerts []*models.NewAlert) int { return max(1, len(alerts)) }
	in.batches = batch.New(batch.Options[[]*models.NewAlert, []*models.Alert]{
		Work: apart(in.storeTogether), What: "alerts", Size: size, Max: maxIntakeBatch, Room: maxIntakeQueue,
	})
	in.reports = batch.New(batch.Options[[]models.Report, []models.ReportResult]{
		Work: apart(in.storeReports), What: "alerts", Size: func(reports []models.Report) int { return max(1, len(reports)) },
		Max: maxIntakeBatch, Room: maxReportQueue,
	})
	return in
}

// Run takes alerts in until stop is closed and everything that was accepted is answered.
func (in *Intake) Run(ctx context.Context, stop <-chan struct{}) {
	var runs sync.WaitGroup
	runs.Go(func() { in.reports.Run(ctx, stop) })
	in.batches.Run(ctx, stop)
	runs.Wait()
}

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

// apart stores the calls of a batch together. When the database refuses that, and so has stored none of it, each call
// is stored by itself, so that one which cannot be stored harms no other. After any other error nobody knows what was
// stored, and storing it again could tell an alert twice: then every caller is told that it failed.
func apart[In, Out any](together func(context.Context, []In) ([]Out, error)) func(context.Context, []In) ([]Out, []error) {
	return func(ctx context.Context, calls []In) ([]Out, []error) {
		answers, err := together(ctx, calls)
		errs := make([]error, len(calls))
		if err == nil {
			return answers, errs
		}
		answers = make([]Out, len(calls))
		if len(calls) == 1 || !store.Refused(err) {
			for i := range errs {
				errs[i] = err
			}
			return answers, errs
		}
		for i, c := range calls {
			one, err := together(ctx, []In{c})
			if errs[i] = err; err == nil {
				answers[i] = one[0]
			}
		}
		return answers, errs
	}
}

// storeTogether stores the calls of a batch in one transaction.
func (in *Intake) storeTogether(ctx context.Context, calls [][]*models.NewAlert) ([][]*models.Alert, error) {
	return byRules(ctx, in, func(r rules, revision int64) ([][]*models.Alert, error) { return in.storeBy(ctx, r, revision, calls) })
}

// byRules stores something by the rules that hold. When another process has changed the silences or the pause and that is not known
// here yet, they are read again: then all is known that was changed before the calls came in.
func byRules[T any](ctx context.Context, in *Intake, do func(r rules, revision int64) (T, error)) (T, error) {
	r := in.directory.rules()
	answers, err := do(r, r.revision)
	if errors.Is(err, store.ErrOutdated) {
		within, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		if err := in.directory.Refresh(within); err != nil {
			var none T
			return none, err
		}
		return do(in.directory.rules(), 0)
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
			batch = append(batch, in.reserve(insert))
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

// reserve takes room at the dispatcher for the deliveries of an alert, as far as there is some.
func (in *Intake) reserve(insert store.AlertInsert) store.AlertInsert {
	for i, d := range insert.Deliveries {
		insert.Deliveries[i].Leased = in.dispatcher.reserve(d.ChannelID)
	}
	return insert
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
