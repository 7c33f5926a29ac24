package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rustbucket/alerts/models"
)

// object is a JSON object whose keys are taken exactly as they are written, and that knows where in the body it stands, so that
// every error names the field at fault. A key with the value null counts as left out.
type object struct {
	path   string // empty = the body itself
	fields map[string]json.RawMessage
}

// maxFields is how many fields an object may have, whatever they say: each takes many times the memory that it takes in the body.
const maxFields = 10_000

func parseObject(path string, raw json.RawMessage) (object, error) {
	o := object{path: path}
	if !bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) {
		return o, wrong(path, "is not a JSON object")
	}
	if n := entries(raw); n > maxFields {
		return o, wrong(path, "has %d fields: at most %d are taken", n, maxFields)
	}
	if err := json.Unmarshal(raw, &o.fields); err != nil {
		return o, notJSON(path, err)
	}
	maps.DeleteFunc(o.fields, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	return o, nil
}

// parseList reads an array of at most so many alerts.
func parseList(path string, raw json.RawMessage, most int) (list []json.RawMessage, err error) {
	if !bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("[")) {
		return nil, wrong(path, "is not a JSON array")
	}
	if n := entries(raw); n > most {
		return nil, tooMany(n, most)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, notJSON(path, err)
	}
	return list, nil
}

// entries counts those of an array or an object, at least where it is valid JSON, without taking memory for them.
func entries(raw []byte) int {
	depth, commas, text, some := 0, 0, false, false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case text && c == '\\':
			i++
		case c == '"':
			text, some = !text, true
		case text || c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == '[' || c == '{':
			some = some || depth > 0
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 1:
			commas++
		default:
			some = true
		}
	}
	if !some {
		return 0
	}
	return commas + 1
}

// notJSON says where a body stops being JSON; what stands there is not repeated.
func notJSON(path string, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return wrong(path, "is not valid JSON at byte %d", syntax.Offset)
	}
	return wrong(path, "is not valid JSON")
}

func wrong(path, format string, args ...any) error {
	if path == "" {
		format = "the body " + format
	}
	return models.Invalid(path, format, args...)
}

// at is the path of a field.
func (o object) at(name string) string {
	if len(name) > 100 {
		name = strings.ToValidUTF8(name[:100], "") + "…"
	}
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

func (o object) has(name string) bool { return o.fields[name] != nil }

// only returns an error that names a field which is none of these.
func (o object) only(names ...string) error {
	for _, name := range slices.Sorted(maps.Keys(o.fields)) {
		if !slices.Contains(names, name) {
			return models.Invalid(o.at(name), "is not known: the fields are %s", strings.Join(names, ", "))
		}
	}
	return nil
}

// text gives a string; "" when it is left out.
func (o object) text(name string) (s string, err error) {
	if o.has(name) && json.Unmarshal(o.fields[name], &s) != nil {
		return "", models.Invalid(o.at(name), "is not a string")
	}
	return s, nil
}

// object gives an object; one without fields when it is left out.
func (o object) object(name string) (object, error) {
	if !o.has(name) {
		return object{path: o.at(name)}, nil
	}
	return parseObject(o.at(name), o.fields[name])
}

// texts gives an object of strings; nil when it is left out.
func (o object) texts(name string) (map[string]string, error) {
	inner, err := o.object(name)
	if err != nil || !o.has(name) {
		return nil, err
	}
	texts := make(map[string]string, len(inner.fields))
	for key := range inner.fields {
		if texts[key], err = inner.text(key); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func place(path string, i int) string { return strings.TrimPrefix(fmt.Sprintf("%s.%d", path, i), ".") }
