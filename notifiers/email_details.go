package notifiers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// Bounds of an alert's details in a mail, in characters unless the name says otherwise. All of them stand in the API.
const (
	detailRows  = 30
	detailName  = 60
	detailValue = 600
	detailsText = 6000     // in all
	detailSpace = 16 << 10 // bytes of a value that is laid out on several lines; a longer one stays on one
)

// mailDetails are the fields of an alert's details, in the order in which they were given.
type mailDetails struct {
	Rows []mailDetail
	Left int // fields that are left out
}

// mailDetail is one field. Code says that its value is JSON laid out for reading.
type mailDetail struct {
	Name, Value string
	Code        bool
}

// describeDetails gives nil when there are none.
func describeDetails(raw json.RawMessage) *mailDetails {
	fields := json.NewDecoder(bytes.NewReader(raw))
	if t, err := fields.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	d, room := new(mailDetails), detailsText
	for fields.More() {
		name, err := fields.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		if err := fields.Decode(&value); err != nil {
			break
		}
		if len(d.Rows) == detailRows || room <= 0 {
			d.Left++
			continue
		}
		row := mailDetail{Name: cutRunes(oneLine(fmt.Sprint(name)), detailName)}
		row.Value, row.Code = detailText(value)
		room -= characters(row.Name) + characters(row.Value)
		d.Rows = append(d.Rows, row)
	}
	if len(d.Rows) == 0 {
		return nil
	}
	return d
}

// detailText puts a value into words: a text as it is, a list or an object as JSON.
func detailText(value json.RawMessage) (text string, code bool) {
	switch value[0] {
	case '"':
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return "", false
		}
		return cutRunes(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) && r != '\n' && r != '\t' {
				return ' '
			}
			return r
		}, s), detailValue), false
	case '{', '[':
		var b bytes.Buffer
		err := json.Compact(&b, value)
		if err == nil && len(value) <= detailSpace && bytes.Count(value, []byte{value[0]}) <= 100 { // deep ones would be mostly blanks
			b.Reset()
			err = json.Indent(&b, value, "", "  ")
		}
		if err != nil {
			return "", false
		}
		return cutRunes(b.String(), detailValue), true
	}
	return cutRunes(string(value), detailValue), false // a number, of any length
}

// write puts the details into the text part.
func (d *mailDetails) write(b *strings.Builder) {
	b.WriteString("\nDetails:\n")
	for _, row := range d.Rows {
		fmt.Fprintf(b, "  %s: %s\n", row.Name, strings.ReplaceAll(row.Value, "\n", "\n  "))
	}
	if d.Left > 0 {
		fmt.Fprintf(b, "  and %d more\n", d.Left)
	}
}
