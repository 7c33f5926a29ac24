package access

import (
	"maps"
	"time"

	"golang.org/x/time/rate"

	"github.com/rustbucket/alerts/models"
)

// MaxAlertsPerMinute bounds what a token's limit may be.
const MaxAlertsPerMinute = 1_000_000

// MayCreate takes n alerts off what the viewer's token may create: so many a minute, and as many at once after a quiet minute. It
// is OVERLOADED beyond that, with nothing taken. Each server counts by itself.
func (d *Doorman) MayCreate(v *models.Viewer, n int) error {
	if v == nil || v.AlertsPerMinute == 0 {
		return nil
	}
	d.mu.Lock()
	pace := d.paces[v.TokenID]
	if pace == nil {
		pace = rate.NewLimiter(rate.Limit(float64(v.AlertsPerMinute)/60), v.AlertsPerMinute)
		d.paces[v.TokenID] = pace
	}
	d.mu.Unlock()
	if !pace.AllowN(time.Now(), n) {
		return &models.Error{Code: models.Overloaded, Message: "the token has created as many alerts as it may: nothing was stored, try again in a while"}
	}
	return nil
}

// signInsPerMinute is how many sessions a token may begin in a minute on one server, and at once. Each that is ended before its time
// is a row until it would have been over: people never notice this bound, and no token fills a database.
const signInsPerMinute = 60

// mayBegin takes a session off what the viewer may begin.
func (d *Doorman) mayBegin(v *models.Viewer) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	pace := d.signIns[v.Name]
	if pace == nil {
		pace = rate.NewLimiter(rate.Limit(float64(signInsPerMinute)/60), signInsPerMinute)
		d.signIns[v.Name] = pace
	}
	return pace.Allow()
}

// forgetPaces drops those that have been quiet for long enough to begin anew. d.mu is held.
func (d *Doorman) forgetPaces() {
	maps.DeleteFunc(d.paces, func(_ int64, pace *rate.Limiter) bool { return pace.Tokens() >= float64(pace.Burst()) })
	maps.DeleteFunc(d.signIns, func(_ string, pace *rate.Limiter) bool { return pace.Tokens() >= float64(pace.Burst()) })
}
