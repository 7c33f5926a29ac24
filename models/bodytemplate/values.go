package bodytemplate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// get reads fields, each from what the one before gave. What is not there is nil, but for a name that no record of its kind
// has.
func get(r *run, v any, names ...string) (any, error) {
	for _, name := range names {
		switch from := v.(type) {
		case Record:
			found, ok := from[name]
			if !ok {
				return nil, fail("there is no .%.40s here: there are .%s", name, strings.Join(slices.Sorted(maps.Keys(from)), ", ."))
			}
			if raw, ok := found.(json.RawMessage); ok {
				var err error
				if found, err = decode(r, raw); err != nil {
					return nil, err
				}
				from[name] = found
			}
			v = found
		case map[string]any:
			v = from[name]
		default:
			return nil, nil
		}
	}
	return v, nil
}

// index is get for names that no field could have, and for places in lists, from 0 on.
func index(r *run, v any, keys ...any) (any, error) {
	for _, key := range keys {
		if l, ok := list(v); ok {
			n, isNumber := number(key)
			if v = nil; isNumber && n >= 0 && n < float64(len(l)) {
				v = l[int(n)]
			}
			continue
		}
		name, err := text(r, key)
		if err != nil {
			return nil, err
		}
		if v, err = get(r, v, name); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// each is what a loop goes over: a list or a map. Anything else is nothing, and a mistake while a template is being written.
func each(r *run, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, r.charge(len(v) * nodeWork) // they are sorted
	}
	if l, ok := list(v); ok {
		return l, nil
	}
	if r.strict {
		return nil, fail("range over something that is no list: it goes over .Alerts, .Details and what is in them")
	}
	return nil, nil
}

func list(v any) ([]any, bool) {
	switch v := v.(type) {
	case List:
		return v, true
	case []any:
		return v, true
	}
	return nil, false
}

// text is a value as it is printed: a text as it is, nothing as nothing, lists and maps as JSON.
func text(r *run, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	b, err := encode(r, v)
	return string(b), err
}

// encode gives a value as JSON that leaves <, > and & as they are. It looks at the size before it writes.
func encode(r *run, v any) ([]byte, error) {
	if err := weigh(r, v); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fail("cannot be written as JSON")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), r.charge(b.Len())
}

// weigh counts what is in a value.
func weigh(r *run, v any) error {
	n := 8
	switch v := v.(type) {
	case string:
		n += len(v)
	case json.RawMessage:
		n += len(v)
	case Record:
		return weighMap(r, v)
	case map[string]any:
		return weighMap(r, v)
	}
	if l, ok := list(v); ok {
		for _, item := range l {
			if err := weigh(r, item); err != nil {
				return err
			}
		}
	}
	return r.charge(n)
}

func weighMap(r *run, m map[string]any) error {
	for name, item := range m {
		if err := r.charge(len(name) + nodeWork); err != nil {
			return err
		}
		if err := weigh(r, item); err != nil {
			return err
		}
	}
	return nil
}

// decode reads JSON. Whole numbers stay exact.
func decode(r *run, raw json.RawMessage) (any, error) {
	if err := r.charge(8 * len(raw)); err != nil { // it is slow, and what comes of it large
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if len(raw) > 0 {
		if err := dec.Decode(&v); err != nil {
			return nil, fail("cannot be read as JSON")
		}
	}
	return plain(v), nil
}

// plain puts numbers in the place of their texts.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return f
		}
	case map[string]any:
		for name, item := range v {
			v[name] = plain(item)
		}
	case []any:
		for i, item := range v {
			v[i] = plain(item)
		}
	}
	return v
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case map[string]any:
		return len(v) == 0
	}
	l, ok := list(v)
	return ok && len(l) == 0
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// equal compares texts, numbers and truths with their like. Others are never equal.
func equal(r *run, a, b any) (bool, error) {
	if a, ok := a.(bool); ok {
		b, ok := b.(bool)
		return ok && a == b, nil
	}
	if a == nil || b == nil {
		return a == nil && b == nil, nil
	}
	c, ok, err := compare(r, a, b)
	return ok && c == 0, err
}

func ordered(r *run, a, b any, wanted func(int) bool) (bool, error) {
	c, ok, err := compare(r, a, b)
	return ok && wanted(c), err
}

// compare orders two numbers or two texts; false when they are neither.
func compare(r *run, a, b any) (int, bool, error) {
	x, isNumber := number(a)
	if y, ok := number(b); ok && isNumber {
		return cmp.Compare(x, y), true, nil
	}
	s, isText := a.(string)
	if t, ok := b.(string); ok && isText {
		return strings.Compare(s, t), true, r.charge(min(len(s), len(t)))
	}
	return 0, false, nil
}
