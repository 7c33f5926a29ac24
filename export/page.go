package export

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
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
	if isFormula(text) {
		text = "'" + text
	}
	if !strings.ContainsAny(text, ",\"\r\n") {
		p.WriteString(text)
		return
	}
	p.WriteByte('"')
	p.WriteString(strings.ReplaceAll(text, `"`, `""`))
	p.WriteByte('"')
}

// isFormula reports whether a spreadsheet may take a text for a formula, and do what a caller of createAlert wrote.
// https://owasp.org/www-community/attacks/CSV_Injection
func isFormula(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return text != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first)
}
