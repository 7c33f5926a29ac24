package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/rustbucket/alerts/graph/scalar"
	"github.com/rustbucket/alerts/models"
)

// gqlgen reads all arguments of type ID into one Go type, which is that of the server's own ids, a number. Those with the
// directive @text are texts: the directive checks them where they are read, and the resolver takes them from textArgument.

// text is the directive @text. It gives a number that means nothing in place of the text.
func text(ctx context.Context, arguments any, _ graphql.Resolver) (any, error) {
	raw, _ := arguments.(map[string]any)
	name := *graphql.GetPathContext(ctx).Field
	id, err := scalar.UnmarshalName(raw[name])
	if err != nil {
		return nil, err
	}
	return int64(0), models.ValidText("", id, models.MaxName)
}

// textArgument gives the argument of this name, which has the directive @text, of the field that is being resolved.
func textArgument(ctx context.Context, name string) (string, error) {
	given := graphql.GetFieldContext(ctx).Field.ArgumentMap(graphql.GetOperationContext(ctx).Variables)
	return scalar.UnmarshalName(given[name])
}
