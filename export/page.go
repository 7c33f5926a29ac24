package export

import (
	"bytes"
	"encoding/json"
	"strings"
)

// page is the lines that are written next.
type page struct {
	bytes.Buffer
	format format
	json   *json.Encoder
}

// newPage makes a file's first page. CSV begins with the names of its columns, also when nothing follows.
func newPage(f format, columns []string) *page {
	p := &page{format: f}
	p.json = json.NewEncoder(&p.Buffer)
	p.json.SetEscapeHTML(false)
	if f == formatCSV {
		for i, name := range columns {
			p.cell(i, name)
		}
		p.WriteString("\r\n")
	}
	return p
}

// column is one of the columns of CSV.
type column[T any] struct {
	name string
	of   func(T) string
}

func add[T any](p *page, columns []column[T], line T) error {
	if p.format == formatJSONL {
		return p.json.Encode(line)
	}
	for i, c := range columns {
		p.cell(i, c.of(line))
	}
	p.WriteString("\r\n")
	return nil
}

// cell writes a field as RFC 4180 has it. The library's writer changes the line ends in it.
func (p *page) cell(place int, text string) {
	if place > 0 {
		p.WriteByte(',')
	}
	text = harmless(text)
	if !strings.ContainsAny(text, ",\"\r\n") {
		p.WriteString(text)
		return
	}
	p.WriteByte('"')
	p.WriteString(strings.ReplaceAll(text, `"`, `""`))
	p.WriteByte('"')
}

// harmless keeps a spreadsheet from taking a text, or a part of it, for a formula, and doing what a caller of createAlert wrote. Where
// the list separator is not the comma (in much of Europe it is the semicolon) a spreadsheet begins a new cell at a semicolon, a tab or
// a line break in the middle of a field, and the quotes around that do not count.
// https://owasp.org/www-community/attacks/CSV_Injection
func harmless(text string) string {
	const starters = "=+-@＝＋－＠"
	if !strings.ContainsAny(text, starters+"\t\r\n") {
		return text
	}
	var b strings.Builder
	begins := true // nothing was written of the cell yet but quotes and spaces
	for i, c := range text {
		switch {
		case i == 0 && strings.ContainsRune("\t\r\n", c):
			b.WriteByte('\'')
		case begins && strings.ContainsRune(starters, c):
			b.WriteByte('\'')
		}
		b.WriteRune(c)
		begins = strings.ContainsRune(";\t\r\n", c) || begins && (c == '"' || c == ' ')
	}
	return b.String()
}
