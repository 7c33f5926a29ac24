package graph

import (
	"context"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// oneOf makes sure that an input marked @oneOf has exactly one key, and that it is not null, when it comes in a variable.
// The library checks literals and lets variables through with two keys or none.
// https://spec.graphql.org/September2025/#sec-OneOf-Input-Objects
type oneOf struct {
	schema *ast.Schema
	inside map[string]bool // input types that are, or hold, a oneOf
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
} = (*oneOf)(nil)

// ExtensionName names the extension.
func (*oneOf) ExtensionName() string { return "OneOf" }

// Validate finds the input types that need looking at.
func (o *oneOf) Validate(s graphql.ExecutableSchema) error {
	o.schema = s.Schema()
	o.inside = make(map[string]bool)
	for again := true; again; {
		again = false
		for name, def := range o.schema.Types {
			if def.Kind != ast.InputObject || o.inside[name] {
				continue
			}
			found := isOneOf(def)
			for _, f := range def.Fields {
				found = found || o.inside[f.Type.Name()]
			}
			if found {
				o.inside[name], again = true, true
			}
		}
	}
	return nil
}

// MutateOperationContext checks an operation; it changes nothing.
func (o *oneOf) MutateOperationContext(_ context.Context, oc *graphql.OperationContext) *gqlerror.Error {
	for _, v := range oc.Operation.VariableDefinitions {
		if o.inside[v.Type.Name()] {
			if err := o.value(v.Type, oc.Variables[v.Variable], ast.Path{ast.PathName("variable"), ast.PathName(v.Variable)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// value checks what came in a variable.
func (o *oneOf) value(t *ast.Type, v any, path ast.Path) *gqlerror.Error {
	if t.Elem != nil {
		list, _ := v.([]any)
		for i, item := range list {
			if err := o.value(t.Elem, item, append(path, ast.PathIndex(i))); err != nil {
				return err
			}
		}
		return nil
	}
	object, ok := v.(map[string]any)
	def := o.schema.Types[t.NamedType]
	if !ok || def == nil || !o.inside[def.Name] {
		return nil
	}
	given := 0
	for _, f := range def.Fields {
		value, ok := object[f.Name]
		if !ok {
			continue
		}
		if given++; value == nil && isOneOf(def) {
			given = -len(def.Fields) // a null is as wrong as none
		}
		if err := o.value(f.Type, value, append(path, ast.PathName(f.Name))); err != nil {
			return err
		}
	}
	if isOneOf(def) && given != 1 {
		// In the shape of the library's own errors about variables, so that the field is named in the same way.
		err := gqlerror.ErrorPathf(append(ast.Path{}, path...), "%s", needsOne(def, max(0, given)))
		errcode.Set(err, errcode.ValidationFailed)
		return err
	}
	return nil
}

func isOneOf(def *ast.Definition) bool { return def.Directives.ForName("oneOf") != nil }

func needsOne(def *ast.Definition, given int) string {
	names := make([]string, len(def.Fields))
	for i, f := range def.Fields {
		names[i] = f.Name
	}
	return fmt.Sprintf("give exactly one of %s, and not null; %d given", strings.Join(names, ", "), given)
}
