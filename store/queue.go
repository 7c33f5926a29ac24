package store

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// Claimed is a delivery that is ours to send.
type Claimed struct {
	Delivery *models.Delivery
	Alert    *models.Alert
	// Change is what somebody did with the alert, of a delivery that tells of that; nil for the alert itself.
	Change *models.AlertEvent
	// NotToTell says why it is not to be sent any more; empty when it is. See models.NotToTell.
	NotToTell string
}

// Claims is what a claim gives.
type Claims struct {
	Messages [][]Claimed // each inner list is one message: one delivery, or several in a digest
	Probe    bool        // the channel is out of service: the last message finds out whether it works again, or there is nothing to send
	// NotBefore is when the rate limit lets more be claimed; the zero time when it was no hindrance.
	NotBefore time.Time
}

// claimedRow is a delivery that may be claimed, with what has to be known about it.
type claimedRow struct {
	deliveryRow
	NotToTell string `bun:"-"` // as in Claimed
}

// pending are the deliveries that have not come to their end, as a table: what waits and what is leased, each through its
// index. where is a condition more on them, such as "channel_id IN (?0)", or "".
func pending(where string) string {
	waiting, leased := "", ""
	if where != "" {
		waiting, leased = " AND "+where, " AND +"+where // the plus keeps SQLite from going through all that the channel ever had
	}
	return `(
		SELECT * FROM deliveries WHERE status = 'PENDING' AND leased_by IS NULL` + waiting + ` UNION ALL
		SELECT * FROM deliveries WHERE status = 'PENDING' AND leased_by IS NOT NULL` + leased + `)`
}

// DueChannels gives the channels that have a delivery waiting for anybody to send it, and that may be told something now.
func (s *Store) DueChannels(ctx context.Context) ([]int64, error) {
	var ids []int64
	// One look into the index for each channel, whatever PostgreSQL thinks of how many wait: a long backlog costs no more
	// than a short one. As an EXISTS it became a join with the whole backlog.
	err := s.read.NewRaw(`
		SELECT c.id FROM channels AS c JOIN channel_states AS s ON s.channel_id = c.id
		WHERE (s.probe_at IS NULL OR s.probe_at <= ?0) AND (s.hold_until IS NULL OR s.hold_until <= ?0) AND `+notPaused+`
		  AND (
			SELECT d.id FROM deliveries AS d
			WHERE d.channel_id = c.id AND d.status = 'PENDING' AND d.leased_by IS NULL AND d.next_attempt_at <= ?0
			ORDER BY d.next_attempt_at, d.id LIMIT 1) IS NOT NULL
		ORDER BY c.id`, s.Now()).Scan(ctx, &ids)
	return ids, s.explain("look for due deliveries", err)
}

// Claim leases due deliveries of a channel to a process, as many as the channel may be told now and at most room messages.
// Of a channel that is out of service it claims one, and takes the right to find out whether it works again, for at least
// probing. Beyond the rate limit, what waits is claimed as one digest when the next slot opens, the worst alerts first.
func (s *Store) Claim(ctx context.Context, channel *models.Channel, room int, holder string, probing time.Duration) (*Claims, error) {
	var claims *Claims
	err := s.inTx(ctx, "claim deliveries", func(tx bun.Tx) error {
		claims = new(Claims)
		now := s.Now()
		plan, err := s.planClaim(ctx, tx, channel, now, room)
		if err != nil || plan.most == 0 {
			claims.NotBefore = plan.notBefore
			return err
		}
		rows, err := s.dueRows(ctx, tx, channel.ID, now, plan)
		if plan.probe {
			claims.Probe = true // also when they all are only to be ended: that needs no channel that works
			rows, plan.probe = forProbe(rows)
		}
		if err != nil || len(rows) == 0 {
			return err
		}
		claims.Messages, err = s.lease(ctx, tx, rows, plan, holder, now)
		if err != nil {
			return err
		}
		return s.noteClaim(ctx, tx, channel, plan, claims, now, probing)
	})
	if err != nil {
		return nil, err
	}
	claims.Messages, err = s.readAlerts(ctx, claims.Messages...)
	return claims, s.explain("read the alerts of claimed deliveries", err)
}

// readAlerts gives claimed deliveries their alerts: not in the transaction, for whose end everybody waits on SQLite. Deliveries
// whose alert somebody has deleted meanwhile are gone with it, and left out.
func (s *Store) readAlerts(ctx context.Context, messages ...[]Claimed) ([][]Claimed, error) {
	var ids []int64
	for _, m := range messages {
		for _, c := range m {
			ids = append(ids, c.Delivery.AlertID)
		}
	}
	if len(ids) == 0 {
		return messages, nil
	}
	alerts, err := alertsByID(ctx, s.read, ids)
	if err != nil {
		return nil, err
	}
	changes, err := s.changesTold(ctx, messages)
	if err != nil {
		return nil, err
	}
	for n, m := range messages {
		for i := range m {
			d := m[i].Delivery
			m[i].Alert, m[i].Change = alerts[d.AlertID], changes[toldChange{d.AlertID, changeOf[d.Kind]}]
		}
		messages[n] = slices.DeleteFunc(m, func(c Claimed) bool { return c.Alert == nil })
	}
	return slices.DeleteFunc(messages, func(m []Claimed) bool { return len(m) == 0 }), nil
}

// claimPlan says how much of a channel may be claimed.
type claimPlan struct {
	state     models.ChannelState
	slots     int  // messages that the rate limit leaves; only with limited
	limited   bool // there is a rate limit
	probe     bool
	most      int // deliveries
	notBefore time.Time
}

func (s *Store) planClaim(ctx context.Context, tx bun.Tx, channel *models.Channel, now time.Time, room int) (claimPlan, error) {
	plan := claimPlan{limited: channel.RateLimit != nil, most: room}
	var open bool
	if err := tx.NewRaw("SELECT "+notPaused, now).Scan(ctx, &open); err != nil {
		return plan, err
	}
	if !open {
		plan.most = 0
		return plan, nil
	}
	states, err := s.lockStates(ctx, tx, []int64{channel.ID})
	if err != nil {
		return plan, err
	}
	state, ok := states[channel.ID]
	if !ok {
		return plan, models.Missing("channel", channel.ID)
	}
	plan.state = state
	if state.ClosedUntil().After(now) {
		plan.most = 0
		return plan, nil
	}
	if plan.limited {
		if plan.slots, plan.notBefore = channel.RateLimit.Slots(state.RateArrival, now); plan.slots == 0 {
			plan.most = 0
			return plan, nil
		}
		plan.most = min(room, plan.slots)
		if plan.slots == 1 && channel.Type().Info().Digests {
			plan.most = models.MaxDigest
		}
	}
	if !state.InService() {
		plan.probe, plan.most = true, maxLook
	}
	return plan, nil
}

// dueRows gives the deliveries to claim: the longest due first, or the worst first where a rate limit makes the others
// wait. What is told later about an alert waits behind what is told before it.
func (s *Store) dueRows(ctx context.Context, tx bun.Tx, channelID int64, now time.Time, plan claimPlan) (rows []*claimedRow, err error) {
	if err := s.neverSort(ctx, tx, plan); err != nil {
		return nil, err
	}
	if err := s.due(tx, channelID, now, plan).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	return rows, judge(ctx, tx, channelID, rows)
}

// neverSort keeps PostgreSQL from sorting the backlog for a digest until the transaction ends. It takes the columns for independent
// of each other, thinks that a tenth of it waits, and would read all of that: 50 ms for 50,000.
func (s *Store) neverSort(ctx context.Context, tx bun.Tx, plan claimPlan) error {
	if !plan.limited || !s.isPostgres() {
		return nil
	}
	_, err := tx.NewRaw("SET LOCAL enable_sort = off").Exec(ctx)
	return err
}

func (s *Store) due(db bun.IDB, channelID int64, now time.Time, plan claimPlan) *bun.RawQuery {
	order, index, skip := "d.next_attempt_at, d.id", "", ""
	if plan.limited {
		order = "d.severity DESC, d.id"
	}
	switch {
	case s.isPostgres():
		skip = "FOR UPDATE OF d SKIP LOCKED"
	case plan.limited: // SQLite would rather sort
		index = "INDEXED BY deliveries_worst"
	}
	return db.NewRaw(`
		SELECT d.* FROM deliveries AS d `+index+`
		WHERE d.channel_id = ?1 AND d.status = 'PENDING' AND d.leased_by IS NULL AND d.next_attempt_at <= ?0
		  AND (d.kind = 'ALERT' OR NOT EXISTS (
			SELECT 1 FROM deliveries AS e
			WHERE e.alert_id = d.alert_id AND e.channel_id = d.channel_id AND e.id < d.id AND e.status = 'PENDING'))
		ORDER BY `+order+` LIMIT ?2 `+skip, now, channelID, plan.most)
}

// maxLook is how many due deliveries are looked at to find one to probe a channel with.
const maxLook = 100

// forProbe leaves the first delivery that is to be sent, and those before it that only are to be ended. found says that there is
// one to be sent.
func forProbe(rows []*claimedRow) (_ []*claimedRow, found bool) {
	for i, r := range rows {
		if r.NotToTell == "" {
			return rows[:i+1], true
		}
	}
	return rows, false
}

// lease makes the rows ours and forms messages of them. The series of one that was never tried begins now: what waited for the
// end of a pause, or behind others, has the same time to be taken as any other.
func (s *Store) lease(ctx context.Context, tx bun.Tx, rows []*claimedRow, plan claimPlan, holder string, now time.Time) (messages [][]Claimed, err error) {
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
		if r.Attempts == 0 {
			r.SeriesBeganAt = now
		}
	}
	_, err = tx.NewRaw("UPDATE deliveries SET leased_by = ?, series_began_at = CASE WHEN attempts = 0 THEN ? ELSE series_began_at END WHERE id IN (?)",
		holder, now, bun.List(ids)).Exec(ctx)
	digest := plan.limited && plan.slots == 1 && plan.state.InService()
	for _, r := range rows {
		c := Claimed{Delivery: r.model(), NotToTell: r.NotToTell}
		if digest && len(messages) > 0 {
			messages[0] = append(messages[0], c)
		} else {
			messages = append(messages, []Claimed{c})
		}
	}
	return messages, err
}

// noteClaim takes what was claimed off the rate limit, and puts off the next probe.
func (s *Store) noteClaim(ctx context.Context, tx bun.Tx, channel *models.Channel, plan claimPlan, claims *Claims, now time.Time, probing time.Duration) error {
	if !plan.limited && !plan.probe {
		return nil
	}
	state := plan.state
	if plan.limited {
		arrival := channel.RateLimit.Take(state.RateArrival, now, len(claims.Messages))
		state.RateArrival = &arrival
		_, claims.NotBefore = channel.RateLimit.Slots(&arrival, now)
	}
	if plan.probe {
		// Whoever probes may die before it says what came of it: then somebody else does.
		next := now.Add(max(probing, state.ProbePause()))
		state.ProbeAt = &next
	}
	return saveState(ctx, tx, state)
}

// ClaimExpired leases deliveries that have waited longer than models.MaxWait for a channel that is out of service, at most
// limit of them: it is time to give them up.
func (s *Store) ClaimExpired(ctx context.Context, limit int, holder string) ([]Claimed, error) {
	var claimed []Claimed
	err := s.inTx(ctx, "claim what has waited too long", func(tx bun.Tx) error {
		claimed = nil
		now, skip := s.Now(), ""
		if s.isPostgres() {
			skip = "FOR UPDATE OF d SKIP LOCKED"
		}
		var rows []*deliveryRow
		err := tx.NewRaw(`
			SELECT d.* FROM deliveries AS d
			WHERE d.status = 'PENDING' AND d.leased_by IS NULL AND d.series_began_at < ?1 AND `+notPaused+`
			  AND d.channel_id IN (SELECT channel_id FROM channel_states WHERE health IN ('PAUSED', 'BROKEN'))
			ORDER BY d.id LIMIT ?2 `+skip, now, now.Add(-models.MaxWait), limit).Scan(ctx, &rows)
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]int64, len(rows))
		for i, r := range rows {
			ids[i] = r.ID
			claimed = append(claimed, Claimed{Delivery: r.model()})
		}
		_, err = tx.NewRaw("UPDATE deliveries SET leased_by = ? WHERE id IN (?)", holder, bun.List(ids)).Exec(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	messages, err := s.readAlerts(ctx, claimed)
	return slices.Concat(messages...), s.explain("read the alerts of what has waited too long", err)
}

// Release hands deliveries back that were leased to holder and not attempted: others may claim them at once. Those that
// somebody wanted cancelled meanwhile are.
func (s *Store) Release(ctx context.Context, holder string, deliveryIDs []int64) error {
	if len(deliveryIDs) == 0 {
		return nil
	}
	_, err := s.release(ctx, false, "id IN (?) AND leased_by = ?", bun.List(deliveryIDs), holder)
	return err
}

// Reclaim hands back what is leased to processes that have died, or that nobody knows, and gives how many deliveries that
// were.
func (s *Store) Reclaim(ctx context.Context) (int, error) {
	// It is asked every second: one look into the index for each holder, however much is leased.
	var dead []string
	err := s.read.NewRaw(`
		WITH RECURSIVE holders (id) AS (
			SELECT min(leased_by) FROM deliveries WHERE status = 'PENDING' AND leased_by IS NOT NULL
			UNION ALL
			SELECT (SELECT min(leased_by) FROM deliveries WHERE status = 'PENDING' AND leased_by IS NOT NULL AND leased_by > holders.id)
			FROM holders WHERE id IS NOT NULL)
		SELECT id FROM holders WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM processes WHERE alive_until > ?)`, s.Now()).Scan(ctx, &dead)
	if err != nil || len(dead) == 0 {
		return 0, s.explain("look for leases of the dead", err)
	}
	return s.release(ctx, true, "leased_by IN (?) AND leased_by NOT IN (SELECT id FROM processes WHERE alive_until > ?)", bun.List(dead), s.Now())
}

// release ends the leases of pending deliveries that where names, and gives how many there were. died says that their holders have.
func (s *Store) release(ctx context.Context, died bool, where string, args ...any) (released int, err error) {
	err = s.inTx(ctx, "release deliveries", func(tx bun.Tx) error {
		var ids []int64
		q := tx.NewSelect().Model((*deliveryRow)(nil)).Column("id").Where("status = 'PENDING'").Where(where, args...).OrderExpr("id")
		if s.isPostgres() { // in the order of everybody else
			q = q.For("UPDATE")
		}
		if err := q.Scan(ctx, &ids); err != nil || len(ids) == 0 {
			return err
		}
		released = len(ids)
		free := tx.NewUpdate().Model((*deliveryRow)(nil)).Set("leased_by = NULL").Where("id IN (?)", bun.List(ids))
		if died {
			free = free.Set(unsureIfHeld)
		}
		if _, err := free.Exec(ctx); err != nil {
			return err
		}
		return s.cancel(ctx, tx, "cancel_reason", func(q *bun.UpdateQuery) *bun.UpdateQuery {
			return q.Where("id IN (?) AND cancel_reason IS NOT NULL", bun.List(ids))
		})
	})
	if err != nil {
		return 0, err
	}
	s.signalAppended()
	return released, nil
}

// Leased gives the pending deliveries that are leased to holder.
func (s *Store) Leased(ctx context.Context, holder string) ([]int64, error) {
	var ids []int64
	err := s.db.NewRaw("SELECT id FROM deliveries WHERE status = 'PENDING' AND leased_by = ?", holder).Scan(ctx, &ids)
	return ids, s.explain("look for leased deliveries", err)
}

// ReleaseAll ends every lease, gives how many there were, and makes due what has not been tried: the clock may have been set
// back since. Only for a process that has the database to itself, when it starts.
func (s *Store) ReleaseAll(ctx context.Context) (int, error) {
	n, err := s.release(ctx, true, "leased_by IS NOT NULL")
	if err != nil {
		return 0, err
	}
	_, err = s.db.NewRaw("UPDATE deliveries SET next_attempt_at = min(next_attempt_at, ?) WHERE status = 'PENDING' AND attempts = series_start", s.Now()).Exec(ctx)
	return n, s.explain("make due what was not tried", err)
}
