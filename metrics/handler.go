package metrics

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rustbucket/alerts/models"
)

// trust is how long a token that was good is let in while the database cannot say whether it still is: an outage is when
// the metrics are needed most. A token that was revoked shortly before the outage may read them that long.
const trust = time.Hour

// FindViewer finds who bears an Authorization value; nil is nobody, an error means that it could not be found out.
type FindViewer func(ctx context.Context, authorization string) (*models.Viewer, error)

// Handler serves the metrics to tokens that may read everything: VIEWER, ANALYST and ADMIN.
func (m *Metrics) Handler(viewer FindViewer) http.Handler {
	return &gate{viewer: viewer, now: time.Now, welcome: make(map[[sha256.Size]byte]time.Time), behind: promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true,
	})}
}

// gate lets those in who may read the metrics.
type gate struct {
	viewer FindViewer
	behind http.Handler
	now    func() time.Time

	mu      sync.Mutex
	welcome map[[sha256.Size]byte]time.Time // hashes of the values that were let in, until when they are trusted
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the metrics are read by GET", http.StatusMethodNotAllowed)
		return
	}
	authorization := r.Header.Get("Authorization")
	viewer, err := g.viewer(r.Context(), authorization)
	switch {
	case err != nil:
		if !g.wasWelcome(authorization) {
			http.Error(w, "the token cannot be checked now: the database does not answer", http.StatusServiceUnavailable)
			return
		}
	case viewer == nil:
		g.note(authorization, false)
		w.Header().Set("WWW-Authenticate", `Bearer realm="rustbucket-alerts"`)
		http.Error(w, "a valid token is needed: send the header Authorization: Bearer TOKEN", http.StatusUnauthorized)
		return
	case !viewer.May(models.Viewing, models.Analyst):
		g.note(authorization, false)
		http.Error(w, "the token's role is "+string(viewer.Role)+"; this needs VIEWER or ANALYST or ADMIN", http.StatusForbidden)
		return
	default:
		g.note(authorization, true)
	}
	g.behind.ServeHTTP(w, r)
}

// note remembers whether a value was let in.
func (g *gate) note(authorization string, in bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	hash, now := sha256.Sum256([]byte(authorization)), g.now()
	if !in {
		delete(g.welcome, hash)
		return
	}
	for h, until := range g.welcome {
		if now.After(until) {
			delete(g.welcome, h)
		}
	}
	g.welcome[hash] = now.Add(trust)
}

func (g *gate) wasWelcome(authorization string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now().Before(g.welcome[sha256.Sum256([]byte(authorization))])
}
