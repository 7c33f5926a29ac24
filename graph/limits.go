package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
)

// What one operation may ask for. The largest page with everything about its alerts stays below.
const (
	maxDepth     = 16      // fields within each other
	maxCost      = 250_000 // fields that it may answer with, see costOf
	maxRoots     = 100     // fields of a mutation or a query itself, aliases included
	usualInList  = 5       // entries of a list whose length the arguments do not tell
	callCost     = 50      // of a field of a mutation: a transaction, or a message to a service; of any at the top, to the budget
	sameTime     = 256     // comparisons take as long as a field: gqlgen compares the names of all fields that stand beside each other
	textCost     = 16      // bytes of a long query that cost its caller as much as a field
	freeOfAlert  = 50      // fields about an alert that whoever creates it may ask for without spending
	tooMuchAsked = "; ask for less at a time, with a smaller first or fewer fields"
)

// longLists are lists that are longer than others, or shorter, by the type of their entries, or by their place. What is asked of the schema is found out from it
// each time, and takes longer than other answers: a hundred types have four fields on the average, and Query has forty.
var longLists = map[string]int{
	"__Schema.types": 20, "__Type": 2, "__Field": 40, "__InputValue": 2,
	"AlertStatsBucket": models.MaxStatsBuckets, "DeliveryStatsBucket": models.MaxStatsBuckets, "AlertTypeStats": models.MaxAlertTypes,
}

// limits refuses operations that would take too much time and memory to answer, before anything is done for them.
type limits struct {
	metrics *metrics.Metrics
	budget  *access.Budget
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
	graphql.OperationContextMutator
} = limits{}

// ExtensionName names the extension.
func (limits) ExtensionName() string { return "Limits" }

// Validate has nothing to prepare.
func (limits) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters makes the caller spend what the reading of a query costs; it changes nothing.
func (l limits) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
	if ctx.Value(visitKey{}) == nil { // oneAnswer did, before others had to wait for this one
		return nil
	}
	return l.mayRead(ctx, p.Query)
}

// mayRead makes the caller spend what the reading of a query costs, and refuses one that would take too long. The text is paid for
// first, and looked at then. Of too many tokens the parser would make most of a tree before it finds that out.
func (l limits) mayRead(ctx context.Context, query string) *gqlerror.Error {
	if err := l.spend(ctx, reading{}.due(query)); err != nil {
		return err
	}
	found := read(query)
	switch {
	case found.tokens > maxQueryTokens:
		l.metrics.RequestRefused(metrics.RequestQuery)
		err := gqlerror.Errorf("the query has more than %d tokens; put lists of values into variables", maxQueryTokens)
		errcode.Set(err, errcode.ParseFailed)
		return err
	case found.steps > maxQuerySteps:
		l.metrics.RequestRefused(metrics.RequestQuery)
		err := gqlerror.Errorf("the query takes too long to validate: ask for the same field once in each place, and use fewer fragments and operations")
		errcode.Set(err, errcode.ValidationFailed)
		return err
	}
	return l.spend(ctx, found.due(query)-reading{}.due(query))
}

// MutateOperationContext checks an operation, and makes the caller spend what it costs; it changes nothing.
func (l limits) MutateOperationContext(ctx context.Context, oc *graphql.OperationContext) *gqlerror.Error {
	if parsed, ok := ctx.Value(parsedKey{}).(func()); ok {
		parsed()
	}
	all := weigh(oc.Operation, oc.Variables)
	reason, message := tooMuch(all, oc.Operation.Operation)
	if reason == "" {
		return l.spend(ctx, all.due())
	}
	l.metrics.RequestRefused(reason)
	err := gqlerror.Errorf("%s", message)
	errcode.Set(err, errcode.ValidationFailed)
	return err
}

// spend holds the caller up, or refuses it, when it asks for too much in too short a time.
func (l limits) spend(ctx context.Context, cost int) *gqlerror.Error {
	if l.budget.Spend(ctx, cost) {
		return nil
	}
	l.metrics.RequestRefused(metrics.RequestPace)
	return refusal(models.Overloaded, "this token, or this address, has asked for too much in too short a time: nothing was done; ask for less at a time, or again in a while")
}

func weigh(op *ast.OperationDefinition, variables map[string]any) weight {
	w := weigher{variables: variables, fragments: make(map[*ast.FragmentDefinition]weight)}
	return w.set(op.SelectionSet)
}

// tooMuch says which limit an operation breaks, in a word and in words; empty = none.
func tooMuch(all weight, kind ast.Operation) (reason, message string) {
	if kind == ast.Mutation {
		all.cost += callCost * all.roots
	}
	switch {
	case all.roots > maxRoots:
		return metrics.RequestFields, fmt.Sprintf("the operation has %d fields at its top, aliases included; at most %d are allowed", all.roots, maxRoots)
	case all.depth > maxDepth:
		return metrics.RequestDepth, fmt.Sprintf("the operation's fields stand %d deep within each other; at most %d are allowed", all.depth, maxDepth)
	case all.cost > maxCost:
		return metrics.RequestCost, fmt.Sprintf("the operation may answer with some %d fields; at most %d are allowed%s", all.cost, maxCost, tooMuchAsked)
	}
	return "", ""
}

// weight is what a selection set asks for.
type weight struct {
	cost, depth, roots int
	free               int // of the cost, with callCost: what the creating of alerts has limits of its own for
}

// due is what an operation costs its caller.
func (w weight) due() int { return max(0, w.cost+callCost*w.roots-w.free) }

// weigher weighs an operation. What a fragment weighs is found out once: fragments in fragments would take exponential time.
type weigher struct {
	variables map[string]any
	fragments map[*ast.FragmentDefinition]weight
}

func (w *weigher) set(set ast.SelectionSet) (sum weight) {
	for _, selection := range set {
		var one weight
		switch s := selection.(type) {
		case *ast.Field:
			one = w.field(s)
		case *ast.InlineFragment:
			one = w.set(s.SelectionSet)
		case *ast.FragmentSpread:
			one = w.fragment(s.Definition)
		}
		sum.cost = min(sum.cost+one.cost, 1<<40) // further on it makes no difference, and must not turn over
		sum.roots = min(sum.roots+one.roots, 1<<40)
		sum.depth = max(sum.depth, one.depth)
		sum.free = min(sum.free+one.free, 1<<40)
	}
	return sum
}

func (w *weigher) fragment(def *ast.FragmentDefinition) weight {
	if known, ok := w.fragments[def]; ok {
		return known
	}
	weighed := w.set(def.SelectionSet)
	w.fragments[def] = weighed
	return weighed
}

// field weighs a field with all that is below it, as often as its list may have entries.
func (w *weigher) field(f *ast.Field) weight {
	below := w.set(f.SelectionSet)
	times := 1
	if f.Definition != nil {
		times = w.times(f)
	}
	one := weight{cost: 1 + times*(below.cost+below.roots*below.roots/sameTime), depth: below.depth + 1, roots: 1}
	if f.Name == "__schema" || f.Name == "__type" {
		one.depth = 1 // tools ask deep questions about types, whose answers are short
	}
	if f.Name == "createAlert" || f.Name == "createAlerts" {
		one.free = callCost + min(one.cost, 1+times*freeOfAlert)
	}
	return one
}

// times is how many entries a field may answer with.
func (w *weigher) times(f *ast.Field) int {
	for _, name := range []string{"first", "ids", "inputs"} {
		def := f.Definition.Arguments.ForName(name)
		if def == nil {
			continue
		}
		value, given := any(nil), false
		if arg := f.Arguments.ForName(name); arg != nil {
			v, err := arg.Value.Value(w.variables)
			value, given = v, err == nil
		}
		if !given && def.DefaultValue != nil {
			value, _ = def.DefaultValue.Value(nil)
		}
		switch v := value.(type) {
		case []any:
			return len(v)
		case int64:
			return int(min(max(v, 0), maxPage))
		case json.Number:
			n, _ := strconv.Atoi(v.String())
			return min(max(n, 0), maxPage)
		}
	}
	if f.Definition.Type.Elem == nil {
		return 1
	}
	for _, list := range []string{f.ObjectDefinition.Name + "." + f.Name, f.Definition.Type.Name()} {
		if known, ok := longLists[list]; ok {
			return known
		}
	}
	if f.Name != "nodes" && f.Name != "edges" { // their connection was counted
		return usualInList
	}
	return 1
}
