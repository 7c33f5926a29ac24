package graph

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/models"
)

// What is kept of answers to events. Who comes later than that makes its own.
const (
	keepAnswers     = time.Second
	keepAnswerBytes = 16 << 20
)

// maxSubscription is how many bytes the text and the variables of a subscription may have: they are kept as long as it is open.
const maxSubscription = 16 << 10

// answers keeps what subscriptions have answered to events, for the others that ask the same thing with the same rights: of a
// thousand of them one makes up the answer to an event, and the rest take it. Each has its own position all the same, waits
// for nobody who is slow, and ends alone.
type answers struct {
	mu     sync.Mutex
	groups map[[sha256.Size]byte]*group // by what they ask, and as who
	kept   map[question]*shared
	queue  []question // of those that are made up, oldest first
	bytes  int
}

// group is subscriptions whose answers to an event are the same.
type group struct{ members int }

type question struct {
	group    *group
	position int64 // of the event
}

// shared is an answer that is being made up, or is there.
type shared struct {
	done     chan struct{}
	response *graphql.Response // nil after done: whoever was at it has left
	at       time.Time
}

func newAnswers() *answers {
	return &answers{groups: make(map[[sha256.Size]byte]*group), kept: make(map[question]*shared)}
}

// join finds the group of a subscription. It is left when ctx ends.
func (a *answers) join(ctx context.Context, key [sha256.Size]byte) *group {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.groups[key]
	if g == nil {
		g = new(group)
		a.groups[key] = g
	}
	g.members++
	context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if g.members--; g.members == 0 {
			delete(a.groups, key)
		}
	})
	return g
}

// get gives the answer to an event, made up by the first who asks. It is nil when ctx ends, or makeUp has none.
func (a *answers) get(ctx context.Context, q question, makeUp func() *graphql.Response) *graphql.Response {
	for {
		a.mu.Lock()
		if q.group.members == 1 {
			a.mu.Unlock()
			return makeUp()
		}
		a.forget()
		s := a.kept[q]
		if s == nil {
			s = &shared{done: make(chan struct{})}
			a.kept[q] = s
			a.mu.Unlock()
			return a.first(ctx, q, s, makeUp)
		}
		a.mu.Unlock()
		select {
		case <-s.done:
		case <-ctx.Done():
			return nil
		}
		if s.response != nil {
			return s.response
		}
	}
}

// first makes up an answer that others may be waiting for. When the caller has left meanwhile, what came out is not for them.
func (a *answers) first(ctx context.Context, q question, s *shared, makeUp func() *graphql.Response) (made *graphql.Response) {
	defer func() { // also when it panics
		a.mu.Lock()
		defer a.mu.Unlock()
		if made == nil || ctx.Err() != nil {
			delete(a.kept, q)
		} else {
			whole := *made
			whole.Data = slices.Clone(made.Data) // gqlgen writes the next answer over it
			s.response, s.at = &whole, time.Now()
			a.queue = append(a.queue, q)
			a.bytes += sizeOfAnswer(&whole)
		}
		a.forget()
		close(s.done)
	}()
	return makeUp()
}

// forget drops what is old, and the oldest of what is too much. a.mu is held.
func (a *answers) forget() {
	for len(a.queue) > 0 {
		q := a.queue[0]
		s := a.kept[q]
		if a.bytes <= keepAnswerBytes && time.Since(s.at) <= keepAnswers {
			return
		}
		a.bytes -= sizeOfAnswer(s.response)
		delete(a.kept, q)
		a.queue = a.queue[1:]
	}
}

// sizeOfAnswer is roughly what an answer takes in memory.
func sizeOfAnswer(r *graphql.Response) int { return 512 + len(r.Data) + 256*len(r.Errors) }

// subscription is one that is under way.
type subscription struct {
	group *group
	// next waits for the next event that is wanted, and gives its position and a way to hand it to gqlgen, which makes up the
	// answer. ok is false at the end. Nil when the operation is no subscription, or was refused.
	next func(context.Context) (position int64, hand func(), ok bool)
}

type subscriptionKey struct{}

// subscribed prepares subscriptions, and refuses one that came by a request which can carry one answer only.
func (r *Resolver) subscribed(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	if op.Operation.Operation != ast.Subscription {
		return next(ctx)
	}
	if ctx.Value(visitKey{}) == nil {
		return graphql.OneShot(&graphql.Response{Errors: gqlerror.List{refusal(models.BadUserInput, subscriptionByPost)}})
	}
	if len(graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Subscription"})) != 1 {
		return graphql.OneShot(&graphql.Response{Errors: gqlerror.List{refusal(models.BadUserInput, subscriptionOfNone)}})
	}
	viewer := access.ViewerFrom(ctx)
	key, err := asked(op, viewer.Role)
	if err != nil {
		return graphql.OneShot(&graphql.Response{Errors: gqlerror.List{refusal(models.BadUserInput, err.Error())}})
	}
	if !r.stay(ctx, viewer.Name) {
		return graphql.OneShot(&graphql.Response{Errors: gqlerror.List{refusal(models.Overloaded, "too many subscriptions are open with this token, or from this address: end some, or come back later")}})
	}
	// What is answered may be another's answer as well, so it must not know more of the caller than the role.
	ctx = access.WithViewer(ctx, &models.Viewer{Role: viewer.Role})
	sub := &subscription{group: r.answers.join(ctx, key)}
	return next(context.WithValue(ctx, subscriptionKey{}, sub))
}

// stay takes a place for a subscription, which is left when ctx ends.
func (r *Resolver) stay(ctx context.Context, viewer string) bool {
	leave, ok := r.subscriptions.EnterFrom(ctx)
	if !ok {
		return false
	}
	leaveAs, ok := r.subscriptions.EnterAs(viewer)
	if !ok {
		leave()
		return false
	}
	context.AfterFunc(ctx, func() { leave(); leaveAs() })
	return true
}

// asked is the same for operations that are answered the same.
func asked(op *graphql.OperationContext, as models.Role) ([sha256.Size]byte, error) {
	variables := op.Variables
	if name := placeVariable(op); name != "" { // where it began makes no difference to the answers
		variables = maps.Clone(variables)
		delete(variables, name)
	}
	all, err := json.Marshal([]any{as, op.OperationName, op.RawQuery, variables})
	if err == nil && len(all) > maxSubscription {
		err = fmt.Errorf("a subscription, with its variables, may have %d KB at most", maxSubscription>>10)
	}
	return sha256.Sum256(all), err
}

// placeVariable is the variable that a feed's `after` comes in, when it is used for nothing else.
func placeVariable(op *graphql.OperationContext) string {
	field, ok := op.Operation.SelectionSet[0].(*ast.Field)
	if !ok || field.Name != "feed" {
		return ""
	}
	after := field.Arguments.ForName("after")
	if after == nil || after.Value.Kind != ast.Variable {
		return ""
	}
	uses, dollar := 0, false
	for tokens := lexer.New(&ast.Source{Input: op.RawQuery}); ; {
		token, err := tokens.ReadToken()
		if err != nil || token.Kind == lexer.EOF {
			break
		}
		if dollar && token.Value == after.Value.Raw {
			uses++
		}
		dollar = token.Kind == lexer.Dollar
	}
	if uses > 2 { // where it is defined, and here
		return ""
	}
	return after.Value.Raw
}

// answered makes the answers of subscriptions.
func (r *Resolver) answered(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	sub, ok := ctx.Value(subscriptionKey{}).(*subscription)
	if !ok || sub.next == nil {
		return next(ctx)
	}
	position, hand, ok := sub.next(ctx)
	if !ok {
		return nil
	}
	return r.answers.get(ctx, question{sub.group, position}, func() *graphql.Response {
		hand()
		return next(ctx)
	})
}
