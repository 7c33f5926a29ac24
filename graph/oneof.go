package graph

import (
	"context"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/rustbucket/alerts/models"
)

// oneOf makes sure that an input marked @oneOf has exactly one key, and that it is not null. The library checks neither
// literals nor variables: here stands the one check for both.
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
	return o.selections(oc.Operation.SelectionSet, oc.Variables)
}

func (o *oneOf) selections(set ast.SelectionSet, vars map[string]any) *gqlerror.Error {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			for _, a := range s.Arguments {
				if err := o.literal(a.Value, a.Name, vars); err != nil {
					return err
				}
			}
			if err := o.selections(s.SelectionSet, vars); err != nil {
				return err
			}
		case *ast.InlineFragment:
			if err := o.selections(s.SelectionSet, vars); err != nil {
				return err
			}
		case *ast.FragmentSpread:
			if s.Definition != nil {
				if err := o.selections(s.Definition.SelectionSet, vars); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// literal checks what stands in the document itself.
func (o *oneOf) literal(v *ast.Value, path string, vars map[string]any) *gqlerror.Error {
	if v.Kind == ast.Variable || v.Kind != ast.ListValue && (v.Definition == nil || !o.inside[v.Definition.Name]) {
		return nil
	}
	for i, child := range v.Children {
		name := child.Name
		if v.Kind == ast.ListValue {
			name = strconv.Itoa(i)
		}
		if err := o.literal(child.Value, path+"."+name, vars); err != nil {
			return err
		}
	}
	if v.Kind != ast.ObjectValue || !isOneOf(v.Definition) {
		return nil
	}
	null := false
	for _, child := range v.Children {
		null = null || child.Value.Kind == ast.NullValue
		if child.Value.Kind == ast.Variable && vars[child.Value.Raw] == nil {
			return badUserInput(path, v.Definition, 0)
		}
	}
	if len(v.Children) == 1 && !null {
		return nil
	}
	err := gqlerror.ErrorPosf(v.Position, "%s: %s", path, needsOne(v.Definition, len(v.Children)))
	errcode.Set(err, errcode.ValidationFailed)
	return err
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
	names := ""
	for i, f := range def.Fields {
		if i > 0 {
			names += ", "
		}
		names += f.Name
	}
	return "give exactly one of " + names + ", and not null; " + strconv.Itoa(given) + " given"
}

func badUserInput(path string, def *ast.Definition, given int) *gqlerror.Error {
	return &gqlerror.Error{Message: path + ": " + needsOne(def, given), Extensions: map[string]any{"code": string(models.BadUserInput), "field": path}}
}
