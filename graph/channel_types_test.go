package graph

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/rustbucket/alerts/models"
)

// What a type says of itself is what its input in the schema takes, and what its config masks: a form that is drawn from it
// can be trusted.
func TestSchema_ChannelTypesDescribeTheirInputs(t *testing.T) {
	schema := NewExecutableSchema(Config{}).Schema()
	inputs := schema.Types["ChannelConfigInput"].Fields
	if len(inputs) != len(models.TypeInfos()) || len(schema.Types["ChannelType"].EnumValues) != len(inputs) || len(schema.Types["ChannelConfig"].Types) != len(inputs) {
		t.Errorf("%d inputs, %d types described", len(inputs), len(models.TypeInfos()))
	}
	for _, info := range models.TypeInfos() {
		input := inputs.ForName(strings.ToLower(string(info.Type)))
		if input == nil {
			t.Errorf("%s has no input", info.Type)
			continue
		}
		def := schema.Types[input.Type.Name()]
		var want, got, shown []string
		for _, f := range def.Fields {
			want = append(want, f.Name)
		}
		for _, f := range schema.Types[strings.TrimSuffix(def.Name, "Input")].Fields {
			shown = append(shown, f.Name)
		}
		for _, f := range info.Fields {
			got = append(got, f.Name)
			field := def.Fields.ForName(f.Name)
			if field == nil {
				continue
			}
			if f.Required != field.Type.NonNull {
				t.Errorf("%s.%s: required is %v, the type is %s", def.Name, f.Name, f.Required, field.Type)
			}
			if kind := kindOf(field.Type); f.Kind != kind && (f.Kind != models.FieldLongText || kind != models.FieldText) {
				t.Errorf("%s.%s: kind %s, the type is %s", def.Name, f.Name, f.Kind, field.Type)
			}
			if hides := masks(t, info, f); hides != f.Secret {
				t.Errorf("%s.%s: secret is %v, but masked is %v", def.Name, f.Name, f.Secret, hides)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		slices.Sort(shown)
		if !slices.Equal(want, got) || !slices.Equal(want, shown) {
			t.Errorf("%s takes %v, %v are described and %v are shown", def.Name, want, got, shown)
		}
	}
}

func TestChannelConfigInput_EveryTypeIsRead(t *testing.T) {
	fields := reflect.TypeFor[ChannelConfigInput]()
	for i := range fields.NumField() {
		in := new(ChannelConfigInput)
		config := reflect.New(fields.Field(i).Type.Elem())
		reflect.ValueOf(in).Elem().Field(i).Set(config)
		if given := in.given(); len(given) != 1 || given[0] != config.Interface() {
			t.Errorf("%s: %v", fields.Field(i).Name, given)
		}
	}
}

func kindOf(t *ast.Type) models.FieldKind {
	switch {
	case t.Elem != nil:
		return models.FieldList
	case t.NamedType == "StringMap":
		return models.FieldMap
	}
	return models.FieldText
}

// masks reports whether a config with this field set hides what stands in it.
func masks(t *testing.T, info *models.TypeInfo, f models.ConfigField) bool {
	t.Helper()
	const secret = "hunter2"
	var value any = secret
	switch {
	case strings.Contains(strings.ToLower(f.Name), "url"):
		value = "https://example.com/" + secret
	case f.Kind == models.FieldList:
		value = []string{secret}
	case f.Kind == models.FieldMap:
		value = map[string]string{"X-Key": secret}
	}
	given, err := json.Marshal(map[string]any{f.Name: value})
	if err != nil {
		t.Fatal(err)
	}
	config := info.New()
	if err := json.Unmarshal(given, config); err != nil {
		t.Fatalf("%s.%s: %v", info.Type, f.Name, err)
	}
	stored, err := json.Marshal(config)
	if err != nil || !strings.Contains(string(stored), secret) {
		t.Fatalf("%s keeps no %s: %s, %v", info.Type, f.Name, stored, err)
	}
	shown, err := json.Marshal(config.Masked())
	if err != nil {
		t.Fatal(err)
	}
	return !strings.Contains(string(shown), secret)
}
