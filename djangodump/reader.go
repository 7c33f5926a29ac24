// Package djangodump reads what `manage.py dumpdata` of the Django registry wrote, and says what its notification channels
// and alerts are here.
//
// It reads a file of any size as a stream: in memory are the channels and the machines, and one object at a time. It never
// writes to the database, and never puts a value of a channel's config into an error: it may be a secret.
//
// The format: https://docs.djangoproject.com/en/stable/topics/serialization/#serialization-formats-json
package djangodump

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxObject is how many bytes one object may take. The registry's own are a few hundred.
const maxObject = 8 << 20

// FormatError says that a file is not a dump, and where.
type FormatError struct {
	Object int   // number of the object, the first is 1; 0 = before the first
	Offset int64 // in bytes, where that object begins
	Reason string
}

func (e *FormatError) Error() string {
	if e.Object == 0 {
		return e.Reason
	}
	return fmt.Sprintf("object %d: %s", e.Object, e.Reason)
}

// object is one row of an old table.
type object struct {
	Model  string // in lower case, without the application's name
	Label  string // as it stands in the file
	PK     string // empty when there is none
	Fields json.RawMessage
}

// reader gives the objects of a dump one by one.
type reader struct {
	in     bounded
	dec    *json.Decoder
	number int
}

// newReader reads the opening bracket, too, so that what is no dump at all is refused at once.
func newReader(r io.Reader) (*reader, error) {
	d := &reader{in: bounded{r: r, left: maxObject}}
	d.dec = json.NewDecoder(&d.in)
	t, err := d.dec.Token()
	switch {
	case err == io.EOF:
		return nil, &FormatError{Reason: "it is empty"}
	case err != nil && !isFormat(err) && !errors.Is(err, errTooLarge):
		return nil, err
	case t == json.Delim('{'):
		return nil, &FormatError{Reason: "it begins with an object instead of a list, as --format jsonl writes it"}
	case err != nil || t != json.Delim('['):
		return nil, &FormatError{Reason: "it is not JSON, or not that of dumpdata, which begins with ["}
	}
	return d, nil
}

// next reads the next object; io.EOF when there is none.
func (d *reader) next() (object, error) {
	d.in.left = maxObject
	offset := d.dec.InputOffset()
	if !d.dec.More() {
		return object{}, d.end()
	}
	d.number++
	var raw struct {
		Model  *string
		PK     json.RawMessage
		Fields json.RawMessage
	}
	if err := d.dec.Decode(&raw); err != nil {
		return object{}, d.fault(offset, err)
	}
	o := object{Fields: raw.Fields}
	if raw.Model == nil || !isObject(raw.Fields) {
		return o, d.wrong(offset, `it has no "model" with its "fields", so it is no row of a table`)
	}
	o.Label = *raw.Model
	o.Model = strings.ToLower(o.Label[strings.LastIndexByte(o.Label, '.')+1:])
	var err error
	if o.PK, err = keyText(raw.PK); err != nil {
		return o, d.wrong(offset, `its "pk" is neither a number nor a text`)
	}
	return o, nil
}

// end makes sure that the list is closed and that nothing comes after it.
func (d *reader) end() error {
	offset := d.dec.InputOffset()
	if _, err := d.dec.Token(); err != nil {
		d.number++
		return d.fault(offset, err)
	}
	switch _, err := d.dec.Token(); {
	case err == io.EOF:
		return io.EOF
	case err != nil && !isFormat(err):
		return err
	}
	return d.wrong(offset, "something comes after the end of the list")
}

func (d *reader) wrong(offset int64, reason string) error {
	return &FormatError{Object: max(d.number, 1), Offset: offset, Reason: reason}
}

// fault is what stands behind an error of the decoder. The decoder's own words are kept out: they repeat what was read.
func (d *reader) fault(offset int64, err error) error {
	var typ *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return d.wrong(offset, "the file ends in the middle: it was cut off")
	case errors.Is(err, errTooLarge):
		return d.wrong(offset, fmt.Sprintf("it is larger than %d MB", maxObject>>20))
	case errors.As(err, &typ):
		return d.wrong(offset, `it is not {"model": …, "pk": …, "fields": {…}}`)
	case isFormat(err):
		return d.wrong(offset, "it is not JSON")
	}
	return err
}

func isFormat(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax)
}

func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// keyText gives a primary or foreign key as text: of a number, of a text, or of the one text in a natural key. Null and
// nothing give "".
func keyText(raw json.RawMessage) (string, error) {
	var v any
	if len(raw) == 0 {
		return "", nil
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return "", err
	}
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	key := ""
	switch v := v.(type) {
	case nil:
	case string:
		key = v
	case json.Number:
		key = v.String()
	default:
		return "", errors.New("no key")
	}
	if utf8.RuneCountInString(key) > maxKey || strings.ContainsRune(key, 0) {
		return "", errors.New("no key")
	}
	return key, nil
}

// maxKey is the longest key in characters; a UUID has 36.
const maxKey = 255

// bounded reads at most left bytes, which is set anew for each object.
type bounded struct {
	r    io.Reader
	left int
}

var errTooLarge = errors.New("too large")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
