package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/testkit"
)

// guide is a dump in the shapes of the registry's guide, with each of its recipes.
func guide(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("djangodump", "testdata", "guide.json"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var guideSecrets = []string{"YOUR/WEBHOOK", "YOUR/OTHER", "your-api-key", "your-token", "your-pagerduty-routing-key", "your-genie-key", "your-secret", "pbkdf2", "rustbucket-token"}

// says holds a report against what it must say, and looks for secrets in it.
func says(t *testing.T, what, report string, parts ...string) {
	t.Helper()
	squeezed := strings.Join(strings.Fields(report), " ")
	for _, part := range parts {
		if !strings.Contains(squeezed, part) {
			t.Errorf("%s: does not say %q:\n%s", what, part, report)
		}
	}
	for _, secret := range guideSecrets {
		if strings.Contains(report, secret) {
			t.Errorf("%s: says the secret %q", what, secret)
		}
	}
}

func TestImportDjango_TakesARegistryOver(t *testing.T) {
	for name, env := range map[string][]string{
		"SQLite":     nil,
		"PostgreSQL": {"DATABASE_URL=" + testkit.NewDatabase(t), "SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, append(env, "ADMIN_TOKEN="+testToken, "RETENTION=off")...)
			p.start()
			api := p.api()
			stdout, stderr, status := p.run("import-django", "--dry-run", guide(t))
			if status != 1 || stderr != "" {
				t.Errorf("the dry run: status %d, %s", status, stderr)
			}
			says(t, "the dry run", stdout, "Channels: 8 in the file", "email -> EMAIL", "slack -> SLACK", "webhook -> WEBHOOK", "webhook -> PAGERDUTY",
				"webhook -> OPSGENIE", "webhook -> DISCORD", "skipped: this is a connector of Teams", "new, inactive", "new, as Slack Security Channel (imported)",
				"Alerts: 5 in the file, 5 new, 0 imported before", "HIGH open 1 0", "LOW resolved 2 0", "Stays behind: auth.user 1", "Nothing was changed")
			const count = `{ channels { id } alerts { totalCount } }`
			if data := api.do(count, nil); len(at(data, "channels").([]any)) != 0 || at(data, "alerts", "totalCount") != 0.0 {
				t.Errorf("after the dry run: %v", data)
			}
			if name == "SQLite" { // a server on the file would see the channels after up to 15 s
				p.stop()
			}
			stdout, stderr, status = p.run("import-django", guide(t))
			if status != 1 || stderr != "" {
				t.Errorf("the import: status %d, %s", status, stderr)
			}
			says(t, "the import", stdout, "webhook -> PAGERDUTY", "5 new, 0 imported before", "Next: test each channel")
			if name == "SQLite" {
				p.start()
			}
			began, looks := time.Now(), 0
			api.until("the channels to be there", func() bool { looks++; return len(at(api.do(count, nil), "channels").([]any)) == 7 })
			if took := time.Since(began); name != "SQLite" && took > 5*time.Second && looks > 200 { // few looks: all stood still
				t.Errorf("a running server saw the channels after %v, when they were looked for the %d. time", took, looks)
			}
			checkImported(t, api)

			data := api.do(`{ channels(filter: {search: "Own endpoint"}) { id } }`, nil)
			api.do(`mutation($id: ID!) { updateChannel(id: $id, input: {name: "Ours"}) { id } }`, map[string]any{"id": at(data, "channels", 0, "id")})
			whole, err := os.ReadFile(guide(t))
			if err != nil {
				t.Fatal(err)
			}
			var mended []string
			for line := range strings.Lines(string(whole)) {
				if !strings.Contains(line, "office.com") {
					mended = append(mended, line)
				}
			}
			cmd := p.command("import-django", "-")
			var out, errs bytes.Buffer
			cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(strings.Join(mended, "")), &out, &errs
			if err := cmd.Run(); err != nil || errs.Len() > 0 {
				t.Errorf("the second time: %v, %s", err, errs.String())
			}
			says(t, "the second time", out.String(), "exists already, as Ours", "0 new, 5 imported before", "HIGH open 0 1")
			if strings.Contains(out.String(), "Next:") {
				t.Errorf("the second time: %s", out.String())
			}
			if data := api.do(count, nil); len(at(data, "channels").([]any)) != 7 || at(data, "alerts", "totalCount") != 5.0 {
				t.Errorf("after the second time: %v", data)
			}
			p.stop()
		})
	}
}

// checkImported asks the server for what came out of the guide's dump.
func checkImported(t *testing.T, api *server) {
	t.Helper()
	data := api.do(`{
		channels { name type isActive minSeverity alertTypes notifyOnResolve createdAt rateLimit { perMinute } config { ... on PagerDutyConfig { routingKey url } } }
		alerts { nodes { type severity message source isResolved createdAt resolvedAt rustbucket { id name } deliveries { id } routing { reason } } }
	}`, nil)
	for i, want := range []string{ // newest first
		"Slack Security Channel (imported) SLACK true LOW [] false 2025-12-12T23:08:00.008Z",
		"Discord DISCORD false LOW [honeypot_malware rustbucket_offline high_cpu] false 2025-12-12T23:07:00.007Z",
		"Opsgenie OPSGENIE true HIGH [] true 2025-12-12T23:05:00.005Z",
		"PagerDuty Webhook PAGERDUTY true HIGH [error] true 2025-12-12T23:04:00.004Z",
		"Own endpoint WEBHOOK true LOW [] false 2025-12-12T23:03:00.003Z",
		"Slack Security Channel SLACK true MEDIUM [] false 2025-12-12T23:02:00.002Z",
		"Email Alerts EMAIL true HIGH [] false 2025-12-12T23:01:00.001Z",
	} {
		c := at(data, "channels", i)
		got := fmt.Sprint(at(c, "name"), " ", at(c, "type"), " ", at(c, "isActive"), " ", at(c, "minSeverity"), " ", at(c, "alertTypes"), " ", at(c, "notifyOnResolve"), " ", at(c, "createdAt"))
		if got != want {
			t.Errorf("channel %s, want %s", got, want)
		}
	}
	if config := at(data, "channels", 3, "config"); at(config, "routingKey") != "****" || at(config, "url") != nil {
		t.Errorf("PagerDuty's config %v", config)
	}
	if at(data, "channels", 5, "rateLimit", "perMinute") != 60.0 {
		t.Errorf("Slack's rate limit %v", at(data, "channels", 5, "rateLimit"))
	}
	a := at(data, "alerts", "nodes", 1)
	if at(a, "type") != "error" || at(a, "severity") != "HIGH" || at(a, "message") != "Rustbucket node1 is not responding" || at(a, "source") != "IMPORT" ||
		at(a, "isResolved") != false || at(a, "createdAt") != "2025-12-12T10:30:00Z" || at(a, "rustbucket", "id") != "BKT123456" || at(a, "rustbucket", "name") != "Production Node 1" ||
		len(at(a, "deliveries").([]any)) != 0 || len(at(a, "routing").([]any)) != 0 {
		t.Errorf("alert %v", a)
	}
	if a := at(data, "alerts", "nodes", 4); at(a, "resolvedAt") != "2025-11-02T07:30:00.25Z" && at(a, "resolvedAt") != "2025-11-02T07:30:00.250Z" {
		t.Errorf("resolved at %v", at(a, "resolvedAt"))
	}
}

func TestImportDjango_SaysWhatItCannotTakeOver(t *testing.T) {
	p := newProcess(t)
	setUp(t, p)
	for name, c := range map[string]struct {
		dump   string
		stderr string   // all of it, in one line
		stdout []string // without an error
	}{
		"cut off":  {"[\n" + `{"model": "rustbucketregistry.notificationchannel", "pk": 1, "fields": {"name": "hunter2`, "dump.json, object 1, line 2: the file ends in the middle", nil},
		"no JSON":  {"- model: rustbucketregistry.alert\n", "dump.json: it is YAML: make it anew with python manage.py dumpdata rustbucketregistry --format json -o dump.json", nil},
		"packed":   {"\x1f\x8b\x08", "gunzip -c", nil},
		"no sinks": {`[{"model": "r.alert", "pk": 5, "fields": {"type": "error", "message": "m", "logsink": 1, "created_at": "2025-12-12T10:30:00Z"}}]`, "", []string{"skipped, alerts: 1 (pk 5): logsink: its log sink is not in the file", "dump the whole"}},
		"one of two": {`[{"model": "r.alert", "pk": 6, "fields": {"type": "error", "message": "m", "created_at": "2020-12-12T10:30:00"}}, {"model": "r.alert", "pk": 7, "fields": {}}]`, "",
			[]string{"2 in the file, 1 new", "skipped, alerts: 1 (pk 7): created_at", "older than RETENTION=90d: 1", "no time zone: 1"}},
		"a steering name": {`[{"model": "r.notificationchannel", "pk": 8, "fields": {"name": "\u001b[2J\nx", "channel_type": "sms"}}]`, "", []string{"?[2J x", "skipped: channel_type"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(p.dir, "dump.json"), []byte(c.dump), 0o600); err != nil {
				t.Fatal(err)
			}
			stdout, stderr, status := p.run("import-django", "dump.json")
			if status != 1 || c.stderr != "" && (strings.Count(stderr, "\n") != 1 || stdout != "") || c.stderr == "" && stderr != "" || !strings.Contains(stderr, c.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
			for _, part := range c.stdout {
				if !strings.Contains(stdout, part) {
					t.Errorf("does not say %q: %s", part, stdout)
				}
			}
			if strings.Contains(stdout+stderr, "hunter2") || strings.Contains(stdout, "\x1b") {
				t.Errorf("says too much: %q %q", stdout, stderr)
			}
		})
	}
	if _, stderr, status := p.run("import-django", "none.json"); status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "none.json cannot be read") {
		t.Errorf("no file: status %d, %q", status, stderr)
	}
}
