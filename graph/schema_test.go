package graph

import (
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
)

func TestSchema_EverythingIsDescribed(t *testing.T) {
	schema := NewExecutableSchema(Config{}).Schema()
	described := 0
	missing := func(what, description string) {
		if described++; strings.TrimSpace(description) == "" {
			t.Errorf("%s has no description", what)
		}
	}
	for name, def := range schema.Types {
		if def.BuiltIn || strings.HasPrefix(name, "__") {
			continue
		}
		if def.Kind != ast.Object || (name != "Query" && name != "Mutation" && name != "Subscription") {
			missing(name, def.Description)
		}
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			missing(name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				missing(name+"."+f.Name+"("+a.Name+")", a.Description)
			}
		}
		for _, v := range def.EnumValues {
			missing(name+"."+v.Name, v.Description)
		}
	}
	if described < 200 {
		t.Errorf("only %d descriptions were looked at", described)
	}
}

func TestSchema_EveryOperationNamesItsRoles(t *testing.T) {
	schema := NewExecutableSchema(Config{}).Schema()
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		for _, f := range root.Fields {
			if !strings.HasPrefix(f.Name, "__") && f.Directives.ForName("hasRole") == nil {
				t.Errorf("%s.%s has no @hasRole", root.Name, f.Name)
			}
		}
	}
}

func TestCursor_MeansNothingElsewhere(t *testing.T) {
	for _, cursor := range []string{"", "x", "!!!", "YTpmZmY6LTE", "YTpmZmY6MDE", "YTpmZmY6OTk5OTk5OTk5OTk5OTk5OTk5OTk5"} {
		if n, err := parseNumber("a", "fff", cursor); err == nil {
			t.Errorf("%q was read as %d", cursor, n)
		}
	}
	for _, n := range []int64{0, 1, 1 << 60} {
		c := encodeCursor("a", "fff", strconv.FormatInt(n, 10))
		if got, err := parseNumber("a", "fff", c); err != nil || got != n {
			t.Errorf("%d came back as %d, %v", n, got, err)
		}
		if _, err := parseNumber("d", "fff", c); err == nil {
			t.Errorf("a cursor of another list was read")
		}
		if _, err := parseNumber("a", "ffe", c); err == nil {
			t.Errorf("a cursor of another database was read")
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("YTpmZmY6NQ")
	f.Fuzz(func(t *testing.T, cursor string) {
		if n, err := parseNumber("a", "fff", cursor); err == nil && encodeCursor("a", "fff", strconv.FormatInt(n, 10)) != cursor {
			t.Errorf("%q and %q both mean %d", cursor, encodeCursor("a", "fff", strconv.FormatInt(n, 10)), n)
		}
	})
}
