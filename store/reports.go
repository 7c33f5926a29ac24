package store

import (
	"context"
	"errors"
	"hash/crc32"
	"slices"
	"strconv"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// ReportInsert is what another system tells, with what was decided about an alert that is to be created.
type ReportInsert struct {
	models.Report
	Insert AlertInsert // of Report.Alert
}

// errKeyTaken: another process gave somebody else's alert the dedup key just before.
var errKeyTaken = errors.New("the dedup key was taken meanwhile")

// TakeReports carries out what other systems tell, all or nothing and as if one after the other, and answers in the order
// of the batch; the deliveries stand beside. New ones that are to be leased are leased to holder. It gives the channels that have
// the end of something to be told.
func (s *Store) TakeReports(ctx context.Context, batch []ReportInsert, holder string) (results []models.ReportResult, created []AlertResult, told []int64, err error) {
	const tries = 3 // whoever takes the keys away does so once: the key is taken then
	for try := range tries {
		err = s.inTx(ctx, "take in reports", func(tx bun.Tx) error {
			results, created, told = make([]models.ReportResult, len(batch)), make([]AlertResult, len(batch)), nil
			if err := s.lockKeys(ctx, tx, batch); err != nil {
				return err
			}
			for _, phase := range reportPhases(batch) {
				if err := s.createReported(ctx, tx, batch, phase.begins, created, holder, try < tries-1); err != nil {
					return err
				}
				for _, i := range phase.begins {
					results[i] = models.ReportResult{Alert: created[i].Alert, Outcome: models.ReportCreated}
					if created[i].Duplicate {
						results[i].Outcome = models.ReportCounted
					}
				}
				channels, err := s.endReported(ctx, tx, batch, phase.ends, results)
				if err != nil {
					return err
				}
				told = append(told, channels...)
			}
			return nil
		})
		if !errors.Is(err, errKeyTaken) {
			break
		}
	}
	if err != nil {
		return nil, nil, nil, err
	}
	s.signalAppended()
	return results, created, told, nil
}

// reportLock is the first half of the advisory locks under which reports are carried out ("rprt" in ASCII); the second is one of
// keyLocks numbers, which every dedup key has.
const (
	reportLock = 0x72707274
	keyLocks   = 256
)

// lockKeys makes reports of several processes about the same dedup keys wait for each other. Without it they would deadlock,
// because a batch that goes back and forth has no one order; and the end of an alert could overtake its beginning, which another
// process is about to commit.
func (s *Store) lockKeys(ctx context.Context, tx bun.Tx, batch []ReportInsert) error {
	if !s.isPostgres() {
		return nil // one transaction at a time writes anyway
	}
	var numbers []int64
	for i := range batch {
		if key := batch[i].Key(); key != "" {
			numbers = append(numbers, int64(crc32.ChecksumIEEE([]byte(key))%keyLocks))
		}
	}
	slices.Sort(numbers)
	_, err := tx.NewRaw("SELECT pg_advisory_xact_lock(?, n::integer) FROM unnest(ARRAY[?]::bigint[]) AS n", reportLock, bun.List(slices.Compact(numbers))).Exec(ctx)
	return err
}

// reportPhase is a part of a batch, by places in it, that can be carried out at once: first what begins, then what ends.
type reportPhase struct{ begins, ends []int }

// reportPhases splits a batch so that what is told of one dedup key keeps its order. A key that begins, or ends, or both in
// this order, needs one phase.
func reportPhases(batch []ReportInsert) []reportPhase {
	var phases []reportPhase
	from := make(map[string]int) // dedup key -> the phase in which it may begin
	for i := range batch {
		key := batch[i].Key()
		n := from[key]
		if n == len(phases) {
			phases = append(phases, reportPhase{})
		}
		if batch[i].Alert != nil {
			phases[n].begins = append(phases[n].begins, i)
			continue
		}
		phases[n].ends = append(phases[n].ends, i)
		from[key] = n + 1
	}
	return phases
}

// createReported creates or counts up the alerts of a phase.
func (s *Store) createReported(ctx context.Context, tx bun.Tx, batch []ReportInsert, places []int, created []AlertResult, holder string, strict bool) error {
	if len(places) == 0 {
		return nil
	}
	owners, err := s.ownersOfKeys(ctx, tx, batch, places)
	if err != nil {
		return err
	}
	inserts := make([]AlertInsert, len(places))
	for n, i := range places {
		r := &batch[i]
		inserts[n] = r.Insert
		if takesOwnKey(r, owners) {
			own := *r.Insert.New
			own.DedupKey = &r.OwnKey
			inserts[n].New = &own
		}
	}
	results, err := s.createAlerts(ctx, tx, inserts, holder)
	if err != nil {
		return err
	}
	for n, i := range places {
		if strict && batch[i].OwnKey != "" && results[n].Alert.CreatedBy != batch[i].By.TokenID {
			return errKeyTaken
		}
		created[i] = results[n]
	}
	return nil
}

// takesOwnKey reports whether an alert gets its own key, because that is in use or somebody else has the other, and notes
// among the owners who has it otherwise.
func takesOwnKey(r *ReportInsert, owners map[string]int64) bool {
	me := r.By.TokenID
	if owner, open := owners[r.OwnKey]; r.OwnKey != "" && open && owner == me {
		return true
	}
	if _, open := owners[r.Key()]; !open {
		owners[r.Key()] = me
	}
	return r.OwnKey != "" && owners[r.Key()] != me
}

// ownersOfKeys gives, by dedup key, who created the open alerts with the keys of those that have one of their own beside, and with
// that one.
func (s *Store) ownersOfKeys(ctx context.Context, tx bun.Tx, batch []ReportInsert, places []int) (map[string]int64, error) {
	owners := make(map[string]int64)
	var keys []string
	for _, i := range places {
		if batch[i].OwnKey != "" {
			keys = append(keys, batch[i].Key(), batch[i].OwnKey)
		}
	}
	open, err := s.openByKey(ctx, tx, keys)
	for _, a := range open {
		owners[*a.DedupKey] = a.CreatedBy
	}
	return owners, err
}

// endReported resolves what a phase says is over, as far as whoever says so may, and creates the deliveries that tell so.
func (s *Store) endReported(ctx context.Context, tx bun.Tx, batch []ReportInsert, places []int, results []models.ReportResult) ([]int64, error) {
	var keys []string
	for _, i := range places {
		results[i].Outcome = models.ReportUnchanged
		keys = append(keys, endKeys(&batch[i])...)
	}
	open, err := s.openByKey(ctx, tx, keys)
	if err != nil {
		return nil, err
	}
	of := make(map[int64]int) // alert -> the place in the batch that ends it
	by := make(map[models.Actor][]int64)
	var actors []models.Actor
	for _, i := range places {
		r := &batch[i]
		for _, key := range endKeys(r) {
			a := open[key]
			if a == nil || !r.Ends(a) {
				continue
			}
			if _, ending := of[a.ID]; ending {
				continue
			}
			if by[r.By] == nil {
				actors = append(actors, r.By)
			}
			of[a.ID], by[r.By] = i, append(by[r.By], a.ID)
		}
	}
	var told []int64
	for _, actor := range actors {
		resolved, channels, err := s.resolveAs(models.WithActor(ctx, actor), tx, by[actor])
		if err != nil {
			return nil, err
		}
		told = append(told, channels...)
		for _, a := range resolved {
			results[of[a.ID]] = models.ReportResult{Alert: a, Outcome: models.ReportResolved}
		}
	}
	return told, nil
}

// resolveAs resolves open alerts, as part of a transaction, with all that belongs to it, and gives those that still were open. One
// entry in the audit log says who did.
func (s *Store) resolveAs(ctx context.Context, tx bun.Tx, ids []int64) ([]*models.Alert, []int64, error) {
	alerts, err := s.lockAlerts(ctx, tx, ids, toChange, false)
	if err != nil {
		return nil, nil, err
	}
	resolved, told, err := s.changeAlerts(ctx, tx, alerts, models.AlertChange{Kind: models.WasResolved}, false)
	if err != nil || len(resolved) == 0 {
		return nil, nil, err
	}
	names := auditedChanges[models.WasResolved]
	if len(resolved) == 1 {
		return resolved, told, s.audit(ctx, tx, names[0], &auditSubject{id: resolved[0].ID}, nil)
	}
	shown := make([]string, len(resolved))
	for i, a := range resolved {
		shown[i] = strconv.FormatInt(a.ID, 10)
	}
	return resolved, told, s.audit(ctx, tx, names[1], nil, map[string]any{"ids": shown})
}

// endKeys has the dedup keys that are over with a report.
func endKeys(r *ReportInsert) []string {
	if r.OwnKey == "" {
		return []string{r.Over}
	}
	return []string{r.Over, r.OwnKey}
}

// openByKey gives the open alerts with these dedup keys, as far as their id, key and creator.
func (s *Store) openByKey(ctx context.Context, tx bun.Tx, keys []string) (map[string]*models.Alert, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	slices.Sort(keys)
	var rows []struct {
		ID, CreatedBy int64
		DedupKey      string
	}
	err := tx.NewRaw("SELECT id, created_by, dedup_key FROM alerts WHERE dedup_key IN (?) AND resolved_at IS NULL", bun.List(slices.Compact(keys))).Scan(ctx, &rows)
	open := make(map[string]*models.Alert, len(rows))
	for _, r := range rows {
		open[r.DedupKey] = &models.Alert{ID: r.ID, CreatedBy: r.CreatedBy, DedupKey: &r.DedupKey}
	}
	return open, err
}
