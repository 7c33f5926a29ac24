package dispatch

import (
	"context"
	"time"
)

// When the answer to a commit is lost, a delivery may be leased to this process without its knowing: an orphan, which
// nobody would send as long as this process lives. So after every such error it compares what is leased to it with what
// it holds.

// orphanAfter is how long a lease that this process does not know of is looked at until it is taken for an orphan: longer than
// what is just being stored or claimed takes to be known.
const orphanAfter = storeTimeout + 2*time.Second

// unsure says that it is unclear what is leased to this process.
func (d *Dispatcher) unsure() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.doubt = time.Now()
}

// forget says that these deliveries are not leased to this process any more.
func (d *Dispatcher) forget(ids []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		delete(d.held, id)
	}
}

// findOrphans hands back orphans, where there may be some.
func (d *Dispatcher) findOrphans(ctx context.Context) {
	suspects := make(map[int64]time.Time)
	every(ctx, orphanAfter/4, func(ctx context.Context) {
		d.mu.Lock()
		doubt := d.doubt
		d.mu.Unlock()
		if doubt.IsZero() {
			return
		}
		leased, err := d.store.Leased(ctx, d.holder)
		if err != nil {
			d.complain(ctx, "looking for deliveries that are leased to this process failed, trying again", err)
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		found := make(map[int64]time.Time)
		for _, id := range leased {
			if _, known := d.held[id]; known {
				continue
			}
			since, before := suspects[id]
			switch {
			case !before:
				found[id] = time.Now()
			case time.Since(since) < orphanAfter:
				found[id] = since
			default:
				d.handBack = append(d.handBack, id)
				d.signal(d.back)
			}
		}
		suspects = found
		if len(suspects) == 0 && d.doubt.Equal(doubt) && time.Since(doubt) > orphanAfter {
			d.doubt = time.Time{}
		}
	})
}
