package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// audited gives the audit log, the oldest first, as "by action subject changes".
func (s *server) audited() (lines []string) {
	s.t.Helper()
	nodes := at(s.do(`{ auditLog(first: 500) { totalCount nodes { id at by address action subjectId subjectName changes } } }`, nil), "auditLog", "nodes").([]any)
	for _, n := range nodes {
		changes, err := json.Marshal(at(n, "changes"))
		if err != nil {
			s.t.Fatal(err)
		}
		name := at(n, "subjectName")
		if name == nil {
			name = "-"
		}
		lines = append([]string{fmt.Sprint(at(n, "by"), " ", at(n, "action"), " ", name, " ", string(changes))}, lines...)
	}
	return lines
}

func TestAudit_NotesWhoChangedWhat(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		r := newReceiver(t)
		secret := "s3cret-header"
		id := s.createChannel("hook", map[string]any{"webhook": map[string]any{"url": r.URL + "/s3cret-path", "headers": map[string]any{"X-Key": secret}}})
		s.do(`mutation ($id: ID!) { updateChannel(id: $id, input: {minSeverity: HIGH, name: "renamed"}) { id } }`, map[string]any{"id": id})
		s.do(`mutation ($id: ID!) { updateChannel(id: $id, input: {minSeverity: HIGH}) { id } }`, map[string]any{"id": id}) // changes nothing
		s.do(`mutation ($id: ID!, $c: ChannelConfigInput!) { updateChannel(id: $id, input: {config: $c}) { id } }`, map[string]any{"id": id, "c": map[string]any{
			"webhook": map[string]any{"url": r.URL + "/s3cret-path", "headers": map[string]any{"X-Key": "another-s3cret"}}}})
		s.do(`mutation { setChannelsActive(active: false) { id } }`, nil)
		s.do(`mutation { setChannelsActive(active: false) { id } }`, nil)
		if a := s.try(`mutation { createChannel(input: {name: "renamed", config: {email: {recipients: ["oncall@example.com"]}}}) { id } }`, nil); len(a.Errors) != 1 {
			t.Errorf("a name that is taken: %+v", a)
		}
		made := s.do(`mutation { createToken(input: {name: "node 1", role: ANALYST}) { secret token { id } } }`, nil)["createToken"]
		alert := s.createAlert(map[string]any{"type": "error", "message": "m", "notify": false})
		token := at(made, "secret").(string)
		for range 2 { // the second time changes nothing
			if a := s.as(token, `mutation ($id: ID!) { resolveAlert(id: $id) { id } }`, map[string]any{"id": alert}); len(a.Errors) > 0 {
				t.Fatal(a.Errors)
			}
		}
		for range 2 {
			s.do(`mutation ($id: ID!) { revokeToken(id: $id) { id } }`, map[string]any{"id": at(made, "token", "id")})
		}
		s.do(`mutation { pauseNotifications(reason: "moving house", afterwards: DROP) { since } }`, nil)
		s.do(`mutation { a: resumeNotifications b: resumeNotifications }`, nil)
		s.do(`mutation ($id: ID!) { deleteChannels(ids: [$id]) }`, map[string]any{"id": id})
		shown := strings.ReplaceAll(strings.Join(s.audited(), "\n"), r.URL, "http://receiver")
		want := `ADMIN_TOKEN CHANNEL_CREATED hook {"alertTypes":[],"config":{"headers":{"X-Key":"****"},"url":"http://receiver/****"},"isActive":true,"minSeverity":"LOW","name":"hook","notifyOnAcknowledge":false,"notifyOnResolve":false,"rateLimit":null,"type":"WEBHOOK"}
ADMIN_TOKEN CHANNEL_UPDATED renamed {"minSeverity":{"from":"LOW","to":"HIGH"},"name":{"from":"hook","to":"renamed"}}
ADMIN_TOKEN CHANNEL_UPDATED renamed {"config":"a secret in it"}
ADMIN_TOKEN CHANNEL_UPDATED renamed {"isActive":{"from":true,"to":false}}
ADMIN_TOKEN TOKEN_CREATED node 1 {"role":"ANALYST"}
node 1 ALERT_RESOLVED - null
ADMIN_TOKEN TOKEN_REVOKED node 1 null
ADMIN_TOKEN NOTIFICATIONS_PAUSED - {"afterwards":"DROP","reason":"moving house"}
ADMIN_TOKEN NOTIFICATIONS_RESUMED - null
ADMIN_TOKEN CHANNEL_DELETED renamed null`
		if shown != want {
			t.Errorf("the audit log is\n%s\nwant\n%s", shown, want)
		}
		if strings.Contains(shown, "s3cret") {
			t.Error("a secret in the audit log")
		}
		page := s.do(`{ auditLog(filter: {actions: [CHANNEL_UPDATED]}, first: 2) { totalCount pageInfo { hasNextPage endCursor } nodes { address } } }`, nil)["auditLog"]
		if at(page, "totalCount") != 3.0 || at(page, "pageInfo", "hasNextPage") != true || at(page, "nodes", 0, "address") != "127.0.0.1" {
			t.Errorf("a page: %v", page)
		}
		rest := s.do(`query ($after: String) { auditLog(filter: {actions: [CHANNEL_UPDATED], by: "ADMIN_TOKEN"}, after: $after) { nodes { changes } pageInfo { hasNextPage } } }`,
			map[string]any{"after": at(page, "pageInfo", "endCursor")})["auditLog"]
		if len(at(rest, "nodes").([]any)) != 1 || at(rest, "pageInfo", "hasNextPage") != false {
			t.Errorf("the rest: %v", rest)
		}
	})
}

func TestAudit_NotesTestNotifications(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		r := newReceiver(t)
		id := s.createChannel("hook", webhook(r.URL+"/s3cret-path"))
		s.createChannel("other", webhook(r.URL))
		s.do(`mutation ($id: ID!) { testChannel(id: $id) { success } }`, map[string]any{"id": id})
		r.answer(http.StatusTeapot, "s3cret-path")
		s.do(`mutation ($id: ID!) { testChannel(id: $id) { success } testChannels(ids: [$id]) { success } }`, map[string]any{"id": id})
		s.do(`mutation ($c: ChannelConfigInput!) { testChannelConfig(config: $c) { success } }`, map[string]any{"c": webhook(r.URL + "/s3cret-path")})
		s.do(`mutation ($c: ChannelConfigInput!) { testChannelConfig(config: $c) { success } }`, map[string]any{"c": webhook("http://10.0.0.1/s3cret-path")})
		shown := strings.ReplaceAll(strings.Join(s.audited()[2:], "\n"), r.URL, "http://receiver")
		want := `ADMIN_TOKEN CHANNEL_TESTED hook {"statusCode":200,"success":true}
ADMIN_TOKEN CHANNEL_TESTED hook {"statusCode":418,"success":false}
ADMIN_TOKEN CHANNEL_TESTED hook {"statusCode":418,"success":false}
ADMIN_TOKEN CHANNEL_TESTED - {"config":{"url":"http://receiver/****"},"statusCode":418,"success":false,"type":"WEBHOOK"}
ADMIN_TOKEN CHANNEL_TESTED - {"config":{"url":"http://10.0.0.1/****"},"success":false,"type":"WEBHOOK"}`
		if shown != want {
			t.Errorf("the audit log is\n%s\nwant\n%s", shown, want)
		}
		if n := len(at(s.do(`query ($id: ID!) { auditLog(filter: {subjectId: $id, actions: [CHANNEL_TESTED]}) { nodes { id } } }`, map[string]any{"id": id}), "auditLog", "nodes").([]any)); n != 3 {
			t.Errorf("%d tests of the channel are found", n)
		}
	})
}
