package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

// tokens makes a token for each role.
func (s *server) tokens() map[string]string {
	s.t.Helper()
	tokens := map[string]string{}
	for _, role := range models.Roles {
		secret := access.NewToken()
		if err := s.store.CreateToken(s.t.Context(), &models.Token{Name: "a " + string(role), Role: role}, access.Hash(secret)); err != nil {
			s.t.Fatal(err)
		}
		tokens[string(role)] = secret
	}
	return tokens
}

const settingsQuery = `{ channels { name rateLimit { perMinute burst } notifyOnResolve health { state waiting lastError lastSuccessAt nextProbeAt heldUntil oldestWaitingAge } } }`

// settings gives what can be seen of the channels, by name.
func (s *server) settings() map[string]any {
	s.t.Helper()
	byName := map[string]any{}
	for _, c := range at(s.do(settingsQuery, nil), "channels").([]any) {
		byName[at(c, "name").(string)] = c
	}
	return byName
}

func limit(perMinute, burst float64) any {
	return map[string]any{"perMinute": perMinute, "burst": burst}
}

func TestChannels_BeginWithWhatTheirServiceTakes(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		slack := map[string]any{"slack": map[string]any{"webhookUrl": "https://hooks.slack.com/services/x"}}
		mail := map[string]any{"email": map[string]any{"recipients": []any{"a@example.com"}}}
		s.createChannel("slack", slack)
		s.createChannel("slack, null", slack, "rateLimit", nil, "notifyOnResolve", nil)
		s.createChannel("slack, 5", slack, "rateLimit", map[string]any{"perMinute": 5}, "notifyOnResolve", true)
		s.createChannel("webhook", webhook("https://example.com"))
		s.createChannel("webhook, most", webhook("https://example.com"), "rateLimit", limit(6000, 1000))
		s.createChannel("mail", mail)
		for name, want := range map[string]struct {
			limit  any
			onTell bool
		}{
			"slack":         {limit(60, 10), false},
			"slack, null":   {nil, false},
			"slack, 5":      {limit(5, 1), true},
			"webhook":       {nil, false},
			"webhook, most": {limit(6000, 1000), false},
			"mail":          {nil, false},
		} {
			got := s.settings()[name]
			if !reflect.DeepEqual(at(got, "rateLimit"), want.limit) || at(got, "notifyOnResolve") != want.onTell {
				t.Errorf("%s: %v, want the limit %v", name, got, want.limit)
			}
			fresh := map[string]any{
				"state": "OK", "waiting": 0.0, "lastError": nil, "lastSuccessAt": nil, "nextProbeAt": nil, "heldUntil": nil, "oldestWaitingAge": nil,
			}
			if !reflect.DeepEqual(at(got, "health"), fresh) {
				t.Errorf("%s: health of a new channel: %v", name, at(got, "health"))
			}
		}
	})
}

func TestChannels_AChangeLeavesAloneWhatItDoesNotName(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		id := s.createChannel("hook", webhook("https://example.com"), "rateLimit", limit(30, 7), "notifyOnResolve", true)
		for _, c := range []struct {
			name   string
			input  map[string]any
			limit  any
			onTell bool
		}{
			{"nothing", map[string]any{}, limit(30, 7), true},
			{"something else", map[string]any{"minSeverity": "HIGH"}, limit(30, 7), true},
			{"null for notifyOnResolve", map[string]any{"notifyOnResolve": nil}, limit(30, 7), true},
			{"false for notifyOnResolve", map[string]any{"notifyOnResolve": false}, limit(30, 7), false},
			{"another limit", map[string]any{"rateLimit": map[string]any{"perMinute": 10}}, limit(10, 1), false},
			{"null for the limit", map[string]any{"rateLimit": nil}, nil, false},
			{"something else again", map[string]any{"isActive": true}, nil, false},
		} {
			s.do(`mutation($id: ID!, $input: UpdateChannelInput!) { updateChannel(id: $id, input: $input) { id } }`, map[string]any{"id": id, "input": c.input})
			if got := s.settings()["hook"]; !reflect.DeepEqual(at(got, "rateLimit"), c.limit) || at(got, "notifyOnResolve") != c.onTell {
				t.Errorf("after %s: %v", c.name, got)
			}
		}
	})
}

func limitWith(perMinute, burst any) map[string]any {
	return channelWith("rateLimit", map[string]any{"perMinute": perMinute, "burst": burst})
}

const (
	pauseQuery  = `mutation($until: Time, $reason: String!, $afterwards: Afterwards! = TELL) { pauseNotifications(until: $until, reason: $reason, afterwards: $afterwards) { since until reason afterwards by } }`
	retryQuery  = `mutation($filter: DeliveryFilter!) { retryDeliveries(filter: $filter) }`
	cancelQuery = `mutation($filter: DeliveryFilter!) { cancelDeliveries(filter: $filter) }`
)

func filterOf(pairs ...any) map[string]any {
	filter := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		filter[pairs[i].(string)] = pairs[i+1]
	}
	return map[string]any{"filter": filter}
}

func TestReliability_RefusesBadInputAndChangesNothing(t *testing.T) {
	pause := func(pairs ...any) map[string]any {
		return filterOf(pairs...)["filter"].(map[string]any)
	}
	past, future := time.Now().Add(-time.Minute).Format(time.RFC3339), time.Now().Add(time.Hour).Format(time.RFC3339)
	cases := []bad{
		{"perMinute 0", createChannelQuery, limitWith(0, 1), "BAD_USER_INPUT", "input.rateLimit.perMinute", "6000"},
		{"perMinute below 0", createChannelQuery, limitWith(-1, 1), "BAD_USER_INPUT", "input.rateLimit.perMinute", "null"},
		{"perMinute 6001", createChannelQuery, limitWith(6001, 1), "BAD_USER_INPUT", "input.rateLimit.perMinute", "6000"},
		{"perMinute null", createChannelQuery, limitWith(nil, 1), "BAD_USER_INPUT", "input.rateLimit.perMinute", "null"},
		{"perMinute a fraction", createChannelQuery, limitWith(1.5, 1), "BAD_USER_INPUT", "input.rateLimit.perMinute", ""},
		{"perMinute left out", createChannelQuery, channelWith("rateLimit", map[string]any{"burst": 1}), "BAD_USER_INPUT", "input.rateLimit.perMinute", "must be defined"},
		{"burst 0", createChannelQuery, limitWith(60, 0), "BAD_USER_INPUT", "input.rateLimit.burst", "1000"},
		{"burst 1001", createChannelQuery, limitWith(60, 1001), "BAD_USER_INPUT", "input.rateLimit.burst", "1000"},
		{"burst null", createChannelQuery, limitWith(60, nil), "BAD_USER_INPUT", "input.rateLimit.burst", "null"},
		{"a limit that is a number", createChannelQuery, channelWith("rateLimit", 60), "BAD_USER_INPUT", "input.rateLimit", ""},
		{"notifyOnResolve no boolean", createChannelQuery, channelWith("notifyOnResolve", "yes"), "BAD_USER_INPUT", "input.notifyOnResolve", ""},
		{"a change to perMinute 0", `mutation($id: ID!) { updateChannel(id: $id, input: {name: "changed", rateLimit: {perMinute: 0}}) { id } }`, nil, "BAD_USER_INPUT", "input.rateLimit.perMinute", "6000"},
		{"a change to burst 0", `mutation($id: ID!) { updateChannel(id: $id, input: {name: "changed", rateLimit: {perMinute: 1, burst: 0}}) { id } }`, nil, "BAD_USER_INPUT", "input.rateLimit.burst", "1000"},

		{"no reason", pauseQuery, pause("reason", ""), "BAD_USER_INPUT", "reason", "empty"},
		{"a blank reason", pauseQuery, pause("reason", " \t\n"), "BAD_USER_INPUT", "reason", "blanks"},
		{"a long reason", pauseQuery, pause("reason", strings.Repeat("ü", 256)), "BAD_USER_INPUT", "reason", "255"},
		{"NUL in the reason", pauseQuery, pause("reason", "a\x00"), "BAD_USER_INPUT", "reason", "NUL"},
		{"a null reason", pauseQuery, pause("reason", nil), "BAD_USER_INPUT", "reason", "null"},
		{"until in the past", pauseQuery, pause("reason", "x", "until", past), "BAD_USER_INPUT", "until", "passed"},
		{"until no time", pauseQuery, pause("reason", "x", "until", "tomorrow"), "BAD_USER_INPUT", "until", "RFC 3339"},
		{"unknown afterwards", pauseQuery, pause("reason", "x", "until", future, "afterwards", "KEEP"), "BAD_USER_INPUT", "afterwards", "KEEP"},

		{"retry all", retryQuery, filterOf(), "BAD_USER_INPUT", "filter", "empty"},
		{"retry all, with nulls", retryQuery, filterOf("channelId", nil, "createdAfter", nil), "BAD_USER_INPUT", "filter", "empty"},
		{"retry of no status", retryQuery, filterOf("statuses", []any{}), "BAD_USER_INPUT", "filter", "empty"},
		{"retry what waits", retryQuery, filterOf("statuses", []any{"FAILED", "PENDING"}), "BAD_USER_INPUT", "filter.statuses.1", "PENDING"},
		{"retry what was delivered", retryQuery, filterOf("channelId", "1", "statuses", []any{"DELIVERED"}), "BAD_USER_INPUT", "filter.statuses.0", "DELIVERED"},
		{"retry on a channel that is no number", retryQuery, filterOf("channelId", "x"), "BAD_USER_INPUT", "filter.channelId", "numbers"},
		{"retry since no time", retryQuery, filterOf("createdAfter", "today"), "BAD_USER_INPUT", "filter.createdAfter", "RFC 3339"},
		{"cancel all", cancelQuery, filterOf(), "BAD_USER_INPUT", "filter", "empty"},
		{"cancel what failed", cancelQuery, filterOf("channelId", "1", "statuses", []any{"FAILED"}), "BAD_USER_INPUT", "filter.statuses.0", "FAILED"},
		{"cancel what was cancelled", cancelQuery, filterOf("statuses", []any{"PENDING", "CANCELLED"}), "BAD_USER_INPUT", "filter.statuses.1", "CANCELLED"},
		{"cancel until no time", cancelQuery, filterOf("createdBefore", "9999-12-31T23:59:59-23:59"), "BAD_USER_INPUT", "filter.createdBefore", "RFC 3339"},
		{"a list until no time", `query($filter: DeliveryFilter!) { deliveries(filter: $filter) { totalCount } }`, filterOf("createdBefore", ""), "BAD_USER_INPUT", "filter.createdBefore", "RFC 3339"},

		{"the server's own dedup key", createAlertQuery, alertWith("dedupKey", "rustbucket-alerts:channel_failing:1"), "BAD_USER_INPUT", "input.dedupKey", "rustbucket-alerts:"},
		{"the server's own dedup key among others", createAlertsQuery, map[string]any{"inputs": []any{
			map[string]any{"type": "x", "message": "m"}, map[string]any{"type": "x", "message": "m", "dedupKey": "rustbucket-alerts:"},
		}}, "BAD_USER_INPUT", "inputs.1.dedupKey", "rustbucket-alerts:"},
		{"a preview with the server's own dedup key", `query($input: CreateAlertInput!) { previewRouting(input: $input) { reason } }`, alertWith("dedupKey", "rustbucket-alerts:x"), "BAD_USER_INPUT", "input.dedupKey", "rustbucket-alerts:"},
	}
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		r := newReceiver(t)
		r.answer(400, "no")
		channel := s.createChannel("stays", webhook(r.URL), "rateLimit", limit(30, 7))
		s.deliveries(s.createAlert(nil))
		r.fail()
		s.createAlert(nil)
		everything := func() any {
			return s.do(`{ alerts { totalCount } notificationPause { reason } channels { name updatedAt rateLimit { perMinute burst } notifyOnResolve }
				deliveries { nodes { id status attempts nextAttemptAt error } } }`, nil)
		}
		s.until("the second to wait for its retry", func() bool { return at(everything(), "deliveries", "nodes", 0, "attempts") == 1.0 })
		before := everything()
		for _, c := range cases {
			if strings.Contains(c.query, "$id: ID!") {
				c.variables = map[string]any{"id": channel}
			}
			a := s.try(c.query, c.variables)
			if len(a.Errors) != 1 {
				t.Errorf("%s: %d errors: %+v, data %v", c.name, len(a.Errors), a.Errors, a.Data)
				continue
			}
			if e := a.Errors[0]; e.Extensions.Code != c.code || e.Extensions.Field != c.field || !strings.Contains(e.Message, c.says) {
				t.Errorf("%s: code %q, field %q, message %q; want %q, %q, …%s…", c.name, e.Extensions.Code, e.Extensions.Field, e.Message, c.code, c.field, c.says)
			}
		}
		if after := everything(); !reflect.DeepEqual(before, after) {
			t.Errorf("before %v\nafter %v", before, after)
		}
	})
}

func TestReliability_LetsRolesDoWhatTheyMay(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := startServer(t, url)
		tokens := s.tokens()
		s.createChannel("hook", webhook(newReceiver(t).URL))
		s.deliveries(s.createAlert(nil))
		const read, act = "VIEWER ANALYST ADMIN", "ANALYST ADMIN"
		for query, may := range map[string]string{
			`{ alerts { nodes { source pauseReason } } }`:                                       "REPORTER " + read,
			`mutation { createAlert(input: {type: "x", message: "m"}) { source pauseReason } }`: "REPORTER ADMIN",
			settingsQuery: read,
			`{ deliveries(filter: {createdAfter: "2025-01-01T00:00:00Z"}) { nodes { kind digestSize attemptLog { digestSize } channel { health { state } } } } }`: read,
			`{ notificationPause { since until reason afterwards by } }`:                                                                                          read,
			`mutation { retryDeliveries(filter: {channelId: "1"}) }`:                                                                                              act,
			`mutation { cancelDeliveries(filter: {createdBefore: "2025-01-01T00:00:00Z"}) }`:                                                                      "ADMIN",
			`mutation { pauseNotifications(reason: "roles") { reason } resumeNotifications }`:                                                                     "ADMIN",
			`mutation { resumeNotifications }`:                                                                                                                    "ADMIN",
			`mutation { testChannels { success channel { health { state } } } }`:                                                                                  "ADMIN",
		} {
			for role, token := range tokens {
				a := s.as(token, query, nil)
				allowed := slices.Contains(strings.Fields(may), role)
				if allowed && len(a.Errors) > 0 || !allowed && (len(a.Errors) == 0 || a.Errors[0].Extensions.Code != "FORBIDDEN") {
					t.Errorf("%s: %s: %+v", role, query, a.Errors)
				}
			}
		}
		for _, role := range []string{"REPORTER", "ADMIN"} {
			a := s.as(tokens[role], createAlertQuery, alertWith("dedupKey", "rustbucket-alerts:delivery_failed:1"))
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "BAD_USER_INPUT" || a.Errors[0].Extensions.Field != "input.dedupKey" {
				t.Errorf("%s with the server's own dedup key: %+v", role, a)
			}
		}
		// Who paused is named by the token.
		s.as(tokens["ADMIN"], pauseQuery, map[string]any{"reason": "who"})
		if by := at(s.as(tokens["VIEWER"], `{ notificationPause { by } }`, nil).Data, "notificationPause", "by"); by != "a ADMIN" {
			t.Errorf("paused by %v", by)
		}
	})
}

// queries gives how many queries an operation takes: the fewest of some runs, because what the server does in between counts, too.
// Beyond 5 runs it goes on until they are as few as wanted, unless that is 0, but not for ever.
func (s *server) queries(operation string, wanted int64) int64 {
	s.t.Helper()
	fewest := int64(1000)
	for run := 0; run < 5 || fewest > wanted && wanted > 0 && run < 100; run++ {
		before := s.store.Queries()
		s.do(operation, nil)
		fewest = min(fewest, s.store.Queries()-before)
	}
	return fewest
}

func TestHealth_OfAListIsReadInAFixedNumberOfQueries(t *testing.T) {
	t.Parallel()
	s := startServer(t, testkit.NewDatabase(t))
	r := newReceiver(t)
	n := 0
	channels := func(more int) {
		for range more {
			n++
			s.createChannel(fmt.Sprint("hook ", n), webhook(r.URL))
		}
		s.deliveries(s.createAlert(nil))
	}
	lists := map[string]string{
		"channels":   `{ channels { health { state waiting } } }`,
		"deliveries": `{ deliveries { nodes { channel { health { state } } } } }`,
		"alerts":     `{ alerts { nodes { routing { channel { health { state } } } deliveries { channel { health { state } } } } } }`,
		"tested":     `mutation { testChannels { channel { health { state } } } }`,
	}
	few := map[string]int64{}
	channels(3)
	for name, query := range lists {
		few[name] = s.queries(query, 0)
	}
	channels(12)
	few["tested"] += 12 * 3 // each test is noted in the audit log as soon as it is over, in a transaction of its own
	for name, query := range lists {
		if many := s.queries(query, few[name]+2); many > few[name]+2 { // what is done in between may differ
			t.Errorf("%s: %d queries for 3 channels, %d for 15", name, few[name], many)
		}
	}
}
