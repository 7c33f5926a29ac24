package graph

import (
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/rustbucket/alerts/models"
)

func TestFewFaults(t *testing.T) {
	exec := executor.New(NewExecutableSchema(Config{}))
	exec.AroundResponses(fewFaults)
	for name, c := range map[string]struct {
		query string
		shown int
		last  string
	}{
		"one":          {"{ viewer { none } }", 1, `"name" or "role"?`},
		"just so many": {"{ viewer {" + strings.Repeat(" none", maxFaults) + " } }", maxFaults, `"name" or "role"?`},
		"many":         {"{ viewer {" + strings.Repeat(" none", 500) + " } }", maxFaults + 1, "480 more faults are not shown"},
		"a long one":   {"{ viewer { " + strings.Repeat("none", 10_000) + " } }", 1, "…"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := graphql.StartOperationTrace(t.Context())
			op, errs := exec.CreateOperationContext(ctx, &graphql.RawParams{Query: c.query})
			shown := exec.DispatchError(graphql.WithOperationContext(ctx, op), errs)
			size := 0
			for _, e := range shown.Errors {
				size += len(e.Message)
			}
			if n := len(shown.Errors); n != c.shown || !strings.HasSuffix(shown.Errors[n-1].Message, c.last) || size > maxFaults*maxFaultText {
				t.Errorf("%d errors, the last is %q", n, shown.Errors[n-1].Message)
			}
		})
	}
	t.Run("those of fields stay", func(t *testing.T) {
		errs := make(gqlerror.List, 500)
		for i := range errs {
			errs[i] = refusal(models.Internal, "something went wrong")
		}
		got := fewFaults(t.Context(), graphql.OneShot(&graphql.Response{Data: []byte("null"), Errors: errs}))
		if len(got.Errors) != len(errs) {
			t.Errorf("%d errors of %d", len(got.Errors), len(errs))
		}
	})
}
