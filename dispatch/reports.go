package dispatch

import (
	"context"
	"errors"
	"slices"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// MaxReports is how many one call of Report may have: more would keep the others waiting for too long.
const MaxReports = 5000

// maxReportQueue is how many reports wait to be carried out, beside the alerts of the intake; beyond that callers get OVERLOADED.
const maxReportQueue = 4 * MaxReports

// Report takes in what another system tells, 1 to MaxReports, in its order and all or nothing, and answers in the same order.
// What calls tell of one dedup key is carried out in the order in which they came to this process. OVERLOADED when too much waits.
func (in *Intake) Report(ctx context.Context, reports []models.Report) ([]models.ReportResult, error) {
	if !slices.ContainsFunc(reports, func(r models.Report) bool { return r.Key() != "" }) {
		return in.createReported(ctx, reports)
	}
	results, err := in.reports.Do(ctx, reports)
	if models.HasCode(err, models.Overloaded) {
		in.dispatcher.metrics.AlertsRefused(len(reports))
	}
	return results, err
}

// createReported goes the fast way: nothing depends on what is there.
func (in *Intake) createReported(ctx context.Context, reports []models.Report) ([]models.ReportResult, error) {
	alerts := make([]*models.NewAlert, len(reports))
	for i, r := range reports {
		alerts[i] = r.Alert
	}
	created, err := in.Create(ctx, alerts)
	if err != nil {
		return nil, err
	}
	results := make([]models.ReportResult, len(created))
	for i, a := range created {
		results[i] = models.ReportResult{Alert: a, Outcome: models.ReportCreated}
	}
	return results, nil
}

// storeReports stores the calls of a batch together, one after the other.
func (in *Intake) storeReports(ctx context.Context, calls [][]models.Report) ([][]models.ReportResult, error) {
	return byRules(ctx, in, func(r rules, revision int64) ([][]models.ReportResult, error) {
		return in.storeReportsBy(ctx, r, revision, calls)
	})
}

// storeReportsBy stores the calls of a batch as storeBy does.
func (in *Intake) storeReportsBy(ctx context.Context, r rules, revision int64, calls [][]models.Report) ([][]models.ReportResult, error) {
	var batch []store.ReportInsert
	for _, report := range slices.Concat(calls...) {
		insert := store.ReportInsert{Report: report}
		if report.Alert != nil {
			insert.Insert = route(report.Alert, r)
			insert.Insert.Revision = revision
			insert.Insert = in.reserve(insert.Insert)
		}
		batch = append(batch, insert)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	results, created, told, err := in.store.TakeReports(ctx, batch, in.dispatcher.holder)
	if err != nil && !errors.Is(err, store.ErrOutdated) {
		in.dispatcher.unsure()
	}
	in.handOver(alertsOf(batch, created))
	if err != nil {
		return nil, err
	}
	in.dispatcher.Wake(told)
	answers := make([][]models.ReportResult, len(calls))
	for i, reports := range calls {
		answers[i], results = results[:len(reports)], results[len(reports):]
	}
	return answers, nil
}

// alertsOf gives what was to be created, and what became of it; created is nil when nothing was stored.
func alertsOf(batch []store.ReportInsert, created []store.AlertResult) (inserts []store.AlertInsert, results []store.AlertResult) {
	for i, r := range batch {
		if r.Alert == nil {
			continue
		}
		inserts = append(inserts, r.Insert)
		if created != nil {
			results = append(results, created[i])
		}
	}
	return inserts, results
}
