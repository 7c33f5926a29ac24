package graph

import (
	"context"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/notifiers"
)

// changeWebhook changes the config of a webhook channel.
func (r *Resolver) changeWebhook(ctx context.Context, id int64, change func(*models.WebhookConfig) (*models.WebhookConfig, error)) (*models.Channel, error) {
	channel, err := r.Store.UpdateChannel(ctx, id, func(c *models.Channel) error {
		config, ok := c.Config.(*models.WebhookConfig)
		if !ok {
			return models.Invalid("id", "is a channel of type %s: only those of type %s sign their messages", c.Type(), models.Webhook)
		}
		changed, err := change(config)
		if err == nil {
			c.Config = changed
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	r.channelsChanged(ctx, id)
	return channel, nil
}

// previewed is the message whose body is previewed.
func (r *Resolver) previewed(ctx context.Context, alertID *int64, kind models.DeliveryKind, digest bool) (notifiers.Notification, error) {
	switch {
	case digest && alertID != nil:
		return notifiers.Notification{}, models.Invalid("digest", "is of samples: leave alertId out, or digest")
	case digest:
		return notifiers.Notification{Digest: models.SampleDigest()}, nil
	case alertID == nil:
		sample := models.Sample(kind)
		return notifiers.Notification{Kind: kind, Alert: sample.Alert, Change: sample.Change}, nil
	}
	alert, err := r.Store.Alert(ctx, *alertID)
	if err != nil {
		return notifiers.Notification{}, err
	}
	histories, err := r.Store.Histories(ctx, []int64{*alertID})
	n := notifiers.Notification{Kind: kind, Alert: alert}
	for _, e := range histories[*alertID] { // the last of its kind
		if string(e.Kind) == string(kind) {
			n.Change = e
		}
	}
	return n, err
}
