package graph

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rustbucket/alerts/access"
)

// recheckToken is how often the token of an open stream is looked at again. With the time for which the doorman remembers a
// good one, the streams of a revoked token end within 8 s.
const recheckToken = 3 * time.Second

// visit is one request that stays open: a socket or an event stream. It ends when its request does, when the server drains,
// and when its token is no longer good.
type visit struct {
	end       context.CancelFunc
	unwelcome atomic.Bool       // its token is no longer good
	viewer    string            // whose socket it is; empty before connection_ack
	session   access.Credential // what the request that opened a socket shows by its cookie
}

type visitKey struct{}

// newVisit gives the context of a visit, which must be ended.
func newVisit(ctx, draining context.Context) (context.Context, *visit) {
	v := new(visit)
	ctx, cancel := context.WithCancel(context.WithValue(ctx, visitKey{}, v))
	stop := context.AfterFunc(draining, cancel)
	v.end = func() { stop(); cancel() }
	return ctx, v
}

// visitOf gives the visit of a request; every request that opens a socket has one.
func visitOf(ctx context.Context) *visit { return ctx.Value(visitKey{}).(*visit) }

// keepWelcome ends the visit when the token, or the session, is no longer good. It keeps no goroutine waiting for that: there may
// be thousands of visits.
func (v *visit) keepWelcome(ctx context.Context, doorman *access.Doorman, shown access.Credential) {
	time.AfterFunc(recheckToken, func() {
		if ctx.Err() != nil {
			return
		}
		// When it cannot be found out the visit goes on: a database that is away is no reason to turn people out.
		if viewer, err := doorman.Who(ctx, shown); err == nil && viewer == nil {
			v.unwelcome.Store(true)
			v.end()
			return
		}
		v.keepWelcome(ctx, doorman, shown)
	})
}
