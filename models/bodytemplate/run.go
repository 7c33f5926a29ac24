package bodytemplate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Bounds of one run.
const (
	MaxOutput = 256 << 10 // bytes
	// maxWork is how many bytes are read and written in functions, where a node that is walked counts as nodeWork of them. It
	// is done in some 0.1 s, and a digest of 500 alerts may walk 250 nodes for each.
	maxWork  = 8 << 20
	nodeWork = 64
)

// Record is an object of the view, whose names are known: another name is a mistake in the template. Its values are nil, bool,
// int64, string, Record, List, and json.RawMessage, which is decoded when a template looks into it.
type Record map[string]any

// List is a list in the view.
type List []any

// run is one run of a template. Every function gets it.
type run struct {
	view   Record
	strict bool // while a template is being written: a value of the wrong kind is a mistake, not just nothing
	work   int
	out    strings.Builder
	marks  []mark // strict: what was printed where
}

// mark is a value in the output.
type mark struct{ place, from, to int }

// failure is why a function gave up.
type failure struct {
	message string
	tooMuch bool
}

func (f *failure) Error() string { return f.message }

func fail(format string, args ...any) error { return &failure{message: fmt.Sprintf(format, args...)} }

// errTooLarge and errTooMuchWork end a run.
var (
	errTooLarge    = &failure{fmt.Sprintf("the body is larger than %d KB", MaxOutput>>10), true}
	errTooMuchWork = &failure{"takes too much work: nest fewer loops", true}
)

// charge counts work, and ends the run when there was too much of it.
func (r *run) charge(n int) error {
	if r.work += n; r.work > maxWork {
		return errTooMuchWork
	}
	return nil
}

// Write takes the output and stops at its bound.
func (r *run) Write(p []byte) (int, error) {
	if r.out.Len()+len(p) > MaxOutput {
		return 0, errTooLarge
	}
	return r.out.Write(p)
}

// Execute gives the body that the template makes of a view, which it may change. Its errors are of type *Error.
func (t *Template) Execute(view Record) (string, error) {
	r := &run{view: view}
	err := t.run(r)
	return strings.ToValidUTF8(r.out.String(), "\uFFFD"), err
}

// Try is Execute for a template that is being written: it tells mistakes that Execute overlooks. With asJSON the body must be
// JSON.
func (t *Template) Try(view Record, asJSON bool) (string, error) {
	r := &run{view: view, strict: true}
	if err := t.run(r); err != nil {
		return "", err
	}
	body := r.out.String()
	if asJSON {
		return body, t.checkJSON(r, body)
	}
	return body, nil
}

func (t *Template) run(r *run) error {
	err := t.code.Execute(r, r)
	if err == nil {
		return nil
	}
	e := explain(err)
	var why *failure
	if errors.As(err, &why) {
		e.Message, e.TooMuch = why.message, why.tooMuch
	}
	return e
}

// checkJSON says where in the template a body came from that is not JSON.
func (t *Template) checkJSON(r *run, body string) error {
	var whole json.RawMessage
	err := json.Unmarshal([]byte(body), &whole)
	if err == nil {
		return nil
	}
	at := len(body)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && !strings.HasPrefix(err.Error(), "unexpected end") {
		at = max(int(syntax.Offset)-1, 0)
	}
	line, from := 1, 0
	for _, m := range r.marks {
		if m.from > at {
			break
		}
		p := t.places[m.place]
		if at < m.to {
			return &Error{Line: p.line, Message: fmt.Sprintf("what {{%.60s}} writes makes the body no JSON (%v): %s", p.text, err, mend(p.text))}
		}
		line, from = p.line, m.to
	}
	line += strings.Count(body[from:at], "\n")
	return &Error{Line: line, Message: fmt.Sprintf("the body is no JSON (%v), near %q: look for a missing quote, or a comma too many or too few",
		err, strings.ToValidUTF8(body[max(0, at-20):min(len(body), at+10)], ""))}
}

func mend(pipeline string) string {
	if strings.HasPrefix(pipeline, "json ") || strings.HasSuffix(pipeline, "| json") {
		return "json writes the quotes, too: leave out those around it"
	}
	if strings.Contains(pipeline, "|") {
		return fmt.Sprintf("write {{%.60s | json}}, without quotes around it", pipeline)
	}
	if strings.Contains(pipeline, " ") {
		pipeline = "(" + pipeline + ")"
	}
	return fmt.Sprintf("write {{json %.60s}}, without quotes around it", pipeline)
}
