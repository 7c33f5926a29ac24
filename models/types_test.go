package models

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestTypeInfos_AreInWords(t *testing.T) {
	for _, info := range TypeInfos() {
		if info.Title == "" || info.Help == "" || len(info.Fields) == 0 || info.New().Type() != info.Type {
			t.Errorf("%+v", info)
		}
		for _, f := range info.Fields {
			if f.Title == "" || !strings.HasSuffix(f.Help, ".") || f.Example == "" || !slices.Contains(fieldKinds, f.Kind) {
				t.Errorf("%s: %+v", info.Type, f)
			}
		}
	}
}

// What must hold for the config of every type, with all its fields set.
func TestTypeInfos_ConfigsOfEveryType(t *testing.T) {
	for _, info := range TypeInfos() {
		fields := map[string]any{}
		hasURL := false
		for _, f := range info.Fields {
			switch {
			case strings.Contains(strings.ToLower(f.Name), "url"):
				fields[f.Name], hasURL = "https://example.com/hunter2", true
			case f.Kind == FieldList:
				fields[f.Name] = []string{"hunter2"}
			case f.Kind == FieldMap:
				fields[f.Name] = map[string]string{"X-Key": "hunter2"}
			default:
				fields[f.Name] = "hunter2 " + f.Name
			}
		}
		given, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		config := info.New()
		if err := json.Unmarshal(given, config); err != nil {
			t.Fatalf("%s: %v", info.Type, err)
		}
		if back := config.Masked().Unmask(config); !reflect.DeepEqual(back, config) {
			t.Errorf("%s: what was shown masked came back as %+v", info.Type, back)
		}
		if hasURL != (address(config) != "") {
			t.Errorf("%s: its URL is %q to warnings", info.Type, address(config))
		}
	}
}
