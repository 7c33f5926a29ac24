package bodytemplate

import (
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// function is one that templates may call.
type function struct {
	name        string
	least, most int // arguments, the one from a pipe included
	takes       string
	builtin     bool // the library's own, which does no work to speak of
}

const many = MaxSource // more than a template has room for

// functions are all that there are.
var functions = []function{
	{"json", 1, 1, "one value: json .Message", false},
	{"print", 1, many, "values, and writes them one after the other: print .Severity \": \" .Message", false},
	{"upper", 1, 1, "one text: upper .Type", false},
	{"lower", 1, 1, "one text: lower .Type", false},
	{"truncate", 2, 2, "a length in characters and a text: truncate 100 .Message", false},
	{"default", 2, 2, "what stands for nothing, and a value: default \"none\" .Rustbucket.Name", false},
	{"join", 2, 2, "what stands between, and a list: join \", \" .Details.tags", false},
	{"date", 2, 2, "a layout of Go, or unix, and a time: date \"2006-01-02 15:04\" .CreatedAt", false},
	{"index", 2, many, "a list or map, and what to look up: index .Details \"cpu-load\"", false},
	{"len", 1, 1, "one list, map or text: len .Alerts", false},
	{"eq", 2, many, "two values or more, and is true when the first is like one of the others: eq .Severity \"HIGH\"", false},
	{"ne", 2, 2, "two values: ne .Severity \"LOW\"", false},
	{"lt", 2, 2, "two numbers or texts: lt .Details.load 0.5", false},
	{"le", 2, 2, "two numbers or texts: le .Details.load 0.5", false},
	{"gt", 2, 2, "two numbers or texts: gt .Details.load 0.5", false},
	{"ge", 2, 2, "two numbers or texts: ge .Details.load 0.5", false},
	{"and", 1, many, "one value or more: and .IsResolved .Link", true},
	{"or", 1, many, "one value or more: or .Link \"-\"", true},
	{"not", 1, 1, "one value: not .IsResolved", true},
}

func functionNamed(name string) function {
	for _, f := range functions {
		if f.name == name {
			return f
		}
	}
	return function{name: name, least: 1, takes: "nothing: there is no such function"} // the parser has refused it already
}

func functionNames() string {
	names := make([]string, len(functions))
	for i, f := range functions {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// calls are the functions as the library calls them: the template's own, and those that are put into it.
var calls = template.FuncMap{
	"view": func(r *run) any { return r.view },
	"get":  get,
	"each": each,
	"tick": func(r *run, nodes int) (string, error) { return "", r.charge(nodes * nodeWork) },
	"show": show,

	"json": func(r *run, v any) (string, error) {
		b, err := encode(r, v)
		return string(b), err
	},
	"print":    printed,
	"upper":    func(r *run, v any) (string, error) { return onText(r, v, strings.ToUpper) },
	"lower":    func(r *run, v any) (string, error) { return onText(r, v, strings.ToLower) },
	"truncate": truncate,
	"default": func(_ *run, fallback, v any) any {
		if isEmpty(v) {
			return fallback
		}
		return v
	},
	"join":  join,
	"date":  date,
	"index": index,
	"len":   length,
	"eq": func(r *run, a any, others ...any) (bool, error) {
		for _, b := range others {
			if same, err := equal(r, a, b); same || err != nil {
				return same, err
			}
		}
		return false, nil
	},
	"ne": func(r *run, a, b any) (bool, error) {
		same, err := equal(r, a, b)
		return !same, err
	},
	"lt": func(r *run, a, b any) (bool, error) { return ordered(r, a, b, func(c int) bool { return c < 0 }) },
	"le": func(r *run, a, b any) (bool, error) { return ordered(r, a, b, func(c int) bool { return c <= 0 }) },
	"gt": func(r *run, a, b any) (bool, error) { return ordered(r, a, b, func(c int) bool { return c > 0 }) },
	"ge": func(r *run, a, b any) (bool, error) { return ordered(r, a, b, func(c int) bool { return c >= 0 }) },
}

// show turns a value into what is written, and remembers where.
func show(r *run, place int, v any) (string, error) {
	s, err := text(r, v)
	if r.strict && err == nil {
		r.marks = append(r.marks, mark{place, r.out.Len(), r.out.Len() + len(s)})
	}
	return s, err
}

// printed puts texts together. A template may make a long one piece by piece, so that copying is charged as what it costs.
func printed(r *run, values ...any) (string, error) {
	var b strings.Builder
	for _, v := range values {
		s, err := text(r, v)
		if err != nil {
			return "", err
		}
		if b.Len()+len(s) > MaxOutput {
			return "", errTooLarge
		}
		b.WriteString(s)
	}
	return b.String(), r.charge(nodeWork + b.Len()/8)
}

func onText(r *run, v any, f func(string) string) (string, error) {
	s, err := text(r, v)
	if err != nil {
		return "", err
	}
	return f(s), r.charge(len(s))
}

// truncate keeps so many characters, the last of them an ellipsis when some were left out. What people see as one character
// is never cut in half.
func truncate(r *run, limit, v any) (string, error) {
	n, ok := number(limit)
	if !ok || n < 1 || n > MaxOutput {
		return "", fail("truncate: the length must be a number, 1 to %d, and come first: truncate 100 .Message", MaxOutput)
	}
	s, err := text(r, v)
	if err != nil || utf8.RuneCountInString(s) <= int(n) {
		return s, err
	}
	used, end, state := 0, 0, -1
	for rest := s; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used += utf8.RuneCountInString(cluster); used > int(n)-1 {
			break
		}
		end += len(cluster)
	}
	return s[:end] + "…", r.charge(16 * len(s)) // it is the slowest of them
}

func join(r *run, between, v any) (string, error) {
	sep, err := text(r, between)
	if err != nil {
		return "", err
	}
	list, ok := list(v)
	if !ok {
		return text(r, v)
	}
	var b strings.Builder
	for i, item := range list {
		s, err := text(r, item)
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteString(sep)
		}
		if b.WriteString(s); b.Len() > MaxOutput {
			return "", errTooLarge
		}
		if err := r.charge(nodeWork + (len(sep)+len(s))/8); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func date(r *run, layout, v any) (string, error) {
	form, err := text(r, layout)
	if err != nil {
		return "", err
	}
	s, err := text(r, v)
	if err != nil || s == "" {
		return "", err
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	switch {
	case err != nil && r.strict:
		return "", fail("date: %.40q is no time: the layout comes first, as in date \"2006-01-02 15:04\" .CreatedAt", s)
	case err != nil:
		return s, nil
	case form == "unix":
		return strconv.FormatInt(at.Unix(), 10), nil
	}
	s = at.UTC().Format(form)
	return s, r.charge(len(s))
}

func length(_ *run, v any) int {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v)
	case map[string]any:
		return len(v)
	}
	l, _ := list(v)
	return len(l)
}
