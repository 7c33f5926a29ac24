package metrics

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rustbucket/alerts/models"
)

func everybody(context.Context, string) (*models.Viewer, error) {
	return &models.Viewer{Role: models.Viewing}, nil
}

func TestHandler_LetsInWhoMayReadEverything(t *testing.T) {
	viewers := map[string]*models.Viewer{
		"Bearer a": {Role: models.Admin}, "Bearer b": {Role: models.Analyst}, "Bearer c": {Role: models.Viewing}, "Bearer d": {Role: models.Reporter},
	}
	h := New("1", slog.New(slog.DiscardHandler)).Handler(func(_ context.Context, a string) (*models.Viewer, error) { return viewers[a], nil })
	for _, c := range []struct {
		method, authorization string
		status                int
	}{
		{http.MethodGet, "Bearer a", 200}, {http.MethodGet, "Bearer b", 200}, {http.MethodGet, "Bearer c", 200}, {http.MethodHead, "Bearer c", 200},
		{http.MethodGet, "Bearer d", 403}, {http.MethodGet, "Bearer e", 401}, {http.MethodGet, "", 401}, {http.MethodPost, "Bearer a", 405},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(c.method, "/metrics", nil)
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s with %q: status %d, not %d", c.method, c.authorization, w.Code, c.status)
		}
		if (w.Header().Get("WWW-Authenticate") != "") != (c.status == 401) {
			t.Errorf("%s with %q: WWW-Authenticate is %q", c.method, c.authorization, w.Header().Get("WWW-Authenticate"))
		}
	}
}

func TestHandler_KeepsLettingInWhoWasWelcomeWhileTheDatabaseIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		viewer, away := &models.Viewer{Role: models.Viewing}, error(nil)
		h := New("1", slog.New(slog.DiscardHandler)).Handler(func(context.Context, string) (*models.Viewer, error) { return viewer, away })
		status := func(authorization string) int {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
			r.Header.Set("Authorization", authorization)
			h.ServeHTTP(w, r)
			return w.Code
		}
		step := func(what, authorization string, want int) {
			t.Helper()
			if got := status(authorization); got != want {
				t.Errorf("%s: status %d, not %d", what, got, want)
			}
		}
		step("a good token", "Bearer a", 200)
		away, viewer = errors.New("the database is away"), nil
		step("the same without a database", "Bearer a", 200)
		step("one never seen", "Bearer b", 503)
		time.Sleep(trust - time.Second)
		step("the same within the hour", "Bearer a", 200)
		time.Sleep(time.Second)
		step("the same after an hour", "Bearer a", 503)

		away, viewer = nil, &models.Viewer{Role: models.Viewing}
		step("a good token again", "Bearer a", 200)
		viewer = nil
		step("the token was revoked", "Bearer a", 401)
		away = errors.New("the database is away")
		step("a revoked one without a database", "Bearer a", 503)
	})
}
