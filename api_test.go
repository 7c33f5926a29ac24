package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

func TestAPI_TellsAWebhookExactlyWhatTheContractSays(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		r := newReceiver(t)
		s.createChannel("hook", map[string]any{"webhook": map[string]any{
			"url": r.URL + "/hook?key=hunter2", "headers": map[string]any{"X-API-Key": "hunter3", "Webhook-Id": "mine", "Host": "evil"},
			"signingSecret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		}})
		id := s.createAlert(map[string]any{
			"type": "error", "severity": "HIGH", "message": "Rustbucket node1 is not responding <&>",
			"rustbucket": map[string]any{"id": "BKT123456", "name": "Production Node 1"}, "details": map[string]any{"load": 0.7},
		})
		plain := s.createAlert(map[string]any{"message": "second"})
		deliveries := s.deliveries(id)
		s.deliveries(plain)
		if len(deliveries) != 1 || at(deliveries, 0, "status") != "DELIVERED" || at(deliveries, 0, "attempts") != 1.0 || at(deliveries, 0, "completedAt") == nil ||
			at(deliveries, 0, "attemptLog", 0, "statusCode") != 200.0 || at(deliveries, 0, "attemptLog", 0, "response") != "ok" || at(deliveries, 0, "error") != nil {
			t.Errorf("deliveries %v", deliveries)
		}
		got := r.all()
		if len(got) != 2 {
			t.Fatalf("%d requests arrived", len(got))
		}
		slices.SortFunc(got, func(a, b received) int { return strings.Compare(a.body, b.body) })
		created := at(s.do(`query($id: ID!) { alert(id: $id) { createdAt } }`, map[string]any{"id": id}), "alert", "createdAt")
		want := fmt.Sprintf(`{"alert_id":%s,"alert_type":"error","severity":"high","message":"Rustbucket node1 is not responding <&>","is_resolved":false,"created_at":"%s","rustbucket":{"id":"BKT123456","name":"Production Node 1"}}`, id, created)
		if got[0].body != want {
			t.Errorf("body %s\nwant %s", got[0].body, want)
		}
		if !strings.HasSuffix(got[1].body, `"rustbucket":null}`) || !strings.Contains(got[1].body, `"severity":"low"`) {
			t.Errorf("body without a rustbucket: %s", got[1].body)
		}
		h := got[0].header
		if h.Get("X-API-Key") != "hunter3" || h.Get("Content-Type") != "application/json" || !strings.Contains(h.Get("User-Agent"), "Rustbucket") ||
			h.Get("Webhook-Id") == "mine" || h.Get("Webhook-Id") == got[1].header.Get("Webhook-Id") || h.Get("Webhook-Signature") == "" {
			t.Errorf("headers %v", h)
		}
		for _, secret := range []string{"hunter2", "hunter3", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
			if strings.Contains(s.log.String(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
	})
}

func TestAPI_SendsMailAndSlack(t *testing.T) {
	mail, err := testkit.StartMailServer(testkit.MailOptions{Encryption: testkit.NoTLS})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mail.Close() })
	s := startServer(t, "", "EMAIL_HOST="+mail.Host, "EMAIL_PORT="+strconv.Itoa(mail.Port), "DEFAULT_FROM_EMAIL=alerts@example.com")
	slack := newReceiver(t)
	s.createChannel("mail", map[string]any{"email": map[string]any{"recipients": []any{"one@example.com", "Two <two@example.com>"}}})
	s.createChannel("slack", map[string]any{"slack": map[string]any{"webhookUrl": slack.URL + "/services/T0/B0/secret"}})
	id := s.createAlert(map[string]any{"type": "error", "severity": "HIGH", "message": "disk full on <node>"})
	for _, d := range s.deliveries(id) {
		if at(d, "status") != "DELIVERED" {
			t.Errorf("delivery %v", d)
		}
	}
	mails := mail.Mails()
	if len(mails) != 1 {
		t.Fatalf("%d mails", len(mails))
	}
	if text := string(mails[0].Data); !strings.Contains(text, "Subject: Rustbucket Alert: ERROR") || len(mails[0].To) != 2 {
		t.Errorf("mail to %v: %s", mails[0].To, text)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(slack.all()[0].body), &body); err != nil {
		t.Fatal(err)
	}
	if at(body, "attachments", 0, "color") != "danger" || !strings.Contains(fmt.Sprint(body), "disk full on &lt;node&gt;") {
		t.Errorf("Slack got %v", body)
	}
}

func TestAPI_RoutesAsTheChannelsSayAndRemembersWhy(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		r := newReceiver(t)
		s.createChannel("all", webhook(r.URL))
		s.createChannel("medium", webhook(r.URL), "minSeverity", "MEDIUM")
		s.createChannel("errors", webhook(r.URL), "alertTypes", []any{"error", "warning"})
		off := s.createChannel("off", webhook(r.URL), "isActive", false)
		reasons := func(list any) map[string]string {
			m := map[string]string{}
			for _, d := range list.([]any) {
				m[at(d, "channel", "name").(string)] = at(d, "reason").(string)
				if at(d, "willNotify") != (at(d, "reason") == "MATCHED") {
					t.Errorf("decision %v", d)
				}
			}
			return m
		}
		const decision = `{ willNotify reason channel { name deletedAt } }`
		for _, c := range []struct {
			input map[string]any
			want  map[string]string
		}{
			{map[string]any{"type": "info", "severity": "LOW"}, map[string]string{"all": "MATCHED", "medium": "BELOW_MIN_SEVERITY", "errors": "TYPE_NOT_SELECTED", "off": "CHANNEL_INACTIVE"}},
			{map[string]any{"type": "error", "severity": "MEDIUM"}, map[string]string{"all": "MATCHED", "medium": "MATCHED", "errors": "MATCHED", "off": "CHANNEL_INACTIVE"}},
			{map[string]any{"type": "Error", "severity": "HIGH"}, map[string]string{"all": "MATCHED", "medium": "MATCHED", "errors": "TYPE_NOT_SELECTED", "off": "CHANNEL_INACTIVE"}},
			{map[string]any{"type": "error", "severity": "HIGH", "notify": false}, map[string]string{"all": "NOTIFY_FALSE", "medium": "NOTIFY_FALSE", "errors": "NOTIFY_FALSE", "off": "NOTIFY_FALSE"}},
		} {
			c.input["message"] = "m"
			preview := s.do(`query($input: CreateAlertInput!) { previewRouting(input: $input) `+decision+` }`, map[string]any{"input": c.input})
			if got := reasons(preview["previewRouting"]); !reflect.DeepEqual(got, c.want) {
				t.Errorf("preview of %v: %v, want %v", c.input, got, c.want)
			}
			id := s.createAlert(c.input)
			told := slices.Sorted(maps.Keys(c.want))
			told = slices.DeleteFunc(told, func(name string) bool { return c.want[name] != "MATCHED" })
			var names []string
			for _, d := range s.deliveries(id) {
				names = append(names, at(d, "channel", "name").(string))
			}
			slices.Sort(names)
			if !slices.Equal(names, told) {
				t.Errorf("%v was told to %v, want %v", c.input, names, told)
			}
		}
		id := s.createAlert(map[string]any{"dedupKey": "k", "severity": "HIGH"})
		preview := s.do(`{ previewRouting(input: {type: "error", message: "m", dedupKey: "k"}) `+decision+` }`, nil)
		if got := reasons(preview["previewRouting"]); got["all"] != "DUPLICATE" || got["off"] != "DUPLICATE" {
			t.Errorf("preview of a duplicate: %v", got)
		}
		s.deliveries(id)
		// What was decided then stays, whatever becomes of the channels.
		s.do(`mutation($id: ID!) { setChannelsActive(active: false) { id } deleteChannels(ids: [$id]) }`, map[string]any{"id": off})
		data := s.do(`query($id: ID!) { alert(id: $id) { routing `+decision+` } channel: channels { name } }`, map[string]any{"id": id})
		if got := reasons(at(data, "alert", "routing")); got["all"] != "MATCHED" || got["errors"] != "MATCHED" || got["off"] != "CHANNEL_INACTIVE" {
			t.Errorf("routing afterwards: %v", got)
		}
		if len(data["channel"].([]any)) != 3 {
			t.Errorf("channels %v", data["channel"])
		}
	})
}

func TestAPI_CountsUpAnOpenAlert(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		r := newReceiver(t)
		s.createChannel("hook", webhook(r.URL))
		first := s.createAlert(map[string]any{"dedupKey": "disk"})
		for range 3 {
			if again := s.createAlert(map[string]any{"dedupKey": "disk"}); again != first {
				t.Fatalf("alert %s was created beside %s", again, first)
			}
		}
		data := s.do(`query($id: ID!) { alert(id: $id) { occurrences dedupKey routing { reason } deliveries { id } } }`, map[string]any{"id": first})
		if at(data, "alert", "occurrences") != 4.0 || len(at(data, "alert", "deliveries").([]any)) != 1 || at(data, "alert", "routing", 0, "reason") != "MATCHED" {
			t.Errorf("alert %v", data)
		}
		s.do(`mutation($id: ID!) { resolveAlert(id: $id) { isResolved resolvedAt } }`, map[string]any{"id": first})
		if next := s.createAlert(map[string]any{"dedupKey": "disk"}); next == first {
			t.Error("a resolved alert was counted up")
		}
	})
}

func TestAPI_ChannelsKeepTheirSecretsToThemselves(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		r := newReceiver(t)
		id := s.createChannel("hook", map[string]any{"webhook": map[string]any{
			"url": r.URL + "/hunter2?key=hunter2", "headers": map[string]any{"X-Key": "hunter2"}, "signingSecret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		}})
		const show = `{ id name type isActive minSeverity alertTypes config { ... on WebhookConfig { url headers signingSecret } } }`
		data := s.do(`{ channels `+show+` }`, nil)
		shown := at(data, "channels", 0, "config")
		want := map[string]any{"url": r.URL + "/****", "headers": map[string]any{"X-Key": "****"}, "signingSecret": "****"}
		if !reflect.DeepEqual(shown, want) {
			t.Errorf("shown %v, want %v", shown, want)
		}
		// Sent back as it was shown, with a change beside it: nothing is lost.
		s.do(`mutation($id: ID!, $input: UpdateChannelInput!) { updateChannel(id: $id, input: $input) `+show+` }`, map[string]any{"id": id, "input": map[string]any{
			"name": "renamed", "config": map[string]any{"webhook": shown},
		}})
		s.do(`mutation($id: ID!) { updateChannel(id: $id, input: {minSeverity: HIGH}) { id } }`, map[string]any{"id": id})
		result := s.do(`mutation($id: ID!) { testChannel(id: $id) { success message statusCode durationMs response channel { name minSeverity } } }`, map[string]any{"id": id})
		if at(result, "testChannel", "success") != true || at(result, "testChannel", "channel", "name") != "renamed" || at(result, "testChannel", "statusCode") != 200.0 {
			t.Errorf("test: %v", result)
		}
		if got := r.all(); len(got) != 1 || got[0].header.Get("X-Key") != "hunter2" || got[0].header.Get("Webhook-Signature") == "" || !strings.Contains(got[0].body, "TEST-000") {
			t.Errorf("the receiver got %v", got)
		}
		for name, c := range map[string]struct {
			config map[string]any
			field  string
		}{
			"another type":         {map[string]any{"slack": map[string]any{"webhookUrl": "https://example.com"}}, "input.config"},
			"a mask for a new one": {map[string]any{"webhook": map[string]any{"url": "https://example.com", "headers": map[string]any{"X-New": "****"}}}, "input.config.webhook.headers.X-New"},
			"another host's mask":  {map[string]any{"webhook": map[string]any{"url": "https://example.com/****"}}, "input.config.webhook.url"},
		} {
			a := s.try(`mutation($id: ID!, $input: UpdateChannelInput!) { updateChannel(id: $id, input: $input) { id } }`, map[string]any{"id": id, "input": map[string]any{"config": c.config}})
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "BAD_USER_INPUT" || a.Errors[0].Extensions.Field != c.field {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if strings.Contains(s.log.String(), "hunter2") {
			t.Error("the log has a secret")
		}
	})
}

func TestAPI_TestsChannelsForReal(t *testing.T) {
	s := startServer(t, "")
	good, bad := newReceiver(t), newReceiver(t)
	bad.answer(http.StatusTeapot, "short and stout")
	one := s.createChannel("good", webhook(good.URL))
	s.createChannel("bad", webhook(bad.URL))
	off := s.createChannel("off", webhook(good.URL), "isActive", false)
	data := s.do(`mutation { testChannels { channel { name } success statusCode response message } }`, nil)
	results := map[string]any{}
	for _, r := range data["testChannels"].([]any) {
		results[at(r, "channel", "name").(string)] = r
	}
	if len(results) != 2 || at(results["good"], "success") != true || at(results["bad"], "success") != false ||
		at(results["bad"], "statusCode") != 418.0 || at(results["bad"], "response") != "short and stout" {
		t.Errorf("results %v", results)
	}
	data = s.do(`mutation($ids: [ID!]) { testChannels(ids: $ids) { channel { name } success } }`, map[string]any{"ids": []any{off, one}})
	if at(data, "testChannels", 0, "channel", "name") != "off" || at(data, "testChannels", 0, "success") != true || at(data, "testChannels", 1, "success") != true {
		t.Errorf("by ids: %v", data)
	}
	data = s.do(`mutation($config: ChannelConfigInput!) { testChannelConfig(config: $config) { channel { id } success } }`, map[string]any{"config": webhook(good.URL)})
	if at(data, "testChannelConfig", "success") != true || at(data, "testChannelConfig", "channel") != nil {
		t.Errorf("a config: %v", data)
	}
	secret := map[string]any{"webhook": map[string]any{"url": good.URL + "/secret", "headers": map[string]any{"Authorization": "Bearer hush"}}}
	kept := s.createChannel("kept", secret)
	masked := func(url string) map[string]any {
		return map[string]any{"id": kept, "config": map[string]any{"webhook": map[string]any{"url": url, "headers": map[string]any{"Authorization": "****"}}}}
	}
	const testKept = `mutation($id: ID!, $config: ChannelConfigInput!) { testChannelConfig(config: $config, channelId: $id) { success } }`
	before := len(good.all())
	for _, url := range []string{good.URL + "/****", good.URL + "/other"} {
		if data = s.do(testKept, masked(url)); at(data, "testChannelConfig", "success") != true {
			t.Errorf("masked values of a channel: %v", data)
		}
	}
	for _, r := range good.all()[before:] {
		if got := r.header.Get("Authorization"); got != "Bearer hush" {
			t.Errorf("Authorization %q: a masked value does not stand for the secret", got)
		}
	}
	before = len(bad.all())
	for _, c := range []struct {
		variables map[string]any
		code      string
	}{
		{masked(bad.URL + "/elsewhere"), "BAD_USER_INPUT"},
		{map[string]any{"id": kept, "config": map[string]any{"slack": map[string]any{"webhookUrl": bad.URL}}}, "BAD_USER_INPUT"},
		{map[string]any{"id": "999999", "config": webhook(bad.URL)}, "NOT_FOUND"},
	} {
		if got := s.try(testKept, c.variables); len(got.Errors) != 1 || got.Errors[0].Extensions.Code != c.code {
			t.Errorf("%v: %v, not %s", c.variables, got.Errors, c.code)
		}
	}
	if n := len(bad.all()); n != before {
		t.Errorf("%d messages with a secret went to another host", n-before)
	}
	if n := at(s.do(`{ deliveries { totalCount } }`, nil), "deliveries", "totalCount"); n != 0.0 {
		t.Errorf("tests left %v deliveries", n)
	}
}

func TestAPI_RetriesWhatMayWorkLaterAndGivesUpTheRest(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		r := newReceiver(t)
		channel := s.createChannel("hook", webhook(r.URL))
		r.answer(http.StatusBadRequest, "no such thing")
		id := s.createAlert(nil)
		d := s.deliveries(id)[0]
		if at(d, "status") != "FAILED" || at(d, "attempts") != 1.0 || at(d, "attemptLog", 0, "statusCode") != 400.0 || at(d, "attemptLog", 0, "response") != "no such thing" || at(d, "error") == nil {
			t.Errorf("delivery %v", d)
		}
		// By hand, when the receiver is mended.
		r.answer(http.StatusOK, "ok")
		s.do(`mutation($id: ID!) { retryDelivery(id: $id) { status attempts } }`, map[string]any{"id": at(d, "id")})
		if d = s.deliveries(id)[0]; at(d, "status") != "DELIVERED" || at(d, "attempts") != 2.0 || at(d, "attemptLog", 1, "number") != 2.0 {
			t.Errorf("after the retry: %v", d)
		}
		a := s.try(`mutation($id: ID!) { retryDelivery(id: $id) { status } }`, map[string]any{"id": at(d, "id")})
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "CONFLICT" {
			t.Errorf("retry of what was delivered: %+v", a)
		}
		// By itself, on the schedule: the first retry after 4 to 6 s, the second after 24 to 36 s. Mostly the first failure is seen.
		r.answer(http.StatusServiceUnavailable, "later")
		before := len(r.all())
		id = s.createAlert(nil)
		waiting, failed := s.failedOnce(id)
		next, err := time.Parse(time.RFC3339Nano, fmt.Sprint(at(waiting, "nextAttemptAt")))
		last := at(waiting, "attemptLog", failed-1)
		began, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(at(last, "startedAt")))
		took, _ := at(last, "durationMs").(float64)
		pause := next.Sub(began) - time.Duration(took*float64(time.Millisecond))
		planned := []time.Duration{5 * time.Second, 30 * time.Second}[failed-1]
		if err != nil || at(waiting, "status") != "PENDING" || pause < planned*8/10-time.Millisecond || pause > planned*2 {
			t.Errorf("waiting %v, the next attempt after %v, %v", waiting, pause, err)
		}
		r.answer(http.StatusOK, "ok")
		got := []received(nil)
		if d = s.deliveries(id)[0]; at(d, "status") != "DELIVERED" || at(d, "attempts").(float64) <= float64(failed) {
			t.Errorf("after the schedule: %v", d)
		}
		if got = r.all()[before:]; float64(len(got)) != at(d, "attempts") {
			t.Errorf("%d requests for %v", len(got), d)
		}
		for _, one := range got {
			if first, again := got[0].header.Get("Webhook-Id"), one.header.Get("Webhook-Id"); first != again || first == "" {
				t.Errorf("webhook-id %q, then %q", first, again)
			}
		}
		// What waits when its channel goes is cancelled, and says why.
		r.answer(http.StatusServiceUnavailable, "later")
		id = s.createAlert(nil)
		s.failedOnce(id)
		s.do(`mutation($id: ID!) { deleteChannels(ids: [$id]) }`, map[string]any{"id": channel})
		d = s.deliveries(id)[0]
		if at(d, "status") != "CANCELLED" || !strings.Contains(fmt.Sprint(at(d, "error")), "deleted") || at(d, "channel", "deletedAt") == nil {
			t.Errorf("after its channel was deleted: %v", d)
		}
	})
}

// failedOnce waits until the first delivery of an alert has failed once, or more often when the test is late, and gives it.
func (s *server) failedOnce(id string) (waiting any, attempts int) {
	s.t.Helper()
	s.until("a failed attempt", func() bool {
		data := s.do(`query($id: ID!) { alert(id: $id) { deliveries { status attempts nextAttemptAt error attemptLog { startedAt durationMs } } } }`, map[string]any{"id": id})
		waiting = at(data, "alert", "deliveries", 0)
		return at(waiting, "attempts").(float64) >= 1
	})
	return waiting, int(at(waiting, "attempts").(float64))
}

func TestAPI_BlocksPrivateAddressesUnlessOpened(t *testing.T) {
	s := startServer(t, "", "EGRESS_ALLOW=")
	r := newReceiver(t)
	s.createChannel("hook", webhook(r.URL))
	d := s.deliveries(s.createAlert(nil))[0]
	if at(d, "status") != "FAILED" || !strings.Contains(fmt.Sprint(at(d, "error")), "EGRESS_ALLOW") || len(r.all()) != 0 {
		t.Errorf("delivery %v; %d requests arrived", d, len(r.all()))
	}
}

func TestAPI_PagesStayPutWhileAlertsComeIn(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		var want []string
		for i := range 25 {
			want = append(want, s.createAlert(map[string]any{"message": fmt.Sprint(i)}))
		}
		slices.Reverse(want)
		var got []string
		after := any(nil)
		for page := range 10 {
			data := s.do(`query($after: String) { alerts(first: 10, after: $after) { totalCount nodes { id } edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }`, map[string]any{"after": after})
			nodes := at(data, "alerts", "nodes").([]any)
			for i, n := range nodes {
				got = append(got, at(n, "id").(string))
				if at(data, "alerts", "edges", i, "node", "id") != at(n, "id") {
					t.Errorf("edges and nodes differ: %v", data)
				}
			}
			if at(data, "alerts", "totalCount") != float64(25+page) {
				t.Errorf("page %d: totalCount %v", page, at(data, "alerts", "totalCount"))
			}
			after = at(data, "alerts", "pageInfo", "endCursor")
			if after != at(data, "alerts", "edges", len(nodes)-1, "cursor") {
				t.Errorf("endCursor %v", after)
			}
			s.createAlert(nil)
			if at(data, "alerts", "pageInfo", "hasNextPage") == false {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v\nwant %v", got, want)
		}
		empty := s.do(`{ alerts(first: 0) { nodes { id } pageInfo { hasNextPage endCursor } } }`, nil)
		if at(empty, "alerts", "pageInfo", "hasNextPage") != true || at(empty, "alerts", "pageInfo", "endCursor") != nil {
			t.Errorf("an empty page: %v", empty)
		}
	})
}

func TestAPI_ReadsAListInAFixedNumberOfQueries(t *testing.T) {
	url := testkit.NewDatabase(t)
	s := startServer(t, url)
	r := newReceiver(t)
	gone := s.createChannel("gone", webhook(r.URL))
	s.createChannel("stays", webhook(r.URL))
	create := func(n int) {
		var ids []string
		for i := range n {
			ids = append(ids, s.createAlert(map[string]any{"rustbucket": map[string]any{"id": fmt.Sprint("B", i), "name": "n"}}))
		}
		for _, id := range ids {
			s.deliveries(id)
		}
	}
	create(31)
	s.do(`mutation($id: ID!) { deleteChannels(ids: [$id]) }`, map[string]any{"id": gone})
	create(2)
	s.still() // its own polling would count, too
	queries := func(alerts int) int64 {
		before := s.store.Queries()
		data := s.do(`query($first: Int!) { alerts(first: $first) { totalCount nodes { id rustbucket { name } routing { reason channel { name } }
			deliveries { status channel { name } alert { id deliveries { id } } attemptLog { statusCode } } } } }`, map[string]any{"first": alerts})
		if n := len(at(data, "alerts", "nodes").([]any)); n != alerts {
			t.Errorf("%d alerts of %d", n, alerts)
		}
		return s.store.Queries() - before
	}
	if few, many := queries(3), queries(33); many != few || few > 6 {
		t.Errorf("%d queries for 3 alerts, %d for 33", few, many)
	}
}

func TestAPI_LetsRolesDoWhatTheyMay(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token := func(role models.Role) string {
			secret := access.NewToken()
			if err := s.store.CreateToken(t.Context(), &models.Token{Name: string(role), Role: role}, access.Hash(secret)); err != nil {
				t.Fatal(err)
			}
			return secret
		}
		tokens := map[string]string{}
		for _, role := range models.Roles {
			tokens[string(role)] = token(role)
		}
		r := newReceiver(t)
		s.createChannel("hook", webhook(r.URL))
		foreign := s.createAlert(nil)
		if a := s.as(tokens["REPORTER"], `mutation { createAlert(input: {type: "x", message: "m"}) { id } }`, nil); len(a.Errors) > 0 {
			t.Fatal(a.Errors)
		}
		for query, may := range map[string]string{
			`{ viewer { name role } }`: "REPORTER VIEWER ANALYST ADMIN",
			`mutation { createAlert(input: {type: "x", message: "m"}) { id } }`:                 "REPORTER ADMIN",
			`mutation { createAlert(input: {type: "x", message: "m"}) { routing { reason } } }`: "ADMIN",
			`{ alerts { nodes { id } } }`:                             "REPORTER VIEWER ANALYST ADMIN",
			`{ alerts { nodes { deliveries { id } } } }`:              "VIEWER ANALYST ADMIN",
			`{ channels { id } }`:                                     "VIEWER ANALYST ADMIN",
			`{ deliveries { totalCount } }`:                           "VIEWER ANALYST ADMIN",
			`mutation { resolveAlert(id: "` + foreign + `") { id } }`: "ANALYST ADMIN",
			`mutation { setChannelsActive(active: true) { id } }`:     "ADMIN",
			`mutation { testChannels { success } }`:                   "ADMIN",
		} {
			for role, token := range tokens {
				a := s.as(token, query, nil)
				allowed := slices.Contains(strings.Fields(may), role)
				if allowed && len(a.Errors) > 0 || !allowed && (len(a.Errors) == 0 || a.Errors[0].Extensions.Code != "FORBIDDEN") {
					t.Errorf("%s: %s: %+v", role, query, a.Errors)
				}
			}
		}
		// A REPORTER sees what it created and nothing else, also where its alert is counted up on another's.
		s.createAlert(map[string]any{"dedupKey": "shared", "message": "not for reporters"})
		dup := s.as(tokens["REPORTER"], `mutation { createAlert(input: {type: "x", message: "mine", dedupKey: "shared"}) { message occurrences } }`, nil)
		if at(dup.Data, "createAlert", "message") != "mine" || at(dup.Data, "createAlert", "occurrences") != 2.0 {
			t.Errorf("a reporter's duplicate: %+v", dup)
		}
		a := s.as(tokens["REPORTER"], `{ alerts { totalCount nodes { id } } }`, nil)
		if at(a.Data, "alerts", "totalCount") != 3.0 {
			t.Errorf("a reporter sees %v", a.Data)
		}
		if a := s.as(tokens["REPORTER"], `query($id: ID!) { alert(id: $id) { id } }`, map[string]any{"id": foreign}); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "NOT_FOUND" {
			t.Errorf("a reporter sees the alert of another: %+v", a)
		}
		// Of what people do with its alerts it learns how far that is, not who does it; nor whether anybody was told.
		for _, query := range []string{
			`{ alerts { nodes { acknowledgedBy } } }`, `{ alerts { nodes { resolvedBy } } }`, `{ alerts { nodes { assignee } } }`, `{ alerts { nodes { history { text } } } }`,
			`{ alerts(filter: {assignee: "team storage"}) { totalCount } }`, `{ alerts(filter: {isSilenced: true}) { totalCount } }`, `{ alerts(filter: {isSilenced: false}) { nodes { id } } }`,
			`{ alerts(filter: {silenceId: 1}) { totalCount } }`,
		} {
			if a := s.as(tokens["REPORTER"], query, nil); len(a.Errors) == 0 || a.Errors[0].Extensions.Code != "FORBIDDEN" || at(a.Data, "alerts", "totalCount") != nil {
				t.Errorf("a reporter asks %s: %+v", query, a)
			}
		}
		if a := s.as(tokens["REPORTER"], `{ alerts(filter: {states: [OPEN]}) { totalCount nodes { state isResolved acknowledgedAt resolvedAt } } }`, nil); len(a.Errors) > 0 || at(a.Data, "alerts", "totalCount") != 3.0 {
			t.Errorf("a reporter asks how its alerts are: %+v", a)
		}
	})
}

func TestAPI_ManyCreateAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		r := newReceiver(t)
		s.createChannel("hook", webhook(r.URL))
		const callers, each = 16, 20
		done := make(chan struct{})
		for c := range callers {
			go func() {
				defer func() { done <- struct{}{} }()
				for i := range each {
					a := s.try(createAlertsQuery, map[string]any{"inputs": []any{
						map[string]any{"type": "error", "message": fmt.Sprintf("%d-%d-a", c, i)},
						map[string]any{"type": "error", "message": fmt.Sprintf("%d-%d-b", c, i)},
					}})
					if len(a.Errors) > 0 {
						t.Errorf("errors %+v", a.Errors)
					}
				}
			}()
		}
		for range callers {
			<-done
		}
		s.until("everything to be delivered", func() bool {
			return at(s.do(`{ deliveries(filter: {statuses: [DELIVERED]}) { totalCount } }`, nil), "deliveries", "totalCount") == float64(2*callers*each)
		})
		seen := map[string]int{}
		message := regexp.MustCompile(`"message":"([^"]*)"`)
		for _, got := range r.all() {
			seen[message.FindStringSubmatch(got.body)[1]]++
		}
		for m, n := range seen {
			if n != 1 {
				t.Errorf("%s arrived %d times", m, n)
			}
		}
		if len(seen) != 2*callers*each {
			t.Errorf("%d of %d arrived", len(seen), 2*callers*each)
		}
	})
}
