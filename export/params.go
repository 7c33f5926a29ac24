package export

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rustbucket/alerts/graph/scalar"
	"github.com/rustbucket/alerts/models"
)

// params are the parameters of a request: the fields of a filter, lists by repeating them. Whoever reads one notes what is wrong with it;
// problem tells of the first.
type params struct {
	values url.Values
	known  []string
	err    error
}

func readParams(query string) (*params, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, models.Invalid("", "the address's parameters cannot be read: write them as name=value, joined by &, with %%XX for special characters")
	}
	return &params{values: values}, nil
}

// problem gives an Error for the first parameter that is wrong, or that nobody has asked for.
func (p *params) problem() error {
	if p.err != nil {
		return p.err
	}
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !slices.Contains(p.known, name) {
			return models.Invalid(strings.ToValidUTF8(name, "?"), "is not a parameter of this export: use %s", strings.Join(p.known, ", "))
		}
	}
	return nil
}

// list reads a parameter that may be repeated.
func list[T any](p *params, name string, read func(string) (T, error)) []T {
	p.known = append(p.known, name)
	var values []T
	for _, text := range p.values[name] {
		value, err := read(text)
		switch {
		case text == "":
			err = models.Invalid(name, "is empty: give it a value, or leave it out")
		case !utf8.ValidString(text):
			err = models.Invalid(name, "is not valid UTF-8")
		case err != nil:
			err = named(name, text, err)
		}
		if err != nil && p.err == nil {
			p.err = err
		}
		values = append(values, value)
	}
	return values
}

// single reads a parameter that is given once at most.
func single[T any](p *params, name string, read func(string) (T, error)) *T {
	values := list(p, name, read)
	if len(values) > 1 && p.err == nil {
		p.err = models.Invalid(name, "is given %d times: give it once", len(values))
	}
	if len(values) == 0 {
		return nil
	}
	return &values[0]
}

// named gives what is wrong with a value as an Error of its parameter, with what a value in an address often lacks.
func named(name, text string, err error) error {
	message := err.Error()
	var own *models.Error
	if errors.As(err, &own) {
		message = own.Message
	}
	if first, rest, several := strings.Cut(text, ","); several {
		message += "; for several, repeat the parameter: " + name + "=" + first + "&" + name + "=" + rest
	}
	if strings.Contains(text, " ") {
		message += "; a + is written %2B in an address"
	}
	return models.Invalid(name, "%s", message)
}

func text(s string) (string, error) { return scalar.UnmarshalString(s) }

func id(s string) (int64, error) { return scalar.UnmarshalNumber(s) }

func moment(s string) (time.Time, error) { return scalar.UnmarshalTime(s) }

func truth(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, models.Invalid("", "%.40q is neither true nor false", s)
}

// enum reads a value of a GraphQL enum.
func enum[T any, P interface {
	*T
	UnmarshalGQL(v any) error
}](s string) (T, error) {
	var value T
	err := P(&value).UnmarshalGQL(s)
	return value, err
}

// format is how a file is written.
type format string

const (
	formatCSV   format = "csv"
	formatJSONL format = "jsonl"
)

func (p *params) format() format {
	f := single(p, "format", func(s string) (format, error) {
		if f := format(s); f == formatCSV || f == formatJSONL {
			return f, nil
		}
		return "", models.Invalid("", "%.40q is not a format: use csv or jsonl", s)
	})
	if f == nil {
		return formatCSV
	}
	return *f
}

func (f format) media() string {
	if f == formatCSV {
		return "text/csv; charset=utf-8; header=present"
	}
	return "application/jsonl; charset=utf-8"
}

// refuse answers with an error as the API has them.
func refuse(w http.ResponseWriter, status int, err error) {
	type extensions struct {
		Code  models.ErrorCode `json:"code"`
		Field string           `json:"field,omitempty"`
	}
	type problem struct {
		Message    string     `json:"message"`
		Extensions extensions `json:"extensions"`
	}
	shown := problem{Message: err.Error(), Extensions: extensions{Code: models.Internal}}
	var own *models.Error
	if errors.As(err, &own) {
		shown.Extensions = extensions{own.Code, own.Field}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string][]problem{"errors": {shown}})
}
