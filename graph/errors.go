package graph

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// presentError shows an error to the caller: the caller's own mistake as it is, with its code and field; anything else as
// an incident whose cause stands in the log alone.
func presentError(ctx context.Context, err error, log *slog.Logger) *gqlerror.Error {
	var own *models.Error
	if errors.As(err, &own) {
		shown := graphql.DefaultErrorPresenter(ctx, err)
		field := own.Field
		if field == "" && own.Code == models.BadUserInput {
			field = argumentPath(ctx, shown.Path)
		}
		return withCode(shown, own.Code, field, own.Message)
	}
	var parsed *gqlerror.Error
	if errors.As(err, &parsed) {
		switch code, _ := parsed.Extensions["code"].(string); {
		case code == errcode.ValidationFailed && len(parsed.Path) > 1 && parsed.Path[0] == ast.PathName("variable"):
			field := variableField(ctx, parsed.Path[1:])
			return withCode(&gqlerror.Error{Locations: parsed.Locations}, models.BadUserInput, field, parsed.Message)
		case code != "":
			return parsed
		case inArguments(ctx):
			field := argumentPath(ctx, parsed.Path)
			return withCode(parsed, models.BadUserInput, field, parsed.Message)
		case parsed.Unwrap() == nil: // made by gqlgen or gqlparser themselves, such as a null where there must be none
			return withCode(parsed, models.Internal, "", parsed.Message)
		}
	}
	shown := graphql.DefaultErrorPresenter(ctx, err)
	if ctx.Err() != nil {
		return withCode(shown, models.Internal, "", "the call was cancelled or took too long")
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails, as its documentation says
	incident := hex.EncodeToString(b[:])
	log.Error("a call failed", "incident", incident, "path", shown.Path.String(), "error", err)
	message := "something went wrong in the server; its log tells of incident " + incident
	for _, known := range []error{store.ErrReadOnly, store.ErrFull} {
		if errors.Is(err, known) {
			message = fmt.Sprintf("nothing was stored: %v (incident %s)", known, incident)
		}
	}
	return withCode(shown, models.Internal, "", message)
}

func withCode(e *gqlerror.Error, code models.ErrorCode, field, message string) *gqlerror.Error {
	shown := &gqlerror.Error{Message: message, Path: e.Path, Locations: e.Locations, Extensions: map[string]any{"code": string(code)}}
	if field != "" {
		shown.Extensions["field"] = field
		shown.Message = field + ": " + message
	}
	return shown
}

// asGraphQL gives err as an error that a transport can send.
func asGraphQL(err error) *gqlerror.Error {
	var e *gqlerror.Error
	if errors.As(err, &e) {
		return e
	}
	return gqlerror.Wrap(err)
}

// What an answer says of a request at fault. A query of 180 KB can hold so many faults that to name them all takes 9 MB.
const (
	maxFaults    = 20
	maxFaultText = 1000 // bytes
)

// fewFaults keeps the answer to a request that was not carried out to its first faults. The errors of one that was carried out belong
// to fields, and stay.
func fewFaults(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	found := next(ctx)
	if found == nil || found.Data != nil {
		return found
	}
	shown := *found
	shown.Errors = slices.Clone(found.Errors[:min(len(found.Errors), maxFaults)])
	for i, fault := range shown.Errors {
		if len(fault.Message) > maxFaultText {
			short := *fault
			short.Message = strings.ToValidUTF8(fault.Message[:maxFaultText], "") + "…"
			shown.Errors[i] = &short
		}
	}
	if left := len(found.Errors) - maxFaults; left > 0 {
		shown.Errors = append(shown.Errors, &gqlerror.Error{Message: fmt.Sprintf("%d more faults are not shown", left), Extensions: found.Errors[0].Extensions})
	}
	return &shown
}

// inArguments reports whether the error came up while a field's arguments were read, before its resolver was called.
func inArguments(ctx context.Context) bool {
	fc := graphql.GetFieldContext(ctx)
	return fc != nil && fc.Args == nil && fc.Field.Field != nil && len(fc.Field.Arguments) > 0
}

// argumentPath is the part of an error's path behind the field: the path of the input at fault, such as "input.severity".
func argumentPath(ctx context.Context, path ast.Path) string {
	at := 0
	if fc := graphql.GetFieldContext(ctx); fc != nil {
		at = len(fc.Path())
	}
	if at >= len(path) {
		return ""
	}
	return joinPath(path[at:])
}

// variableField turns the path of a variable into that of the argument that it is given to: $in.severity is input.severity
// to whoever reads the schema.
func variableField(ctx context.Context, path ast.Path) string {
	field := joinPath(path)
	name, rest, _ := strings.Cut(field, ".")
	op := graphql.GetOperationContext(ctx).Operation
	if op == nil {
		return field
	}
	for _, selection := range op.SelectionSet {
		f, ok := selection.(*ast.Field)
		if !ok {
			continue
		}
		for _, arg := range f.Arguments {
			if arg.Value.Kind == ast.Variable && arg.Value.Raw == name {
				return strings.TrimSuffix(arg.Name+"."+rest, ".")
			}
		}
	}
	return field
}

func joinPath(path ast.Path) string {
	parts := make([]string, len(path))
	for i, p := range path {
		switch p := p.(type) {
		case ast.PathName:
			parts[i] = string(p)
		case ast.PathIndex:
			parts[i] = strconv.Itoa(int(p))
		}
	}
	return strings.Join(parts, ".")
}
