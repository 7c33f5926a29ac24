package store_test

import (
	"context"
	"slices"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// history gives what is wrong about the attempt log of deliveries, and about what the feed tells of them behind a position.
func history(ctx context.Context, s *store.Store, from int64, stored []store.StoredDelivery) (faults []string) {
	ids := make([]int64, len(stored))
	for i, d := range stored {
		ids[i] = d.ID
	}
	log, err := s.AttemptsOfDeliveries(ctx, append(ids, 0))
	if err != nil {
		return []string{err.Error()}
	}
	told, err := toldOf(ctx, s, from)
	if err != nil {
		return []string{err.Error()}
	}
	for _, d := range stored {
		if fault := logFault(d, log[d.ID]); fault != "" {
			faults = append(faults, sprintf("delivery %d: %s: %+v", d.ID, fault, *d.Delivery))
		}
		if fault := feedFault(d, told[d.ID]); fault != "" {
			faults = append(faults, sprintf("delivery %d in the feed: %s: %+v", d.ID, fault, *d.Delivery))
		}
	}
	return faults
}

// logFault says what is wrong about a delivery's attempt log; empty when nothing is.
func logFault(d store.StoredDelivery, log []*models.DeliveryAttempt) string {
	if len(log) != d.Attempts {
		return sprintf("%d attempts are in the log", len(log))
	}
	for i, a := range log {
		last := i == len(log)-1
		switch {
		case a.Number != i+1:
			return sprintf("attempt %d has the number %d", i+1, a.Number)
		case a.Error == nil && !(last && d.Status == models.Delivered):
			return sprintf("attempt %d succeeded, and that was not the end", a.Number)
		case a.Error != nil && last && d.Status == models.Delivered:
			return "delivered by an attempt that failed"
		}
	}
	if d.Status == models.Delivered && len(log) == 0 {
		return "delivered without an attempt"
	}
	return ""
}

// toldOf gives the events of each delivery behind a position of the feed, in their order.
func toldOf(ctx context.Context, s *store.Store, from int64) (map[int64][]*models.FeedEvent, error) {
	if err := s.Place(ctx); err != nil {
		return nil, err
	}
	told := make(map[int64][]*models.FeedEvent)
	for {
		events, upto, err := s.Events(ctx, from, 1000)
		if err != nil || upto == from {
			return told, err
		}
		for _, e := range events {
			if e.Delivery != nil {
				told[e.Delivery.ID] = append(told[e.Delivery.ID], e)
			}
		}
		from = upto
	}
}

// mayFollow says what the feed may tell of a delivery after what it told before. Being claimed is not told.
var mayFollow = map[models.DeliveryStatus][]models.DeliveryStatus{
	models.Pending:   {models.Pending, models.Delivered, models.Failed, models.Cancelled},
	models.Failed:    {models.Pending},
	models.Cancelled: {models.Pending},
}

// feedFault says where the feed's story of a delivery is no possible one, or ends elsewhere than the delivery stands.
func feedFault(d store.StoredDelivery, told []*models.FeedEvent) string {
	status, attempts := models.Pending, 0
	for _, e := range told {
		now := e.Delivery
		made := now.Attempts - attempts
		switch {
		case !slices.Contains(mayFollow[status], now.Status):
			return sprintf("%s after %s", now.Status, status)
		case made != 0 && made != 1 || e.Attempt != made*now.Attempts:
			return sprintf("attempt %d, with %d attempts after %d", e.Attempt, now.Attempts, attempts)
		case made == 1 && status != models.Pending:
			return sprintf("attempted when it was %s", status)
		case (now.Status == models.Pending) != (now.CompletedAt == nil):
			return "completed if and only if it is final"
		}
		status, attempts = now.Status, now.Attempts
	}
	if status != d.Status || attempts != d.Attempts {
		return sprintf("it ends with %s after %d attempts", status, attempts)
	}
	if len(told) > 0 {
		if last := told[len(told)-1].Delivery; text(last.Error) != text(d.Error) || last.SeriesStart != d.SeriesStart {
			return sprintf("it ends with the error %q in the series from %d", text(last.Error), last.SeriesStart)
		}
	}
	return ""
}
