package notifiers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	opsgeniesdk "github.com/opsgenie/opsgenie-go-sdk-v2/alert"

	"github.com/rustbucket/alerts/models"
)

const (
	opsgenieTestKey = "01234567-s3cr-et00-apik-0123456789ab"
	opsgenieTaken   = `{"result":"Request will be processed","took":0.302,"requestId":"43a29c5c-3dbf-4fa4-9c26-f4f71023e120"}`
)

var opsgenieKit = kit{
	name: "opsgenie", channel: models.Opsgenie,
	config: func(base string) models.ChannelConfig {
		url := base + "/path-s3cret/v2/alerts"
		return &models.OpsgenieConfig{APIKey: opsgenieTestKey, URL: &url}
	},
	ok:      opsgenieTaken,
	result:  opsgenieResultText(true, "Created alert"),
	secrets: []string{opsgenieTestKey, "path-s3cret"},
	differs: map[int]Result{401: ChannelBroken, 403: ChannelBroken},
}

func opsgenieResultText(success bool, status string) string {
	return fmt.Sprintf(`{"data":{"success":%v,"action":"Create","processedAt":"2017-05-24T14:24:20.844Z","integrationId":"c9cec2cb",`+
		`"isSuccess":%v,"status":%q,"alertId":"8743a1b2","alias":"alert-123"},"took":0.022,"requestId":"ec7e1d8e"}`, success, success, status)
}

// opsgenieDouble takes messages, and answers the questions what became of them one after the other, the last one again and again.
type opsgenieDouble struct {
	base string
	mu   sync.Mutex
	got  []opsgenieCall
}

type opsgenieCall struct{ method, uri, key, body string }

func newOpsgenieDouble(t *testing.T, taken string, answers ...func(http.ResponseWriter)) *opsgenieDouble {
	d := new(opsgenieDouble)
	d.base = serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.got = append(d.got, opsgenieCall{r.Method, r.RequestURI, r.Header.Get("Authorization"), string(body)})
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, taken)
			return
		}
		answers[0](w)
		if len(answers) > 1 {
			answers = answers[1:]
		}
	})
	return d
}

func (d *opsgenieDouble) calls() []opsgenieCall {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]opsgenieCall(nil), d.got...)
}

func says(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// sendOpsgenie gives the requests that arrive.
func sendOpsgenie(t *testing.T, n Notification, publicURL, query string) []opsgenieCall {
	t.Helper()
	d := newOpsgenieDouble(t, opsgenieTaken, says(200, opsgenieKit.result))
	url := d.base + "/v2/alerts" + query
	n.Key, n.Config = "k", &models.OpsgenieConfig{APIKey: opsgenieTestKey, URL: &url}
	notifier := newOpsgenie(newPoster(Settings{Version: "1.2.3", Egress: loopbackOnly(), PublicURL: publicURL}))
	notifier.within = ample
	o := notifier.Send(t.Context(), n)
	if o.Result != Delivered || o.StatusCode != 202 || o.Response != opsgenieKit.result {
		t.Fatalf("outcome %+v", o)
	}
	return d.calls()
}

// created is the alert that arrives, read by Opsgenie's own types.
func created(t *testing.T, alert *models.Alert) opsgeniesdk.CreateAlertRequest {
	t.Helper()
	var request opsgeniesdk.CreateAlertRequest
	strictly(t, sendOpsgenie(t, Notification{AlertKey: "alert-123-abc", Alert: alert}, "https://alerts.example.com", "")[0].body, &request)
	if err := request.Validate(); err != nil {
		t.Error(err)
	}
	return request
}

func TestOpsgenie_Create(t *testing.T) {
	alert := testAlert()
	alert.Occurrences, alert.Details = 3, []byte(`{"load": 0.7, "disk": "sda", "severity": "mine", "list": [1, "a"], "": "x"}`)
	got := created(t, alert)
	if got.Message != "ERROR: Rustbucket node1 is not responding" || got.Alias != "alert-123-abc" || got.Priority != opsgeniesdk.P1 ||
		got.Entity != "Production Node 1 (BKT123456)" || got.Source != "Rustbucket Alerts" || strings.Join(got.Tags, ",") != "error,high" {
		t.Errorf("alert %+v", got)
	}
	if want := "Rustbucket node1 is not responding\n\nSeverity: HIGH\nTime: 2025-12-12 10:30:00 UTC\n" +
		"Rustbucket: Production Node 1 (BKT123456)\nhttps://alerts.example.com/alerts/123"; got.Description != want {
		t.Errorf("description %q", got.Description)
	}
	want := map[string]string{
		"alert_id": "123", "alert_type": "error", "severity": "high", "occurrences": "3", "rustbucket_id": "BKT123456",
		"rustbucket_name": "Production Node 1", "link": "https://alerts.example.com/alerts/123",
		"load": "0.7", "disk": "sda", "details.severity": "mine", "list": `[1,"a"]`, "details.": "x",
	}
	if fmt.Sprint(got.Details) != fmt.Sprint(want) {
		t.Errorf("details %v", got.Details)
	}
	for severity, want := range map[models.Severity]opsgeniesdk.Priority{
		models.SeverityMedium: opsgeniesdk.P3, models.SeverityLow: opsgeniesdk.P5} {
		alert := testAlert()
		alert.Severity, alert.Rustbucket = severity, nil
		if got := created(t, alert); got.Priority != want || got.Entity != "" || len(got.Details) != 5 {
			t.Errorf("%v: %+v", severity, got)
		}
	}
}

// The paths are those of Opsgenie's own client; what the channel's URL asks for besides stays.
func TestOpsgenie_CloseAndItsResult(t *testing.T) {
	calls := sendOpsgenie(t, Notification{AlertKey: "alert/12 ü?", Kind: models.TellResolved, Alert: resolvedAlert()}, "", "?tenant=a%20b")
	var closing opsgeniesdk.CloseAlertRequest
	strictly(t, calls[0].body, &closing)
	if calls[0].uri != "/v2/alerts/alert%2F12%20%C3%BC%3F/close?tenant=a%20b&identifierType=alias" || closing.Source != "Rustbucket Alerts" || closing.Note == "" {
		t.Errorf("closed by %+v", calls[0])
	}
	plain := sendOpsgenie(t, Notification{AlertKey: "alert-12", Kind: models.TellResolved, Alert: resolvedAlert()}, "", "")
	own := &opsgeniesdk.CloseAlertRequest{IdentifierType: opsgeniesdk.ALIAS, IdentifierValue: "alert-12"}
	if want := own.ResourcePath() + "?identifierType=" + own.RequestParams()["identifierType"]; plain[0].uri != want || plain[0].method != own.Method() {
		t.Errorf("closed by %+v, want %s", plain[0], want)
	}
	result := &opsgeniesdk.GetRequestStatusRequest{RequestId: "43a29c5c-3dbf-4fa4-9c26-f4f71023e120"}
	if len(plain) != 2 || plain[1].uri != result.ResourcePath() || plain[1].method != result.Method() || plain[1].body != "" {
		t.Errorf("asked by %+v, want %s", plain[1:], result.ResourcePath())
	}
	for _, c := range append(calls, plain...) {
		if c.key != "GenieKey "+opsgenieTestKey {
			t.Errorf("key %q", c.key)
		}
	}
	if calls[1].uri != result.ResourcePath()+"?tenant=a%20b" {
		t.Errorf("asked by %+v", calls[1])
	}
}

func TestOpsgenie_FollowsUp(t *testing.T) {
	notYet := says(404, `{"message":"Request not found. It might not be processed, yet.","took":0.0,"requestId":"x"}`)
	alert, resolve := opsgenieKit.messages()["alert"], opsgenieKit.messages()["resolved"]
	for _, c := range []struct {
		name    string
		n       Notification
		taken   string
		answers []func(http.ResponseWriter)
		want    Result
		says    string // in the error, or in the response of what was delivered
		asked   int
	}{
		{"at once", alert, opsgenieTaken, []func(http.ResponseWriter){says(200, opsgenieKit.result)}, Delivered, "Created alert", 1},
		{"after a while", alert, opsgenieTaken, []func(http.ResponseWriter){notYet, says(503, ""), says(202, "{}"), says(200, opsgenieKit.result)}, Delivered, "Created alert", 4},
		{"as Jira Service Management documents it", alert, opsgenieTaken, []func(http.ResponseWriter){notYet, says(200, `{"action":"Create","isSuccess":false,"status":"No such team"}`)},
			Permanent, "then did not create it: No such team", 2},
		{"not created", alert, opsgenieTaken, []func(http.ResponseWriter){says(200, opsgenieResultText(false, "Alert was discarded"))}, Permanent, "then did not create it: Alert was discarded", 1},
		{"nothing to be created", alert, opsgenieTaken, []func(http.ResponseWriter){says(200, opsgenieResultText(false, "Alert does not exist"))}, Permanent, "does not exist", 1},
		{"not closed", resolve, opsgenieTaken, []func(http.ResponseWriter){says(200, opsgenieResultText(false, "Not allowed"))}, Permanent, "then did not close the alert: Not allowed", 1},
		{"nothing to be closed", resolve, opsgenieTaken, []func(http.ResponseWriter){says(200, opsgenieResultText(false, "Alert does not exist"))}, Delivered, "does not exist", 1},
		{"closed already", resolve, opsgenieTaken, []func(http.ResponseWriter){says(200, opsgenieResultText(false, "Alert is already closed"))}, Delivered, "already closed", 1},
		{"key echoed", alert, opsgenieTaken, []func(http.ResponseWriter){says(200, opsgenieResultText(false, "not by "+opsgenieTestKey))}, Permanent, "not by ****", 1},
		{"key echoed where nothing is to be created", alert, opsgenieTaken, []func(http.ResponseWriter){says(200, opsgenieResultText(false, "alert not found by "+opsgenieTestKey))}, Permanent, "not found by ****", 1},
		{"never worked on", alert, opsgenieTaken, []func(http.ResponseWriter){notYet}, Delivered, "[taken; what became of it is not known yet: asked for it, the service answered 404]", 5},
		{"never said", alert, opsgenieTaken, []func(http.ResponseWriter){says(200, opsgenieTaken)}, Delivered, "not known yet: the service does not say]", 5},
		{"always failing", resolve, opsgenieTaken, []func(http.ResponseWriter){says(500, "")}, Delivered, "answered 500]", 5},
		{"not allowed to ask", alert, opsgenieTaken, []func(http.ResponseWriter){says(403, "")}, Delivered, "answered 403]", 1},
		{"asked too often", alert, opsgenieTaken, []func(http.ResponseWriter){says(429, "")}, Delivered, "answered 429]", 1},
		{"led elsewhere", alert, opsgenieTaken, []func(http.ResponseWriter){says(302, "")}, Delivered, "answered 302]", 1},
		{"no id", alert, `{"result":"Request will be processed"}`, nil, Delivered, "not known yet: the answer names no request]", 0},
		{"no JSON", alert, "ok", nil, Delivered, "ok\n[taken; what became of it", 0},
		{"no answer at all", alert, "", nil, Delivered, "[taken; what became of it", 0},
		{"an id that leads elsewhere", alert, `{"requestId":"../../other?x"}`, nil, Delivered, "names no request]", 0},
		{"a long answer", alert, strings.Repeat("😀", 3000), nil, Delivered, "names no request]", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newOpsgenieDouble(t, c.taken, c.answers...)
			o := newOpsgenie(newPoster(Settings{Egress: loopbackOnly()}))
			o.pauses, o.within = []time.Duration{0, 1, 2, 3, 4}, ample
			c.n.Config = opsgenieKit.config(d.base)
			got := o.Send(t.Context(), c.n)
			opsgenieKit.check(t, got)
			told := got.Error
			if c.want == Delivered {
				told = got.Response
			}
			if got.Result != c.want || got.StatusCode != 202 || !strings.Contains(told, c.says) {
				t.Errorf("outcome %+v; want %d, %q", got, c.want, c.says)
			}
			posts, asked := 0, 0
			for _, call := range d.calls() {
				if call.method == http.MethodPost {
					posts++
				} else {
					asked++
				}
			}
			if posts != 1 || asked != c.asked {
				t.Errorf("%d messages and %d questions, want 1 and %d", posts, asked, c.asked)
			}
		})
	}
}

// However slow the answer about the result is, the message is taken, and the lane goes on.
func TestOpsgenie_FollowUpIsBounded(t *testing.T) {
	o := newOpsgenie(newPoster(Settings{Egress: loopbackOnly()}))
	sum := time.Duration(0)
	for i, p := range o.pauses {
		if sum += p; i > 0 && p <= o.pauses[i-1] {
			t.Errorf("pause %d is %v after %v", i, p, o.pauses[i-1])
		}
	}
	if sum > o.within || o.within > 3*time.Second {
		t.Errorf("%v of pauses within %v", sum, o.within)
	}
	for name, c := range map[string]struct {
		within time.Duration             // of the follow-up
		limit  time.Duration             // of the attempt
		answer func(http.ResponseWriter) // nil = never
		stop   bool                      // when it is asked
	}{
		"its own time":        {200 * time.Millisecond, time.Hour, nil, false},
		"the attempt's time":  {time.Hour, 300 * time.Millisecond, nil, false},
		"the time of a pause": {time.Hour, 300 * time.Millisecond, says(404, ""), false},
		"cut off by a stop":   {time.Hour, time.Hour, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for its time limit
			asked := make(chan struct{}, 100)
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					w.WriteHeader(http.StatusAccepted)
					_, _ = io.WriteString(w, opsgenieTaken)
					return
				}
				asked <- struct{}{}
				if c.answer == nil {
					<-r.Context().Done()
					return
				}
				c.answer(w)
			})
			o := newOpsgenie(newPoster(Settings{Egress: loopbackOnly()}))
			o.within, o.pauses = c.within, []time.Duration{0, time.Hour}
			n := opsgenieKit.messages()["alert"]
			n.Config = opsgenieKit.config(base)
			send := func(ctx context.Context, limit time.Duration) Outcome {
				ctx, cancel := context.WithTimeout(ctx, limit)
				defer cancel()
				if c.stop {
					go func() { <-asked; cancel() }()
				}
				began := time.Now()
				got := o.Send(ctx, n)
				if took := time.Since(began); took > ample+tolerance {
					t.Errorf("Send took %v", took)
				}
				return got
			}
			got := stall(t, c.limit, whenAnswered, send)
			opsgenieKit.check(t, got)
			if got.Result != Delivered || got.StatusCode != 202 || !strings.Contains(got.Response, "[taken; ") {
				t.Errorf("outcome %+v", got)
			}
		})
	}
}

func TestOpsgenie_Answers(t *testing.T) {
	alert, resolve := opsgenieKit.messages()["alert"], opsgenieKit.messages()["resolved"]
	for _, c := range []struct {
		name   string
		n      Notification
		status int
		header string // X-RateLimit-Period-In-Sec, Retry-After
		body   string
		want   Result
		says   string
		after  time.Duration
	}{
		{"a bad key", alert, 401, "", `{"message":"Could not authenticate","took":0.1,"requestId":"x"}`, ChannelBroken, "401: give the channel the API key", 0},
		{"a key without rights", alert, 403, "", `{"message":"You are not authorized"}`, ChannelBroken, "may create alerts: You are not authorized", 0},
		{"not processable", alert, 422, "", `{"message":"Request body is not processable. Please check the errors.","errors":{"message":"Message can not be empty.","a":"b"}}`,
			Permanent, "Please check the errors.; a: b; message: Message can not be empty.", 0},
		{"the key echoed", alert, 422, "", `{"message":"Key format is not valid: ` + opsgenieTestKey + `"}`, Permanent, "Key format is not valid: ****", 0},
		{"a wrong URL", alert, 404, "", `{"message":"No handler found"}`, Permanent, "404 Not Found: No handler found", 0},
		{"a wrong URL to close", resolve, 404, "", `{"message":"No handler found"}`, Permanent, "404 Not Found", 0},
		{"nothing to close", resolve, 404, "", `{"message":"Alert with alias [x] does not exist"}`, Delivered, "", 0},
		{"nothing to create", alert, 404, "", `{"message":"Alert with alias [x] does not exist"}`, Permanent, "does not exist", 0},
		{"a limit of a minute", alert, 429, "60,", `{"message":"You are making too many requests!"}`, Retry, "too many requests", time.Minute},
		{"Retry-After wins", alert, 429, "60,7", "", Retry, "429", 7 * time.Second},
		{"no wish", alert, 429, ",", "", Retry, "429", 0},
		{"a page of theirs", alert, 502, "", "<html>Bad Gateway</html>", Retry, "502 Bad Gateway", 0},
		{"a status that is a number", alert, 400, "", `{"status":400,"message":"bad","errors":["x"]}`, Permanent, "400 Bad Request: bad", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if period, after, ok := strings.Cut(c.header, ","); ok {
					w.Header().Set("X-RateLimit-State", "THROTTLED")
					w.Header().Set("X-RateLimit-Period-In-Sec", period)
					w.Header().Set("Retry-After", after)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			o := opsgenieKit.tell(t, c.n, base)
			if o.Result != c.want || o.StatusCode != c.status || !strings.Contains(o.Error, c.says) || o.RetryAfter != c.after || strings.Contains(o.Error, "<") {
				t.Errorf("outcome %+v; want result %d, %q", o, c.want, c.says)
			}
		})
	}
}

func TestOpsgenie_TitleAndDescriptionKeepTheLimits(t *testing.T) {
	for _, c := range titleCases(opsgenieMessageMax) {
		alert := testAlert()
		alert.Message = c.message
		c.check(t, created(t, alert).Message)
	}
	facts := utf16Units(opsgenieDescription(testAlert(), "")) - utf16Units(testAlert().Message)
	for name, unit := range map[string]string{"letters": "x", "emoji": family, "right to left": hebrew} {
		room := opsgenieDescriptionMax - facts
		fill := strings.Repeat(unit, room/utf16Units(unit))
		fill = strings.Repeat("x", room-utf16Units(fill)) + fill
		for message, whole := range map[string]bool{fill: true, fill + "x": false, fill + unit: false, "x" + fill[:len(fill)-len(unit)]: true} {
			alert := testAlert()
			alert.Message = message
			got := opsgenieDescription(alert, "")
			if n := utf16Units(got); n > opsgenieDescriptionMax || whole != strings.HasPrefix(got, message) || !strings.Contains(got, "\nSeverity: HIGH\n") {
				t.Errorf("%s: %d units, whole is %v", name, n, !whole)
			}
		}
	}
}

func TestOpsgenie_DetailsKeepTheLimit(t *testing.T) {
	size := func(details map[string]string) (n int) {
		for name, value := range details {
			n += utf16Units(name) + utf16Units(value)
		}
		return n
	}
	details := func(values ...string) json.RawMessage {
		own := make(map[string]string)
		for i, v := range values {
			own[fmt.Sprintf("d%d", i)] = v
		}
		raw, _ := json.Marshal(own)
		return raw
	}
	alert := testAlert()
	room := opsgenieDetailsMax - 60 - size(opsgenieDetails(alert, "")) - 2*4
	for name, unit := range map[string]string{"letters": "x", "emoji": family, "right to left": hebrew} {
		full := func(n int) string { // exactly so many units
			s := strings.Repeat(unit, n/utf16Units(unit))
			return s + strings.Repeat("x", n-utf16Units(s))
		}
		most := full(opsgenieValueMax)
		for _, c := range []struct {
			over, kept int
		}{{-1, 4}, {0, 4}, {1, 3}} {
			alert.Details = details(most, most, most, full(room-3*opsgenieValueMax+c.over))
			got := opsgenieDetails(alert, "")
			kept := 0
			for i := range 4 {
				if _, ok := got[fmt.Sprintf("d%d", i)]; ok {
					kept++
				}
			}
			if n := size(got); n > opsgenieDetailsMax || kept != c.kept || (got["left_out"] != "") != (kept < 4) {
				t.Errorf("%s, %+d: %d units, %d kept, left out: %q", name, c.over, n, kept, got["left_out"])
			}
		}
		// One value by itself.
		for n, cut := range map[int]bool{opsgenieValueMax - 1: false, opsgenieValueMax: false, opsgenieValueMax + 1: true} {
			alert.Details = details(full(n))
			if got := opsgenieDetails(alert, "")["d0"]; utf16Units(got) > opsgenieValueMax || strings.HasSuffix(got, "…") != cut {
				t.Errorf("%s, a value of %d: %d units", name, n, utf16Units(got))
			}
		}
	}
}

// The longest texts that there may be, and some that there may not be.
func TestOpsgenie_LongestAlertFits(t *testing.T) {
	for _, unit := range []string{"\x01", "😀", hebrew, "\xff", family} {
		name := strings.Repeat(unit, models.MaxName)
		alert := testAlert()
		alert.Type, alert.Message, alert.Rustbucket = name, strings.Repeat(unit, models.MaxMessage), &models.Rustbucket{ID: name, Name: name}
		own := make(map[string]any)
		for i := range 2000 {
			own[fmt.Sprint(unit, i)] = map[string]any{unit: strings.Repeat(unit, 10)}
		}
		alert.Details, _ = json.Marshal(own)
		got := created(t, alert)
		n := 0
		for name, value := range got.Details {
			n += utf16Units(name) + utf16Units(value)
		}
		if n > opsgenieDetailsMax || got.Details["left_out"] == "" {
			t.Errorf("%q: details of %d units, left out: %q", unit, n, got.Details["left_out"])
		}
		for text, limit := range map[string]int{got.Message: opsgenieMessageMax, got.Description: opsgenieDescriptionMax,
			got.Entity: opsgenieEntityMax, got.Tags[0]: opsgenieTagMax, got.Source: 100} {
			if utf16Units(text) > limit {
				t.Errorf("%q: %d units, limit %d", unit, utf16Units(text), limit)
			}
		}
	}
}
