// Package scalar reads and writes the API's scalars. What cannot be read is a BAD_USER_INPUT that says what is accepted.
package scalar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/rustbucket/alerts/models"
)

// MarshalNumber writes an id.
func MarshalNumber(id int64) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, `"`+strconv.FormatInt(id, 10)+`"`) })
}

// UnmarshalNumber reads an id, given as a string or as a number.
func UnmarshalNumber(v any) (int64, error) {
	switch v := v.(type) {
	case string:
		if id, err := strconv.ParseInt(v, 10, 64); err == nil && id >= 0 {
			return id, nil
		}
	case json.Number:
		return UnmarshalNumber(v.String())
	case int64:
		if v >= 0 {
			return v, nil
		}
	case int:
		return UnmarshalNumber(int64(v))
	}
	return 0, models.Invalid("", "%.40q is not an id: ids are numbers, such as \"42\"", fmt.Sprint(v))
}

// MarshalString writes a text.
func MarshalString(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalString reads a text. Unlike the library's own it takes nothing else for one, as the specification has it.
func UnmarshalString(v any) (string, error) {
	s, ok := v.(string)
	switch {
	case !ok:
		return "", models.Invalid("", "must be a string, not %.40q", fmt.Sprint(v))
	case strings.ContainsRune(s, 0):
		return "", models.Invalid("", "contains a NUL character: leave it out")
	}
	return s, nil
}

// MarshalName writes an id that is a text.
func MarshalName(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalName reads an id that is a text, given as a string or as a whole number.
func UnmarshalName(v any) (string, error) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case int:
		return strconv.Itoa(v), nil
	}
	return UnmarshalString(v)
}

// MarshalTime writes a moment in RFC 3339, UTC, with as many digits as it has, six at most.
func MarshalTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, t.UTC().Format(`"2006-01-02T15:04:05.999999Z07:00"`))
	})
}

// UnmarshalTime reads a moment in RFC 3339, in any zone.
func UnmarshalTime(v any) (time.Time, error) {
	if s, ok := v.(string); ok {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil && t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, models.Invalid("", "%.40q is not a time: write it in RFC 3339, such as 2025-12-12T10:30:00Z", fmt.Sprint(v))
}

// MarshalJSON writes a JSON object as it was given.
func MarshalJSON(raw json.RawMessage) graphql.Marshaler {
	if raw == nil {
		return graphql.Null
	}
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(raw) })
}

// UnmarshalJSON reads a JSON object.
func UnmarshalJSON(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, models.Invalid("", "must be a JSON object, such as {\"load\": 0.7}")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return nil, models.Invalid("", "is not JSON: %v", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// MarshalStringMap writes an object of strings, its keys in order.
func MarshalStringMap(m map[string]string) graphql.Marshaler {
	if m == nil {
		return graphql.Null
	}
	return graphql.WriterFunc(func(w io.Writer) {
		b, err := json.Marshal(m)
		if err == nil {
			_, _ = w.Write(b)
		}
	})
}

// UnmarshalStringMap reads an object of strings.
func UnmarshalStringMap(v any) (map[string]string, error) {
	if v == nil {
		return nil, nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, models.Invalid("", "must be a JSON object of strings, such as {\"X-API-Key\": \"…\"}")
	}
	m := make(map[string]string, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		s, ok := object[name].(string)
		if !ok {
			return nil, models.Invalid("", "the value of %.40q must be a string", name)
		}
		m[name] = s
	}
	return m, nil
}
