package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/models"
)

// scrape reads the metrics as Prometheus does.
func scrape(t testing.TB, url, token string) (status int, page string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestMetrics_AreForTokensThatMayReadEverything(t *testing.T) {
	s := startServer(t, "")
	for role, want := range map[models.Role]int{models.Admin: 200, models.Analyst: 200, models.Viewing: 200, models.Reporter: 403} {
		token := access.NewToken()
		if err := s.store.CreateToken(t.Context(), &models.Token{Name: string(role), Role: role}, access.Hash(token)); err != nil {
			t.Fatal(err)
		}
		if status, page := scrape(t, s.url, token); status != want {
			t.Errorf("%s: status %d, not %d: %s", role, status, want, page)
		}
	}
	expired, past := access.NewToken(), time.Now().UTC().Add(-time.Minute)
	if err := s.store.CreateToken(t.Context(), &models.Token{Name: "expired", Role: models.Viewing, ExpiresAt: &past}, access.Hash(expired)); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"", "no-token", access.NewToken(), expired} {
		if status, _ := scrape(t, s.url, token); status != http.StatusUnauthorized {
			t.Errorf("token %q: status %d", token, status)
		}
	}
}

func TestMetrics_TellOfTheProcess(t *testing.T) {
	s := startServer(t, "")
	reader, err := s.feed.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	status, page := scrape(t, s.url, testToken)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, page)
	}
	for _, sample := range []string{
		`rustbucket_alerts_build_info{goversion="go`, "\nrustbucket_alerts_subscribers 1\n", "\ngo_goroutines ",
	} {
		if !strings.Contains(page, sample) {
			t.Errorf("no %q in\n%s", sample, page)
		}
	}
	if strings.Contains(page, testToken) {
		t.Error("the metrics show the admin token")
	}
}

func TestMetrics_AreNotThereWhileTheServerStarts(t *testing.T) {
	starting := httptest.NewServer(newFront(nil))
	defer starting.Close()
	if status, _ := scrape(t, starting.URL, testToken); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
}
