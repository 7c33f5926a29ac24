package main

import (
	"strings"
	"testing"

	"github.com/rustbucket/alerts/testkit"
)

func TestProcess_SecretsAreSealedAnewUnderAnotherKey(t *testing.T) {
	const former, key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
	for name, env := range map[string][]string{
		"SQLite":     nil,
		"PostgreSQL": {"DATABASE_URL=" + testkit.NewDatabase(t)},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, append(env, "ADMIN_TOKEN="+testToken)...)
			base := p.env
			under := func(env ...string) { p.env = append(base[:len(base):len(base)], env...) }
			under("SECRET_KEY=" + former)
			p.start()
			r := newReceiver(t)
			p.api().createChannel("one", webhook(r.URL))
			gone := p.api().createChannel("gone", webhook(r.URL))
			p.api().do(`mutation ($id: ID!) { deleteChannels(ids: [$id]) }`, map[string]any{"id": gone})
			p.stop()

			under("SECRET_KEY=" + key)
			if _, stderr, status := p.run("reseal"); status != 1 || !strings.Contains(stderr, "SECRET_KEY_PREVIOUS") || strings.Count(stderr, "\n") != 1 {
				t.Errorf("without the former key: status %d, %q", status, stderr)
			}
			under("SECRET_KEY="+key, "SECRET_KEY_PREVIOUS="+former)
			p.start() // what the former key sealed is read, and the server goes on meanwhile
			for _, want := range []string{"2 channels", "0 channels"} {
				if stdout, stderr, status := p.run("reseal"); status != 0 || !strings.HasPrefix(stdout, want) {
					t.Errorf("status %d, %q %q, want %s", status, stdout, stderr, want)
				}
			}
			p.stop()

			under("SECRET_KEY=" + key)
			p.start()
			p.api().createAlert(map[string]any{"type": "error", "message": "sealed anew"})
			p.api().until("the alert to arrive", func() bool { return len(r.all()) == 1 })
			p.stop()

			under("SECRET_KEY=" + former)
			if _, stderr, status := p.run("test-notification", "--list"); status != 1 || strings.Contains(stderr, r.URL) {
				t.Errorf("under the former key alone: status %d, %q", status, stderr)
			}
		})
	}
}
