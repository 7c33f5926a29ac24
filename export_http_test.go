package main

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/rustbucket/alerts/graph"
)

func TestExport_IsForThoseWhoMayRead(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		s.createAlert(nil)
		cookie := s.signIn(testToken)
		want := map[string]int{"REPORTER": http.StatusForbidden}
		for role, token := range s.tokens() {
			status := max(want[role], http.StatusOK)
			for _, path := range []string{"/export/alerts", "/export/deliveries?format=jsonl"} {
				if res, body := s.send(http.MethodGet, path, "", "Authorization", "Bearer "+token); res.StatusCode != status {
					t.Errorf("%s: %s: %d %s", role, path, res.StatusCode, body)
				}
			}
		}
		for _, c := range []struct {
			what, method, path string
			headers            []string
			status             int
			code               string
		}{
			{"no token", http.MethodGet, "/export/alerts", nil, 401, "UNAUTHENTICATED"},
			{"a bad token", http.MethodGet, "/export/alerts", []string{"Authorization", "Bearer x"}, 401, "UNAUTHENTICATED"},
			{"a session", http.MethodGet, "/export/alerts", []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}, 200, ""},
			{"a session, asked by another page", http.MethodGet, "/export/alerts", []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 401, "UNAUTHENTICATED"},
			{"a POST", http.MethodPost, "/export/alerts", []string{"Authorization", "Bearer " + testToken}, 405, "BAD_USER_INPUT"},
			{"a HEAD", http.MethodHead, "/export/alerts", []string{"Authorization", "Bearer " + testToken}, 200, ""},
			{"something else", http.MethodGet, "/export/tokens", []string{"Authorization", "Bearer " + testToken}, 404, "NOT_FOUND"},
		} {
			res, body := s.send(c.method, c.path, "", c.headers...)
			if res.StatusCode != c.status || c.code != "" && !strings.Contains(body, `"code":"`+c.code+`"`) {
				t.Errorf("%s: %d %s", c.what, res.StatusCode, body)
			}
		}
	})
}

func TestExport_NamesTheWrongParameter(t *testing.T) {
	s := startServer(t, "")
	for query, want := range map[string][2]string{
		"format=xml":                           {"format", "use csv or jsonl"},
		"severities=HIGH,LOW":                  {"severities", "severities=HIGH&severities=LOW"},
		"severities=high":                      {"severities", "use one of LOW, MEDIUM, HIGH"},
		"minSeverity=LOW&minSeverity=HIGH":     {"minSeverity", "give it once"},
		"isResolved=yes":                       {"isResolved", "neither true nor false"},
		"createdAfter=yesterday":               {"createdAfter", "RFC 3339"},
		"createdAfter=2025-12-12T10:30:00+01:": {"createdAfter", "%2B"},
		"severity=HIGH":                        {"severity", "use format, types, severities"},
		"search=":                              {"search", "leave it out"},
		"search=%00":                           {"search", "NUL"},
		"types=%ff":                            {"types", "UTF-8"},
		"types=%zz":                            {"", "%XX"},
	} {
		res, body := s.send(http.MethodGet, "/export/alerts?"+query, "", "Authorization", "Bearer "+testToken)
		var a answer
		if err := json.Unmarshal([]byte(body), &a); err != nil || res.StatusCode != http.StatusBadRequest || len(a.Errors) != 1 {
			t.Fatalf("%s: %d %s", query, res.StatusCode, body)
		}
		if e := a.Errors[0]; e.Extensions.Code != "BAD_USER_INPUT" || e.Extensions.Field != want[0] || !strings.Contains(e.Message, want[1]) {
			t.Errorf("%s: %+v", query, e)
		}
	}
}

// The API's filters and an export's parameters are one thing, and so are the fields of what they give.
func TestExport_HasTheNamesOfTheAPI(t *testing.T) {
	s := startServer(t, "")
	r := newReceiver(t)
	s.createChannel("on-call", webhook(r.URL+"/hooks/secret-path"))
	s.deliveries(s.createAlert(map[string]any{"rustbucket": map[string]any{"id": "BKT1", "name": "Node 1"}, "details": map[string]any{"a": 1}}))
	schema := graph.NewExecutableSchema(graph.Config{}).Schema()
	get := func(path string) string {
		res, body := s.send(http.MethodGet, path, "", "Authorization", "Bearer "+testToken)
		if res.StatusCode != http.StatusOK || strings.Contains(body, "secret-path") {
			t.Fatalf("%s: %d %s", path, res.StatusCode, body)
		}
		return body
	}
	for list, c := range map[string]struct{ filter, node string }{"alerts": {"AlertFilter", "Alert"}, "deliveries": {"DeliveryFilter", "Delivery"}} {
		for _, f := range schema.Types[c.filter].Fields {
			value := map[string]string{"String": "x", "ID": "1", "Boolean": "true", "Time": "2025-12-12T10:30:00Z"}[f.Type.Name()]
			if enum := schema.Types[f.Type.Name()]; enum.Kind == ast.Enum {
				value = enum.EnumValues[0].Name
			}
			get("/export/" + list + "?" + f.Name + "=" + value)
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(get("/export/"+list+"?format=jsonl")), &line); err != nil {
			t.Fatal(err)
		}
		for _, f := range schema.Types[c.node].Fields {
			// One line has no lists, which are exports of their own, or may name people.
			if _, has := line[f.Name]; !has && f.Type.Elem == nil {
				t.Errorf("an exported %s has no %s", c.node, f.Name)
			}
		}
		for name := range line {
			if schema.Types[c.node].Fields.ForName(name) == nil {
				t.Errorf("an exported %s has %s, which is none of its fields", c.node, name)
			}
		}
		rows, err := csv.NewReader(strings.NewReader(get("/export/" + list))).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatalf("%v, %v", rows, err)
		}
		for name, value := range line {
			if nested, ok := value.(map[string]any); ok && name != "details" {
				for field := range nested {
					if column := name + strings.ToUpper(field[:1]) + field[1:]; !slices.Contains(rows[0], column) {
						t.Errorf("no column %s", column)
					}
				}
			} else if f := schema.Types[c.node].Fields.ForName(name); f != nil && schema.Types[f.Type.Name()].IsLeafType() && !slices.Contains(rows[0], name) {
				t.Errorf("no column %s", name)
			}
		}
	}
}
