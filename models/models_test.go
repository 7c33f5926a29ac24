package models

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestNewAlert_DetailsWithNULAreRefused(t *testing.T) {
	for details, ok := range map[string]bool{
		`{"a":"b"}`: true, `{"a":"\u0000"}`: false, `{"a":"\\u0000"}`: true, `{"a":"\\\u0000"}`: false, `{"a":"x\n\"\u0000"}`: false, `{"\u0000":1}`: false, `{"a":"\\"}`: true,
	} {
		a := NewAlert{Type: "x", Message: "m", Details: json.RawMessage(details)}
		if err := a.Valid("input"); (err == nil) != ok {
			t.Errorf("%s: %v", details, err)
		}
	}
}

func TestRoute_LooksAtTheReasonsInTheirOrder(t *testing.T) {
	now := time.Now()
	channel := func(change func(*Channel)) *Channel {
		c := &Channel{ID: 1, IsActive: true}
		change(c)
		return c
	}
	for name, c := range map[string]struct {
		alert     NewAlert
		duplicate bool
		channel   *Channel
		want      RoutingReason
	}{
		"matched":          {NewAlert{Notify: true}, false, channel(func(*Channel) {}), Matched},
		"notify first":     {NewAlert{}, true, channel(func(c *Channel) { c.IsActive = false }), NotifyFalse},
		"then duplicate":   {NewAlert{Notify: true}, true, channel(func(c *Channel) { c.IsActive = false }), Duplicate},
		"then inactive":    {NewAlert{Notify: true}, false, channel(func(c *Channel) { c.IsActive, c.MinSeverity = false, SeverityHigh }), ChannelInactive},
		"deleted":          {NewAlert{Notify: true}, false, channel(func(c *Channel) { c.DeletedAt = &now }), ChannelInactive},
		"then severity":    {NewAlert{Notify: true, Type: "x"}, false, channel(func(c *Channel) { c.MinSeverity, c.AlertTypes = SeverityMedium, []string{"y"} }), BelowMinSeverity},
		"as bad as wanted": {NewAlert{Notify: true, Severity: SeverityMedium}, false, channel(func(c *Channel) { c.MinSeverity = SeverityMedium }), Matched},
		"then type":        {NewAlert{Notify: true, Type: "x"}, false, channel(func(c *Channel) { c.AlertTypes = []string{"y", "X"} }), TypeNotSelected},
		"type":             {NewAlert{Notify: true, Type: "x"}, false, channel(func(c *Channel) { c.AlertTypes = []string{"y", "x"} }), Matched},
	} {
		if got := Route(&c.alert, c.duplicate, nil, nil, []*Channel{c.channel}); len(got) != 1 || got[0].Reason != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

func TestConfig_MaskingHidesEverySecretAndUnmaskingBringsItBack(t *testing.T) {
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	eu := "https://events.eu.pagerduty.com/v2/enqueue?hunter2"
	for _, c := range []ChannelConfig{
		&EmailConfig{Recipients: []string{"oncall@example.com"}},
		&SlackConfig{WebhookURL: "https://hooks.slack.com/services/hunter2"},
		&WebhookConfig{URL: "https://user:hunter2@example.com:8443/hunter2?k=hunter2#hunter2", Headers: map[string]string{"X-Key": "hunter2"}, SigningSecret: &secret},
		&WebhookConfig{URL: "https://example.com", SigningSecret: &secret, PreviousSigningSecret: text(secretTwo), BodyTemplate: text(`{"text": {{json .Message}}}`)},
		&WebhookConfig{URL: "https://example.com"},
		&WebhookConfig{URL: "https://example.com/"},
		&PagerDutyConfig{RoutingKey: "hunter2", URL: &eu},
		&OpsgenieConfig{APIKey: "hunter2"},
		&TeamsConfig{WebhookURL: "https://example.com/?sig=hunter2"},
		&DiscordConfig{WebhookURL: "https://discord.com/api/webhooks/1/hunter2"},
	} {
		if err := c.Valid("config"); err != nil {
			t.Errorf("%#v: %v", c, err)
		}
		shown, err := json.Marshal(c.Masked())
		if err != nil || strings.Contains(string(shown), "hunter2") || strings.Contains(string(shown), secret) || strings.Contains(string(shown), secretTwo) {
			t.Errorf("%T shows %s, %v", c, shown, err)
		}
		if back := c.Masked().Unmask(c); !reflect.DeepEqual(back, c) {
			t.Errorf("%T came back as %#v", c, back)
		}
		again, err := NewConfig(c.Type())
		if err != nil || reflect.TypeOf(again) != reflect.TypeOf(c) {
			t.Errorf("NewConfig(%s) gives %T, %v", c.Type(), again, err)
		}
	}
}

func TestRetryDelay_LastsAboutADayAndThenEnds(t *testing.T) {
	for range 100 {
		total := time.Duration(0)
		attempts := 1
		for ; ; attempts++ {
			delay, ok := RetryDelay(attempts, 0)
			if !ok {
				break
			}
			base := retryDelays[attempts-1]
			if delay < base*8/10 || delay > base*12/10 {
				t.Fatalf("after attempt %d: %v", attempts, delay)
			}
			total += delay
		}
		if attempts != 10 || total < 18*time.Hour || total > 28*time.Hour {
			t.Fatalf("%d attempts over %v", attempts, total)
		}
	}
}
