package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// What outcomes say about their channels, and what the server itself has to say about that.

// StateChange is what a batch of outcomes makes of a channel's state.
type StateChange struct {
	ChannelID int64
	Before    models.ChannelState
	After     *models.ChannelState // may be changed by the Reaction
	Outcomes  []*Outcome           // that applied, on this channel
	Worked    bool                 // at least one attempt succeeded
}

// Reaction is what the server itself has to say about what became of deliveries and channels.
type Reaction struct {
	Raise   []AlertInsert // alerts with dedup keys
	Replace []string      // dedup keys of alerts that are resolved before the others are raised
	Resolve []string      // dedup keys of alerts that are over
}

// NoteSuccesses notes when each channel was last told something, where Record had no reason to. It is Record's other half:
// what it finds is reacted to in the same way.
func (s *Store) NoteSuccesses(ctx context.Context, successes map[int64]time.Time, react func([]*StateChange) Reaction) (*Recorded, error) {
	recorded := new(Recorded)
	err := s.inTx(ctx, "note successes", func(tx bun.Tx) error {
		*recorded = Recorded{}
		ids := slices.Sorted(maps.Keys(successes))
		states, err := s.lockStates(ctx, tx, ids)
		if err != nil {
			return err
		}
		var changes []*StateChange
		for _, id := range ids {
			if before, ok := states[id]; ok {
				after := before.Observe(models.Observation{Kind: models.Worked, At: successes[id]})
				changes = append(changes, &StateChange{ChannelID: id, Before: before, After: &after, Worked: true})
			}
		}
		return s.settle(ctx, tx, changes, "", react, recorded)
	})
	if err != nil {
		return nil, err
	}
	s.signalAppended()
	return recorded, nil
}

// settle stores what became of channels' states, and what the server has to say about it.
func (s *Store) settle(ctx context.Context, tx bun.Tx, changes []*StateChange, holder string, react func([]*StateChange) Reaction, recorded *Recorded) error {
	if len(changes) == 0 {
		return nil
	}
	reaction := react(changes)
	changed := false
	for _, c := range changes {
		if *c.After == c.Before {
			continue
		}
		if err := saveState(ctx, tx, *c.After); err != nil {
			return err
		}
		recorded.States = append(recorded.States, c.After)
		if c.After.Health != c.Before.Health {
			recorded.Turned = append(recorded.Turned, c.After)
		}
		changed = changed || c.After.Health != c.Before.Health || c.After.HoldUntil != c.Before.HoldUntil
	}
	if changed {
		if err := s.notifyChannels(ctx, tx); err != nil {
			return err
		}
	}
	if _, err := s.resolveKeys(ctx, tx, reaction.Replace); err != nil {
		return err
	}
	if len(reaction.Raise) > 0 {
		var err error
		if recorded.Raised, err = s.createAlerts(ctx, tx, reaction.Raise, holder); err != nil {
			return err
		}
		recorded.Waiting = append(recorded.Waiting, waiting(recorded.Raised)...)
	}
	told, err := s.resolveKeys(ctx, tx, reaction.Resolve)
	recorded.Waiting = append(recorded.Waiting, told...)
	return err
}

// waiting gives the channels that are to be told of alerts.
func waiting(raised []AlertResult) (channelIDs []int64) {
	for _, r := range raised {
		for _, d := range r.Deliveries {
			channelIDs = append(channelIDs, d.ChannelID)
		}
	}
	return channelIDs
}

// observe gives what the outcomes that applied make of their channels' states, in the order of the channels.
func (s *Store) observe(ctx context.Context, tx bun.Tx, applied []*Outcome) ([]*StateChange, error) {
	byChannel := make(map[int64][]*Outcome)
	for _, o := range applied {
		if !o.plain() {
			byChannel[o.Delivery.ChannelID] = append(byChannel[o.Delivery.ChannelID], o)
		}
	}
	ids := make([]int64, 0, len(byChannel))
	for id := range byChannel {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	states, err := s.lockStates(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	changes := make([]*StateChange, 0, len(ids))
	for _, id := range ids {
		before := states[id]
		after, worked := before, false
		var seen []models.Observation
		for _, o := range byChannel[id] {
			seen = append(seen, o.observations()...)
		}
		slices.SortStableFunc(seen, func(a, b models.Observation) int { return a.At.Compare(b.At) })
		for _, o := range seen {
			after = after.Observe(o)
			worked = worked || o.Kind == models.Worked
		}
		changes = append(changes, &StateChange{ChannelID: id, Before: before, After: &after, Outcomes: byChannel[id], Worked: worked})
	}
	return changes, nil
}
