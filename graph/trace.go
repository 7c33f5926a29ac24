package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/rustbucket/alerts/tracing"
)

// traced makes a span of each operation. That of a subscription ends when the stream is set up, not with the stream.
func traced(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx).Operation
	ctx, end := tracing.StartOperation(ctx, string(op.Operation), firstField(op), op.Name)
	responses := next(ctx)
	if op.Operation == ast.Subscription {
		end(nil)
		return responses
	}
	return func(ctx context.Context) *graphql.Response {
		response := responses(ctx)
		if response == nil { // the caller has left, or a socket asks whether there is more
			end(nil)
			return nil
		}
		var codes []string
		for _, e := range response.Errors {
			code, _ := e.Extensions["code"].(string)
			codes = append(codes, code)
		}
		end(codes)
		return response
	}
}

// firstField is the name that the schema gives the first field of an operation, or "" when that is a fragment's.
func firstField(op *ast.OperationDefinition) string {
	for _, s := range op.SelectionSet {
		if f, ok := s.(*ast.Field); ok {
			return f.Name
		}
	}
	return ""
}
