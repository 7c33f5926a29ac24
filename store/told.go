package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// What is told of alerts behind the alerts themselves: whether it is still to be told, and who did it.

// judge says of deliveries that tell what became of their alerts whether that is still to be told. Most tell of the alerts
// themselves, and nothing has to be known for that.
func judge(ctx context.Context, tx bun.Tx, channelID int64, rows []*claimedRow) error {
	var ids []int64
	for _, r := range rows {
		if r.Kind != models.TellAlert {
			ids = append(ids, r.AlertID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	alerts, err := alertsByID(ctx, tx, ids)
	if err != nil {
		return err
	}
	var tellings []struct {
		ID, AlertID int64
		models.Telling
	}
	err = tx.NewRaw(`
		SELECT id, alert_id, kind, status, attempts, coalesce(unsure, false) AS unsure, coalesce(`+partlyTold("d")+`, false) AS partly
		FROM deliveries AS d WHERE alert_id IN (?) AND channel_id = ? ORDER BY id`, bun.List(ids), channelID).Scan(ctx, &tellings)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Kind == models.TellAlert {
			continue
		}
		var before, after []models.Telling
		for _, t := range tellings {
			switch {
			case t.AlertID != r.AlertID || t.ID == r.ID:
			case t.ID < r.ID:
				before = append(before, t.Telling)
			default:
				after = append(after, t.Telling)
			}
		}
		r.NotToTell = models.NotToTell(r.Kind, alerts[r.AlertID].State(), before, after)
	}
	return nil
}

// changeOf is what somebody did when something of this kind is told.
var changeOf = map[models.DeliveryKind]models.AlertEventKind{
	models.TellAcknowledged: models.WasAcknowledged, models.TellResolved: models.WasResolved, models.TellReopened: models.WasReopened,
}

// toldChange names what is told of an alert beside itself.
type toldChange struct {
	alertID int64
	kind    models.AlertEventKind
}

// changesTold gives what claimed deliveries tell of, besides the alerts themselves: the last of its kind.
func (s *Store) changesTold(ctx context.Context, messages [][]Claimed) (map[toldChange]*models.AlertEvent, error) {
	var ids []int64
	for _, m := range messages {
		for _, c := range m {
			if c.Delivery.Kind != models.TellAlert {
				ids = append(ids, c.Delivery.AlertID)
			}
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []*alertEventRow
	err := s.read.NewSelect().Model(&rows).
		Where("id IN (SELECT max(id) FROM alert_events WHERE alert_id IN (?) GROUP BY alert_id, kind)", bun.List(ids)).Scan(ctx)
	changes := make(map[toldChange]*models.AlertEvent, len(rows))
	for _, r := range rows {
		changes[toldChange{r.AlertID, r.Kind}] = r.model()
	}
	return changes, err
}
