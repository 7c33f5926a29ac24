package main

import (
	"net/http"
	"strings"
	"testing"
)

// bad is input that must be refused with this code, naming this field, and stored nowhere.
type bad struct {
	name      string
	query     string
	variables map[string]any
	code      string
	field     string
	says      string // part of the message
}

const (
	createAlertQuery   = `mutation($input: CreateAlertInput!) { createAlert(input: $input) { id } }`
	createAlertsQuery  = `mutation($inputs: [CreateAlertInput!]!) { createAlerts(inputs: $inputs) { id } }`
	createChannelQuery = `mutation($input: CreateChannelInput!) { createChannel(input: $input) { id } }`
)

func alertWith(key string, value any) map[string]any {
	input := map[string]any{"type": "error", "message": "m"}
	input[key] = value
	return map[string]any{"input": input}
}

func channelWith(key string, value any) map[string]any {
	input := map[string]any{"name": "bad", "config": webhook("https://example.com")}
	input[key] = value
	return map[string]any{"input": input}
}

func configWith(kind string, config map[string]any) map[string]any {
	return channelWith("config", map[string]any{kind: config})
}

func TestAPI_RefusesBadInputAndStoresNothing(t *testing.T) {
	cases := []bad{
		{"empty type", createAlertQuery, alertWith("type", ""), "BAD_USER_INPUT", "input.type", "empty"},
		{"blank type", createAlertQuery, alertWith("type", " \t\n"), "BAD_USER_INPUT", "input.type", "blanks"},
		{"long type", createAlertQuery, alertWith("type", strings.Repeat("ü", 256)), "BAD_USER_INPUT", "input.type", "255"},
		{"empty message", createAlertQuery, alertWith("message", ""), "BAD_USER_INPUT", "input.message", "empty"},
		{"blank message", createAlertQuery, alertWith("message", "  "), "BAD_USER_INPUT", "input.message", "blanks"},
		{"long message", createAlertQuery, alertWith("message", strings.Repeat("x", 10_001)), "BAD_USER_INPUT", "input.message", "10000"},
		{"NUL in message", createAlertQuery, alertWith("message", "a\x00b"), "BAD_USER_INPUT", "input.message", "NUL"},
		{"no message", createAlertQuery, map[string]any{"input": map[string]any{"type": "x"}}, "BAD_USER_INPUT", "input.message", "must be defined"},
		{"null message", createAlertQuery, alertWith("message", nil), "BAD_USER_INPUT", "input.message", "null"},
		{"a number as message", createAlertQuery, alertWith("message", 5), "BAD_USER_INPUT", "input.message", ""},
		{"unknown field", createAlertQuery, alertWith("sevrity", "LOW"), "BAD_USER_INPUT", "input.sevrity", "unknown"},
		{"unknown severity", createAlertQuery, alertWith("severity", "CRITICAL"), "BAD_USER_INPUT", "input.severity", "CRITICAL"},
		{"severity in lower case", createAlertQuery, alertWith("severity", "high"), "BAD_USER_INPUT", "input.severity", "LOW, MEDIUM, HIGH"},
		{"unknown severity in a literal", `mutation { createAlert(input: {type: "x", message: "m", severity: CRITICAL}) { id } }`, nil, "GRAPHQL_VALIDATION_FAILED", "", "CRITICAL"},
		{"empty rustbucket id", createAlertQuery, alertWith("rustbucket", map[string]any{"id": "", "name": "n"}), "BAD_USER_INPUT", "input.rustbucket.id", "empty"},
		{"long rustbucket name", createAlertQuery, alertWith("rustbucket", map[string]any{"id": "B", "name": strings.Repeat("x", 256)}), "BAD_USER_INPUT", "input.rustbucket.name", "255"},
		{"empty dedup key", createAlertQuery, alertWith("dedupKey", ""), "BAD_USER_INPUT", "input.dedupKey", "empty"},
		{"details over 64 KB", createAlertQuery, alertWith("details", map[string]any{"x": strings.Repeat("x", 64<<10)}), "BAD_USER_INPUT", "input.details", "65536"},
		{"details with NUL", createAlertQuery, alertWith("details", map[string]any{"x": "a\x00"}), "BAD_USER_INPUT", "input.details", "NUL"},
		{"details no object", createAlertQuery, alertWith("details", []any{1}), "BAD_USER_INPUT", "input.details", "object"},
		{"no alerts", createAlertsQuery, map[string]any{"inputs": []any{}}, "BAD_USER_INPUT", "inputs", "1 to 1000"},
		{"too many alerts", createAlertsQuery, map[string]any{"inputs": make1001()}, "BAD_USER_INPUT", "inputs", "1 to 1000"},
		{"one bad among good", createAlertsQuery, map[string]any{"inputs": []any{map[string]any{"type": "x", "message": "m"}, map[string]any{"type": "x", "message": ""}}}, "BAD_USER_INPUT", "inputs.1.message", "empty"},

		{"empty name", createChannelQuery, channelWith("name", ""), "BAD_USER_INPUT", "input.name", "empty"},
		{"long name", createChannelQuery, channelWith("name", strings.Repeat("x", 256)), "BAD_USER_INPUT", "input.name", "255"},
		{"taken name", createChannelQuery, channelWith("name", "taken"), "CONFLICT", "input.name", "taken"},
		{"type named twice", createChannelQuery, channelWith("alertTypes", []any{"a", "b", "a"}), "BAD_USER_INPUT", "input.alertTypes.2", "twice"},
		{"empty alert type", createChannelQuery, channelWith("alertTypes", []any{""}), "BAD_USER_INPUT", "input.alertTypes.0", "empty"},
		{"no config", createChannelQuery, channelWith("config", map[string]any{}), "BAD_USER_INPUT", "input.config", "exactly one"},
		{"null config", createChannelQuery, channelWith("config", nil), "BAD_USER_INPUT", "input.config", "null"},
		{"a null in config", createChannelQuery, channelWith("config", map[string]any{"webhook": nil}), "BAD_USER_INPUT", "input.config", "exactly one"},
		{"two configs", createChannelQuery, channelWith("config", map[string]any{"webhook": map[string]any{"url": "https://example.com"}, "slack": map[string]any{"webhookUrl": "https://example.com"}}), "BAD_USER_INPUT", "input.config", "exactly one"},
		{"two configs, one null", createChannelQuery, channelWith("config", map[string]any{"webhook": map[string]any{"url": "https://example.com"}, "slack": nil}), "BAD_USER_INPUT", "input.config", "exactly one"},
		{"no config in a literal", `mutation { createChannel(input: {name: "bad", config: {}}) { id } }`, nil, "GRAPHQL_VALIDATION_FAILED", "", "exactly one"},
		{"two configs in a literal", `mutation { createChannel(input: {name: "bad", config: {slack: {webhookUrl: "https://a.b"}, teams: {webhookUrl: "https://a.b"}}}) { id } }`, nil, "GRAPHQL_VALIDATION_FAILED", "", "exactly one"},
		{"a null config in a literal", `mutation { createChannel(input: {name: "bad", config: {slack: null}}) { id } }`, nil, "GRAPHQL_VALIDATION_FAILED", "", "non-null"},
		{"a variable config in a literal that is null", `mutation($s: SlackConfigInput) { createChannel(input: {name: "bad", config: {slack: $s}}) { id } }`, nil, "GRAPHQL_VALIDATION_FAILED", "", "non-nullable"},
		{"a config variable with two keys", `mutation($c: ChannelConfigInput!) { testChannelConfig(config: $c) { success } }`, map[string]any{"c": map[string]any{"email": map[string]any{"recipients": []any{"a@b.c"}}, "slack": map[string]any{"webhookUrl": "https://a.b"}}}, "BAD_USER_INPUT", "config", "exactly one"},
		{"empty url", createChannelQuery, configWith("webhook", map[string]any{"url": ""}), "BAD_USER_INPUT", "input.config.webhook.url", "empty"},
		{"url without scheme", createChannelQuery, configWith("webhook", map[string]any{"url": "example.com/hook"}), "BAD_USER_INPUT", "input.config.webhook.url", "https://"},
		{"file url", createChannelQuery, configWith("webhook", map[string]any{"url": "file:///etc/passwd"}), "BAD_USER_INPUT", "input.config.webhook.url", "https://"},
		{"url without host", createChannelQuery, configWith("webhook", map[string]any{"url": "https:///x"}), "BAD_USER_INPUT", "input.config.webhook.url", "host"},
		{"url with a bad port", createChannelQuery, configWith("webhook", map[string]any{"url": "https://example.com:99999/"}), "BAD_USER_INPUT", "input.config.webhook.url", "65535"},
		{"url with a line break", createChannelQuery, configWith("slack", map[string]any{"webhookUrl": "https://example.com/\r\nX: y"}), "BAD_USER_INPUT", "input.config.slack.webhookUrl", "control"},
		{"masked url", createChannelQuery, configWith("slack", map[string]any{"webhookUrl": "https://hooks.slack.com/****"}), "BAD_USER_INPUT", "input.config.slack.webhookUrl", "masked"},
		{"header name with a line break", createChannelQuery, configWith("webhook", map[string]any{"url": "https://example.com", "headers": map[string]any{"X\r\nY": "v"}}), "BAD_USER_INPUT", "input.config.webhook.headers", "header name"},
		{"header value with a line break", createChannelQuery, configWith("webhook", map[string]any{"url": "https://example.com", "headers": map[string]any{"X-Key": "a\r\nEvil: b"}}), "BAD_USER_INPUT", "input.config.webhook.headers.X-Key", "line break"},
		{"header value no string", createChannelQuery, configWith("webhook", map[string]any{"url": "https://example.com", "headers": map[string]any{"X-Key": 5}}), "BAD_USER_INPUT", "input.config.webhook.headers", "string"},
		{"bad signing secret", createChannelQuery, configWith("webhook", map[string]any{"url": "https://example.com", "signingSecret": "hunter2"}), "BAD_USER_INPUT", "input.config.webhook.signingSecret", "whsec_"},
		{"no recipients", createChannelQuery, configWith("email", map[string]any{"recipients": []any{}}), "BAD_USER_INPUT", "input.config.email.recipients", "empty"},
		{"empty recipient", createChannelQuery, configWith("email", map[string]any{"recipients": []any{"a@example.com", ""}}), "BAD_USER_INPUT", "input.config.email.recipients.1", "empty"},
		{"bad recipient", createChannelQuery, configWith("email", map[string]any{"recipients": []any{"not an address"}}), "BAD_USER_INPUT", "input.config.email.recipients.0", "mail address"},
		{"recipient with a line break", createChannelQuery, configWith("email", map[string]any{"recipients": []any{"a@example.com\r\nBcc: b@example.com"}}), "BAD_USER_INPUT", "input.config.email.recipients.0", "mail address"},
		{"recipient twice", createChannelQuery, configWith("email", map[string]any{"recipients": []any{"a@example.com", "Team <A@Example.com>"}}), "BAD_USER_INPUT", "input.config.email.recipients.1", "twice"},

		{"unknown alert", `{ alert(id: "999") { id } }`, nil, "NOT_FOUND", "", "999"},
		{"unknown channel", `{ channel(id: "999") { id } }`, nil, "NOT_FOUND", "", "999"},
		{"unknown delivery", `{ delivery(id: "999") { id } }`, nil, "NOT_FOUND", "", "999"},
		{"resolve nothing", `mutation { resolveAlert(id: "999") { id } }`, nil, "NOT_FOUND", "", "999"},
		{"update nothing", `mutation { updateChannel(id: "999", input: {name: "x"}) { id } }`, nil, "NOT_FOUND", "", "999"},
		{"switch nothing", `mutation { setChannelsActive(ids: ["1", "999"], active: false) { id } }`, nil, "NOT_FOUND", "", "999"},
		{"delete nothing", `mutation { deleteChannels(ids: ["1", "999"]) }`, nil, "NOT_FOUND", "", "999"},
		{"test nothing", `mutation { testChannel(id: "999") { success } }`, nil, "NOT_FOUND", "", "999"},
		{"retry nothing", `mutation { retryDelivery(id: "999") { id } }`, nil, "NOT_FOUND", "", "999"},
		{"id no number", `{ alert(id: "abc") { id } }`, nil, "BAD_USER_INPUT", "id", "numbers"},
		{"id no number in a variable", `query($x: ID!) { channel(id: $x) { id } }`, map[string]any{"x": "1 OR 1=1"}, "BAD_USER_INPUT", "id", "numbers"},
		{"id among ids", `mutation { deleteChannels(ids: ["1", "x"]) }`, nil, "BAD_USER_INPUT", "ids.1", "numbers"},
		{"id in a filter", `{ deliveries(filter: {alertId: "x"}) { totalCount } }`, nil, "BAD_USER_INPUT", "filter.alertId", "numbers"},
		{"time in a filter", `{ alerts(filter: {createdAfter: "yesterday"}) { totalCount } }`, nil, "BAD_USER_INPUT", "filter.createdAfter", "RFC 3339"},
		{"NUL in a filter", `query($s: String) { alerts(filter: {search: $s}) { totalCount } }`, map[string]any{"s": "a\x00"}, "BAD_USER_INPUT", "filter.search", "NUL"},
		{"NUL in a filter's id", `query($s: ID) { alerts(filter: {rustbucketId: $s}) { totalCount } }`, map[string]any{"s": "a\x00"}, "BAD_USER_INPUT", "filter.rustbucketId", "NUL"},
		{"a year beyond", `{ alerts(filter: {createdAfter: "9999-12-31T23:59:59-23:59"}) { totalCount } }`, nil, "BAD_USER_INPUT", "filter.createdAfter", "RFC 3339"},
		{"a subscription by POST", `subscription { alertCreated { id } }`, nil, "BAD_USER_INPUT", "", "WebSocket"},
		{"first below 0", `{ alerts(first: -1) { totalCount } }`, nil, "BAD_USER_INPUT", "first", "0 to 500"},
		{"first over 500", `{ deliveries(first: 501) { totalCount } }`, nil, "BAD_USER_INPUT", "first", "0 to 500"},
		{"cursor from nowhere", `{ alerts(after: "nonsense") { totalCount } }`, nil, "BAD_USER_INPUT", "after", "cursor"},
		{"cursor of another database", `{ alerts(after: "YTphYmNkZWY6NQ") { totalCount } }`, nil, "BAD_USER_INPUT", "after", "cursor"},

		{"no GraphQL", `{ alerts( }`, nil, "GRAPHQL_PARSE_FAILED", "", ""},
		{"unknown field of a type", `{ alerts { nope } }`, nil, "GRAPHQL_VALIDATION_FAILED", "", "nope"},
	}
	onBoth(t, func(t *testing.T, s *server) {
		s.createChannel("taken", webhook("https://example.com"))
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				a := s.try(c.query, c.variables)
				if len(a.Errors) != 1 {
					t.Fatalf("status %d, %d errors: %+v, data %v", a.Status, len(a.Errors), a.Errors, a.Data)
				}
				e := a.Errors[0]
				if e.Extensions.Code != c.code || e.Extensions.Field != c.field || !strings.Contains(e.Message, c.says) {
					t.Errorf("code %q, field %q, message %q; want %q, %q, …%s…", e.Extensions.Code, e.Extensions.Field, e.Message, c.code, c.field, c.says)
				}
			})
		}
		data := s.do(`{ alerts { totalCount } channels { name isActive } deliveries { totalCount } }`, nil)
		if at(data, "alerts", "totalCount") != 0.0 || len(data["channels"].([]any)) != 1 || at(data, "channels", 0, "isActive") != true {
			t.Errorf("something was stored: %v", data)
		}
	})
}

func make1001() []any {
	inputs := make([]any, 1001)
	for i := range inputs {
		inputs[i] = map[string]any{"type": "x", "message": "m"}
	}
	return inputs
}

func TestAPI_RefusesWhatIsNoRequest(t *testing.T) {
	s := startServer(t, "")
	query := []byte(`{"query":"{ viewer { name } }"}`)
	for name, c := range map[string]struct {
		token, contentType string
		body               []byte
		status             int
		code               string
	}{
		"good":            {testToken, "application/json", query, 200, ""},
		"with charset":    {testToken, "application/json; charset=utf-8", query, 200, ""},
		"no token":        {"", "application/json", query, 401, "UNAUTHENTICATED"},
		"bad token":       {"wrong", "application/json", query, 401, "UNAUTHENTICATED"},
		"form":            {testToken, "application/x-www-form-urlencoded", []byte("query={viewer{name}}"), 415, "BAD_USER_INPUT"},
		"text":            {testToken, "text/plain", query, 415, "BAD_USER_INPUT"},
		"batch":           {testToken, "application/json", []byte(" [" + string(query) + "]"), 400, "BAD_USER_INPUT"},
		"no JSON":         {testToken, "application/json", []byte(`{"query":`), 400, "BAD_USER_INPUT"},
		"over 1 MB":       {testToken, "application/json", []byte(`{"query":"` + strings.Repeat("x", 1<<20) + `"}`), 413, "BAD_USER_INPUT"},
		"invalid UTF-8":   {testToken, "application/json", []byte("{\"query\":\"mutation { createAlert(input: {type: \\\"x\\\", message: \\\"a\xff\\\"}) { id } }\"}"), 400, "BAD_USER_INPUT"},
		"no query at all": {testToken, "application/json", []byte(`{}`), 400, "BAD_USER_INPUT"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.post(c.token, c.contentType, c.body)
			if a.Status != c.status {
				t.Errorf("status %d, want %d: %+v", a.Status, c.status, a.Errors)
			}
			if c.code == "" {
				if len(a.Errors) > 0 {
					t.Errorf("errors %+v", a.Errors)
				}
				return
			}
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != c.code {
				t.Errorf("errors %+v, want the code %s", a.Errors, c.code)
			}
		})
	}
	get := func(query string) int {
		req, _ := http.NewRequest(http.MethodGet, s.url+"/graphql?query="+query, nil)
		req.Header.Set("Authorization", "Bearer "+testToken)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	if status := get("%7Bviewer%7Bname%7D%7D"); status != 200 {
		t.Errorf("a query by GET: %d", status)
	}
	if status := get("mutation%7BdeleteChannels(ids:[])%7D"); status != 405 {
		t.Errorf("a mutation by GET: %d", status)
	}
}
