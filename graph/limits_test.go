package graph

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/introspection"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/testkit"
)

func TestLimits(t *testing.T) {
	schema := NewExecutableSchema(Config{}).Schema()
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	everything := `nodes { id type severity message details createdAt resolvedAt rustbucket { id name } history { id at by kind text assignee }
		deliveries { id status attempts error channel { id name } attemptLog { number startedAt durationMs statusCode error response } }
		routing { willNotify reason channel { id name } } }`
	bomb := "{ alerts { nodes { ...f0 } } } " + repeat(40, "fragment f%[1]d on Alert { id ...g%[1]d } ")
	for i := range 40 {
		bomb += fmt.Sprintf("fragment g%d on Alert { id ", i)
		if i < 39 {
			bomb += fmt.Sprintf("deliveries { alert { ...f%d } channel { id } } ...f%d", i+1, i+1)
		}
		bomb += "} "
	}
	for _, c := range []struct {
		name, query, variables, want string
	}{
		{name: "the largest page with everything", query: "{ alerts(first: 500) { totalCount " + everything + " } }"},
		{name: "five of them", query: "{" + repeat(5, "a%d: alerts(first: 500) { "+everything+" }") + "}", want: metrics.RequestCost},
		{name: "five small ones", query: "{" + repeat(5, "a%d: alerts(first: 50) { "+everything+" }") + "}"},
		{name: "the same by a variable", query: "query ($n: Int) {" + repeat(5, "a%d: alerts(first: $n) { "+everything+" }") + "}", variables: `{"n": 500}`, want: metrics.RequestCost},
		{name: "a small variable", query: "query ($n: Int) {" + repeat(5, "a%d: alerts(first: $n) { "+everything+" }") + "}", variables: `{"n": 5}`},
		{name: "a variable's default", query: "query ($n: Int = 500) {" + repeat(5, "a%d: alerts(first: $n) { "+everything+" }") + "}", want: metrics.RequestCost},
		{name: "100 aliases", query: "{" + repeat(100, "a%d: viewer { name }") + "}"},
		{name: "101 aliases", query: "{" + repeat(101, "a%d: viewer { name }") + "}", want: metrics.RequestFields},
		{name: "aliases in fragments", query: "{ ...f ...f } fragment f on Query {" + repeat(60, "a%d: viewer { name }") + "}", want: metrics.RequestFields},
		{name: "1000 alerts in a call", query: "mutation ($a: [CreateAlertInput!]!) { createAlerts(inputs: $a) { id type message } }",
			variables: `{"a": [` + strings.TrimSuffix(strings.Repeat(`{"type": "t", "message": "m"},`, 1000), ",") + `]}`},
		{name: "in a circle", query: "{ alert(id: 1) " + strings.Repeat("{ deliveries { alert ", 8) + "{ id }" + strings.Repeat("} }", 8) + " }", want: metrics.RequestDepth},
		{name: "fragments in fragments", query: bomb, want: metrics.RequestDepth},
		{name: "statistics for a screen", query: `{ alertStats(from: "x") { total types { type total } buckets { from low medium high } }
			deliveryStats(from: "x") { channels { channel { name } p99Ms } buckets { from delivered failed p50Ms p99Ms } } }`},
		{name: "statistics of many times", query: "{" + repeat(50, `a%d: alertStats(from: "x") { buckets { from total } }`) + "}"},
		{name: "statistics of too many", query: "{" + repeat(99, `a%d: alertStats(from: "x") { buckets { from total low } }`) + "}", want: metrics.RequestCost},
		{name: "many aliases of one field", query: "{ viewer {" + repeat(700, " a%d: name") + "} }"},
		{name: "too many", query: "{ viewer {" + repeat(9_000, " a%d: name") + "} }", want: metrics.RequestCost},
		{name: "many aliases in a list", query: "{ alerts(first: 500) { nodes {" + repeat(450, " a%d: id") + "} } }", want: metrics.RequestCost},
		{name: "aliases about the schema", query: "{ __schema { types {" + repeat(150, " a%d: fields { name args { name } }") + "} } }", want: metrics.RequestCost},
		{name: "what tools ask about the schema", query: `{ __schema { types { fields { args { type { ofType { ofType { ofType { ofType { ofType { ofType { ofType { name } } } } } } } } } } } } }`},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, errs := gqlparser.LoadQueryWithRules(schema, c.query, rules.NewDefaultRules())
			if errs != nil {
				t.Fatal(errs)
			}
			variables := map[string]any{}
			if c.variables != "" {
				dec := json.NewDecoder(strings.NewReader(c.variables))
				dec.UseNumber()
				if err := dec.Decode(&variables); err != nil {
					t.Fatal(err)
				}
			}
			start := testkit.Computed(t)
			got, message := tooMuch(weigh(doc.Operations[0], variables), doc.Operations[0].Operation)
			if got != c.want || (message == "") != (got == "") {
				t.Errorf("%q (%s), want %q", got, message, c.want)
			}
			// Below 0.1 s; the race detector and a slow machine make it more.
			if took := testkit.Computed(t) - start; took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestLimits_WhatAnOperationCostsItsCaller(t *testing.T) {
	schema := NewExecutableSchema(Config{}).Schema()
	for query, want := range map[string]int{
		"{ viewer { name role } }":                                                       callCost + 3,
		"{ alerts(first: 50) { nodes { id type } totalCount } }":                         callCost + 1 + 50*4,
		"{ a: viewer { name } b: viewer { name } }":                                      2 * (callCost + 2),
		`mutation { resolveAlert(id: 1) { id } }`:                                        callCost + 2,
		`mutation { createAlert(input: {type: "t", message: "m"}) { id type message } }`: 0,
		`mutation { createAlert(input: {type: "t", message: "m"}) { ...f } resolveAlert(id: 1) { id } } fragment f on Alert { id }`:                                                                                callCost + 2,
		`mutation { createAlerts(inputs: [{type: "t", message: "m"}, {type: "t", message: "m"}]) { id deliveries { id status attempts error channel { id name } } } }`:                                             0,
		`mutation { createAlerts(inputs: [{type: "t", message: "m"}, {type: "t", message: "m"}]) { id deliveries { id status attempts error channel { id name config { __typename } } attemptLog { number } } } }`: 2*(1+1+5*(9+1+5)) - 2*freeOfAlert,
		`subscription { alertCreated { id } }`: callCost + 2,
	} {
		doc, errs := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules())
		if errs != nil {
			t.Fatal(errs)
		}
		if got := weigh(doc.Operations[0], nil).due(); got != want {
			t.Errorf("%s costs %d, want %d", query, got, want)
		}
	}
	doc, errs := gqlparser.LoadQueryWithRules(schema, introspection.Query, rules.NewDefaultRules())
	if errs != nil {
		t.Fatal(errs)
	}
	if got := weigh(doc.Operations[0], nil).due(); got > 100_000 {
		t.Errorf("what a playground asks when it opens costs %d", got)
	}
}

func TestLimits_QueriesThatTakeLongToValidate(t *testing.T) {
	schema := NewExecutableSchema(Config{}).Schema()
	each := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i, i+1)
		}
		return b.String()
	}
	chain := func(n int) string {
		return "{ viewer { ...f0 } }" + each(n, " fragment f%d on Viewer { ...f%d }") + fmt.Sprintf(" fragment f%d on Viewer { name }", n)
	}
	siblings := func(n int, fields string) string {
		return "{ alerts { nodes {" + each(n, " ...f%[1]d") + " } } }" + each(n, " fragment f%[1]d on Alert { "+fields+" }")
	}
	creating := each(100, ` a%[1]d: createAlert(input: {type: "t", message: "m", details: {a: {b: [1, 2, 3]}}}) { id type severity message createdAt isResolved }`)
	for _, c := range []struct {
		name, query string
		refused     bool
	}{
		{"an ordinary one", "{ alerts(first: 5) { nodes { ...a } } a: alert(id: 1) { ...a } } fragment a on Alert { id type deliveries { id status } }", false},
		{"a hundred aliases", "mutation {" + creating + "}", false},
		{"a thousand alerts", `mutation { createAlerts(inputs: [` + strings.Repeat(`{type: "t", severity: HIGH, message: "m", notify: false} `, 1000) + `]) { id } }`, false},
		{"what a playground asks", introspection.Query, false},
		{"one field", "{ viewer {" + strings.Repeat(" name", 12_000) + " } }", true},
		{"one field by an alias", "{ viewer {" + strings.Repeat(" a: name", 12_000) + " } }", true},
		{"one field in fragments", "{ viewer {" + strings.Repeat(" ... on Viewer { name }", 6_000) + " } }", true},
		{"one field behind arguments", "{" + strings.Repeat(` alert(id: 1) { id }`, 5_000) + " }", true},
		{"many arguments", "{" + strings.Repeat(` alert(`+strings.Repeat("id: 1 ", 500)+`) { id }`, 10) + " }", true},
		{"one field within one field", "{" + strings.Repeat(" viewer { name }", 5_000) + " }", true},
		{"fragments beside each other", siblings(900, "id"), true},
		{"fragments with the same fields", siblings(100, "id type message deliveries { id alert { id type message deliveries { id } } } "+strings.Repeat("severity ", 10)), true},
		{"fragments in a row", chain(9_000), true},
		{"fragments in a circle", strings.Replace(chain(9_000), "{ name }", "{ ...f0 }", 1), true},
		{"many operations", strings.Repeat("query a { ...f } ", 4_000) + "fragment f on Query { viewer { name } }", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := testkit.Computed(t)
			found := read(c.query)
			if found.tokens > maxQueryTokens || (found.steps > maxQuerySteps) != c.refused {
				t.Fatalf("%+v, want refused: %v", found, c.refused)
			}
			if !c.refused { // what is let through must not take long
				if _, errs := gqlparser.LoadQueryWithRules(schema, c.query, rules.NewDefaultRules()); errs != nil {
					t.Fatal(errs)
				}
			}
			if took := testkit.Computed(t) - start; took > 10*time.Second { // as above
				t.Errorf("took %v", took)
			}
		})
	}
	for _, query := range []string{"", "}", ")", "{{{{", "((((", "...on", "{ ... on", "\x00", `"`, "{ a(b: [}]) { c } }", strings.Repeat("{a", 50_000), strings.Repeat("}", 90_000)} {
		read(query) // does not panic
	}
}
