package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/rustbucket/alerts/graph"
	"github.com/rustbucket/alerts/models"
)

// Who may call what: every operation of the schema, so that a new one cannot slip through. Each role may what stands in its
// rows; ADMIN may everything.
var allowed = map[models.Role]string{
	models.Reporter: `alert alerts viewer createAlert createAlerts heartbeat`,
	models.Viewing: `alert alerts channel channels channelTypes delivery deliveries previewRouting notificationPause silences silence rustbucket rustbuckets viewer
		alertStats deliveryStats
		alertCreated alertUpdated deliveryUpdated feed feedCursor`,
	models.Analyst: `alert alerts channel channels channelTypes delivery deliveries previewRouting notificationPause silences silence rustbucket rustbuckets viewer
		alertStats deliveryStats
		alertCreated alertUpdated deliveryUpdated feed feedCursor acknowledgeAlert resolveAlert reopenAlert assignAlert commentAlert
		acknowledgeAlerts resolveAlerts reopenAlerts assignAlerts retryDelivery retryDeliveries`,
	models.Admin: `tokens auditLog createChannel updateChannel setChannelsActive deleteChannels testChannel testChannels testChannelConfig
		cancelDeliveries pauseNotifications resumeNotifications createSilence endSilence createToken revokeToken previewWebhookBody
		rotateSigningSecret dropPreviousSigningSecret deleteAlerts expectHeartbeat`,
}

// What a REPORTER can come to from there, through fields that ask for no role of their own.
const reported = `Alert.acknowledgedAt Alert.createdAt Alert.dedupKey Alert.details Alert.id Alert.isResolved Alert.message Alert.occurrences Alert.pauseReason
	Alert.resolvedAt Alert.rustbucket Alert.severity Alert.source Alert.state Alert.type
	AlertConnection.edges AlertConnection.nodes AlertConnection.pageInfo AlertConnection.totalCount AlertEdge.cursor AlertEdge.node
	Heartbeat.dueAt Heartbeat.intervalSeconds Heartbeat.lastSeenAt Heartbeat.severity Heartbeat.state
	PageInfo.endCursor PageInfo.hasNextPage Rustbucket.heartbeat Rustbucket.id Rustbucket.name Viewer.name Viewer.role`

func TestRoles_EveryOperationIsForThoseWhoMayCallIt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		schema := graph.NewExecutableSchema(graph.Config{}).Schema()
		known := make(map[string]bool)
		for _, rows := range allowed {
			for _, name := range strings.Fields(rows) {
				known[name] = true
			}
		}
		for name, token := range s.tokens() {
			role := models.Role(name)
			for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
				for _, f := range root.Fields {
					if strings.HasPrefix(f.Name, "__") {
						continue
					}
					if !known[f.Name] {
						t.Fatalf("%s is in nobody's row: say who may call it", f.Name)
					}
					may := role == models.Admin || slices.Contains(strings.Fields(allowed[role]), f.Name)
					codes := s.codes(t, token, root, operation(schema, root, f))
					if slices.Contains(codes, "FORBIDDEN") == may || slices.Contains(codes, "UNAUTHENTICATED") || slices.Contains(codes, "GRAPHQL_VALIDATION_FAILED") {
						t.Errorf("%s calls %s: %v, may: %v", role, f.Name, codes, may)
					}
				}
			}
		}
	})
}

func TestRoles_AReporterComesToNothingElse(t *testing.T) {
	schema := graph.NewExecutableSchema(graph.Config{}).Schema()
	var found []string
	var visit func(def *ast.Definition)
	seen := make(map[string]bool)
	visit = func(def *ast.Definition) {
		if def == nil || seen[def.Name] {
			return
		}
		seen[def.Name] = true
		for _, f := range def.Fields {
			if f.Directives.ForName("hasRole") == nil {
				found = append(found, def.Name+"."+f.Name)
				visit(schema.Types[f.Type.Name()])
			}
		}
	}
	for _, name := range strings.Fields(allowed[models.Reporter]) {
		for _, root := range []*ast.Definition{schema.Query, schema.Mutation} {
			if f := root.Fields.ForName(name); f != nil {
				visit(schema.Types[f.Type.Name()])
			}
		}
	}
	want := strings.Fields(reported)
	slices.Sort(want)
	slices.Sort(found)
	if !slices.Equal(found, want) {
		t.Errorf("a REPORTER comes to\n%v\nwant\n%v", found, want)
	}
}

func TestTokens_OverTheAPI(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		made := s.do(`mutation ($at: Time) { createToken(input: {name: "node 1", role: REPORTER, expiresAt: $at}) { secret token { id name role expiresAt lastUsedAt revokedAt } } }`,
			map[string]any{"at": time.Now().Add(time.Hour)})["createToken"]
		secret, id := at(made, "secret").(string), at(made, "token", "id")
		if !strings.HasPrefix(secret, "rba_") || at(made, "token", "lastUsedAt") != nil || at(made, "token", "expiresAt") == nil {
			t.Fatalf("made %v", made)
		}
		if a := s.as(secret, `mutation { createAlert(input: {type: "x", message: "m"}) { id } }`, nil); len(a.Errors) > 0 {
			t.Errorf("the new token: %+v", a)
		}
		for field, input := range map[string]string{
			"input.name":      `{name: "node 1", role: VIEWER}`,
			"input.expiresAt": `{name: "node 2", role: VIEWER, expiresAt: "2020-01-01T00:00:00Z"}`,
		} {
			if a := s.try(`mutation { createToken(input: `+input+`) { secret } }`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Field != field {
				t.Errorf("%s: %+v", input, a.Errors)
			}
		}
		text, _ := json.Marshal(s.do(`{ tokens { id name role createdAt expiresAt revokedAt lastUsedAt } }`, nil))
		if !strings.Contains(string(text), "node 1") || strings.Contains(string(text), secret) {
			t.Errorf("tokens %s", text)
		}
		if got := at(s.do(`mutation ($id: ID!) { revokeToken(id: $id) { revokedAt } }`, map[string]any{"id": id}), "revokeToken", "revokedAt"); got == nil {
			t.Error("not revoked")
		}
		if a := s.as(secret, `{ viewer { name } }`, nil); a.Status != http.StatusUnauthorized {
			t.Errorf("the revoked token: %+v", a)
		}
		s.do(`mutation { createToken(input: {name: "node 1", role: REPORTER}) { secret } }`, nil) // the name is free again
	})
}

func TestTokens_CreateNoMoreThanTheyMay(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		secret := at(s.do(`mutation { createToken(input: {name: "node 1", role: REPORTER, alertsPerMinute: 3}) { secret } }`, nil), "createToken", "secret").(string)
		two := `mutation { createAlerts(inputs: [{type: "x", message: "1"}, {type: "x", message: "2"}]) { id } }`
		one := `mutation { createAlert(input: {type: "x", message: "m"}) { id } }`
		for _, c := range []struct{ query, code string }{{two, ""}, {two, "OVERLOADED"}, {one, ""}, {one, "OVERLOADED"}} {
			a, code := s.as(secret, c.query, nil), ""
			if len(a.Errors) > 0 {
				code = a.Errors[0].Extensions.Code
			}
			if code != c.code {
				t.Errorf("%s: %q, want %q", c.query, code, c.code)
			}
		}
		if n := at(s.do(`{ alerts { totalCount } }`, nil), "alerts", "totalCount"); n != 3.0 {
			t.Errorf("%v alerts were stored, want 3", n)
		}
		if a := s.try(`mutation { createToken(input: {name: "n", role: REPORTER, alertsPerMinute: 0}) { secret } }`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Field != "input.alertsPerMinute" {
			t.Errorf("a limit of 0: %+v", a.Errors)
		}
	})
}

// codes gives the codes of the errors that an operation is answered with: of a stream, those that it ends with before it has begun.
func (s *server) codes(t *testing.T, token string, root *ast.Definition, query string) (codes []string) {
	t.Helper()
	if root.Name != "Subscription" {
		for _, e := range s.as(token, query, nil).Errors {
			codes = append(codes, e.Extensions.Code)
		}
		return codes
	}
	sub := s.subscribeAs(t, token, query, nil)
	if s.feed.Readers() > 0 {
		sub.cancel()
		s.until("the stream to end", func() bool { return s.feed.Readers() == 0 })
	}
	for range sub.events { // to its end
	}
	for len(sub.errs) > 0 {
		code, _, _ := strings.Cut(<-sub.errs, " ")
		codes = append(codes, code)
	}
	return codes
}

// operation calls a field with the least that it needs.
func operation(schema *ast.Schema, root *ast.Definition, f *ast.FieldDefinition) string {
	var arguments []string
	for _, a := range f.Arguments {
		if a.Type.NonNull && a.DefaultValue == nil {
			arguments = append(arguments, a.Name+": "+literal(schema, a.Type))
		}
	}
	call := f.Name
	if len(arguments) > 0 {
		call += "(" + strings.Join(arguments, ", ") + ")"
	}
	if schema.Types[f.Type.Name()].IsCompositeType() {
		call += " { __typename }"
	}
	return strings.ToLower(root.Name) + " { " + call + " }"
}

func literal(schema *ast.Schema, typ *ast.Type) string {
	if typ.Elem != nil {
		return "[" + literal(schema, typ.Elem) + "]"
	}
	switch def := schema.Types[typ.NamedType]; {
	case def.Kind == ast.Enum:
		return def.EnumValues[0].Name
	case def.Kind == ast.InputObject:
		var fields []string
		for i, f := range def.Fields {
			if f.Type.NonNull && f.DefaultValue == nil || i == 0 && def.Directives.ForName("oneOf") != nil {
				fields = append(fields, f.Name+": "+literal(schema, f.Type))
			}
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case def.Name == "ID":
		return `"987654321"`
	case def.Name == "Boolean":
		return "false"
	case def.Name == "Int":
		return "1"
	case def.Name == "Time":
		return `"2020-01-01T00:00:00Z"`
	}
	return `"x"`
}
