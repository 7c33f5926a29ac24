package graph

import (
	"context"
	"time"

	"github.com/rustbucket/alerts/models"
)

// statsRange is the time that statistics are asked for.
func (r *Resolver) statsRange(from time.Time, to *time.Time, bucket models.StatsBucket) (models.StatsRange, error) {
	asked := models.StatsRange{From: from.Truncate(time.Microsecond), To: r.Store.Now(), Bucket: bucket}
	if to != nil {
		asked.To = to.Truncate(time.Microsecond)
	}
	return asked, asked.Valid()
}

// expectChannels says that the fields of these channels may be asked for.
func (r *Resolver) expectChannels(ctx context.Context, stats []*models.ChannelDeliveryStats) {
	l := r.loads(ctx)
	for _, c := range stats {
		l.healths.expect(c.ChannelID)
		if r.Directory.Get(c.ChannelID) == nil {
			l.channels.expect(c.ChannelID)
		}
	}
}
