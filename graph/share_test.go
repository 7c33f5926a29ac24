package graph

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

func TestAnswers_AreMadeUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose clock stands still: no answer is too old
		a := newAnswers()
		key := sha256.Sum256([]byte("the same"))
		var made atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			group := a.join(t.Context(), key)
			wg.Go(func() {
				for position := range int64(100) {
					got := a.get(t.Context(), question{group, position}, func() *graphql.Response {
						made.Add(1)
						return &graphql.Response{Data: fmt.Append(nil, position)}
					})
					if string(got.Data) != fmt.Sprint(position) {
						t.Errorf("event %d is answered with %s", position, got.Data)
					}
				}
			})
		}
		wg.Wait()
		if n := made.Load(); n < 100 || n > 200 { // the first begins alone
			t.Errorf("%d answers were made up, want about 100", n)
		}
		other := a.join(t.Context(), sha256.Sum256([]byte("another")))
		a.join(t.Context(), sha256.Sum256([]byte("another")))
		got := a.get(t.Context(), question{other, 1}, func() *graphql.Response { return &graphql.Response{Data: []byte(`"another"`)} })
		if string(got.Data) != `"another"` {
			t.Errorf("another question is answered with %s", got.Data)
		}
	})
}

func TestAnswers_OneWhoLeavesTakesNothingAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAnswers()
		key := sha256.Sum256(nil)
		leaving, leave := context.WithCancel(t.Context())
		first, second := a.join(leaving, key), a.join(t.Context(), key)
		made := ""
		go a.get(leaving, question{first, 7}, func() *graphql.Response {
			<-leaving.Done()
			return &graphql.Response{Data: []byte("cut short")}
		})
		synctest.Wait()
		go func() {
			made = string(a.get(t.Context(), question{second, 7}, func() *graphql.Response { return &graphql.Response{Data: []byte("whole")} }).Data)
		}()
		impatient, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if r := a.get(impatient, question{second, 7}, func() *graphql.Response { return nil }); r != nil {
			t.Errorf("one whose time is over gets %s", r.Data)
		}
		leave()
		synctest.Wait()
		if made != "whole" || first != second || second.members != 1 {
			t.Errorf("the other gets %q, in a group of %d", made, second.members)
		}
	})
}

func TestAnswers_AreKeptForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAnswers()
		group := a.join(t.Context(), sha256.Sum256(nil))
		a.join(t.Context(), sha256.Sum256(nil))
		made, data := 0, bytes.Repeat([]byte("x"), keepAnswerBytes/10)
		ask := func(position int64) {
			a.get(t.Context(), question{group, position}, func() *graphql.Response { made++; return &graphql.Response{Data: data} })
		}
		ask(1)
		ask(1)
		time.Sleep(keepAnswers + 1)
		ask(1)
		if made != 2 {
			t.Errorf("made up %d times, want once and anew after a while", made)
		}
		for position := range int64(100) {
			ask(position)
		}
		if len(a.kept) > 10 || len(a.queue) != len(a.kept) || a.bytes > keepAnswerBytes {
			t.Errorf("%d answers of %d bytes are kept, %d in the queue", len(a.kept), a.bytes, len(a.queue))
		}
	})
}

func TestAsked_IsTheSameForWhoIsAnsweredTheSame(t *testing.T) {
	schema := NewExecutableSchema(Config{}).Schema()
	of := func(query, variables string, role models.Role) [sha256.Size]byte {
		doc, errs := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules())
		if errs != nil {
			t.Fatal(errs)
		}
		op := &graphql.OperationContext{RawQuery: query, Operation: doc.Operations[0], Variables: map[string]any{}}
		if err := json.Unmarshal([]byte(variables), &op.Variables); err != nil {
			t.Fatal(err)
		}
		key, err := asked(op, role)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	const feed = `subscription ($a: String, $f: FeedFilter) { feed(after: $a, filter: $f) { cursor } }`
	const twice = `subscription ($ a: String!) { feed(after: $a, filter: {types: [$a]}) { cursor } }`
	for _, c := range []struct {
		name, query, one, other string
		role                    models.Role
		same                    bool
	}{
		{name: "the same", query: feed, one: `{"a": "x", "f": {"types": ["t"], "channelIds": []}}`, other: `{"f": {"channelIds": [], "types": ["t"]}, "a": "x"}`, role: models.Analyst, same: true},
		{name: "begun elsewhere", query: feed, one: `{"a": "x", "f": null}`, other: `{"a": null, "f": null}`, role: models.Analyst, same: true},
		{name: "another filter", query: feed, one: `{"f": {"types": ["t"]}}`, other: `{"f": {"types": ["u"]}}`, role: models.Analyst},
		{name: "another role", query: feed, one: `{}`, other: `{}`, role: models.Admin},
		{name: "a place that is a filter, too", query: twice, one: `{"a": "x"}`, other: `{"a": "y"}`, role: models.Analyst},
	} {
		if same := of(c.query, c.one, models.Analyst) == of(c.query, c.other, c.role); same != c.same {
			t.Errorf("%s: taken for the same: %v", c.name, same)
		}
	}
	if of(`subscription { alertCreated { id } }`, `{}`, models.Analyst) == of(`subscription { alertCreated { type } }`, `{}`, models.Analyst) {
		t.Error("two queries are taken for the same")
	}
}

func TestResolver_SubscriptionsOfATokenAreBounded(t *testing.T) {
	r := &Resolver{subscriptions: access.NewSubscriptionCrowd()}
	address := func(last byte) context.Context {
		return access.WithAddress(t.Context(), netip.AddrFrom4([4]byte{192, 0, 2, last}))
	}
	first, end := context.WithCancel(address(1))
	stays := func(ctx context.Context, viewer string) int {
		n := 0
		for r.stay(ctx, viewer) {
			n++
		}
		return n
	}
	if one, two, third := stays(first, "one"), stays(address(1), "two"), stays(address(1), "three"); one != 5000 || two != 5000 || third != 0 {
		t.Errorf("tokens may have %d, %d and, of the same address, %d", one, two, third)
	}
	if n := stays(address(2), "three"); n != 5000 {
		t.Errorf("of another address it is %d", n)
	}
	end()
	testkit.Until(t, "what has ended to be counted no more", func() bool { return r.stay(address(1), "one") })
}
