package bodytemplate

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rustbucket/alerts/testkit"
)

// view is what templates see in these tests.
func view() Record {
	alert := func(id int64, message string) Record {
		return Record{
			"ID": id, "Type": "error", "Severity": "HIGH", "Message": message, "IsResolved": false, "CreatedAt": "2025-12-12T10:30:00.5Z", "ResolvedAt": "",
			"Rustbucket": Record{"ID": "BKT1", "Name": "Node 1"}, "Link": "",
			"Details": json.RawMessage(`{"load":0.97,"big":12345678901234567890,"cores":8,"cpu-load":1e3,"tags":["a","b"],"nested":{"x":"y"},"none":null,"on":true}`),
		}
	}
	v := alert(7, "say \"hi\" <&> é 👩‍👩‍👧")
	v["Alerts"] = List{alert(7, "one"), alert(8, "two")}
	v["Count"] = int64(2)
	return v
}

func TestTemplate_Gives(t *testing.T) {
	for source, want := range map[string]string{
		`{{json (print .Severity ": " .ID " " .Details.tags .Link)}}`:                    `"HIGH: 7 [\"a\",\"b\"]"`,
		`{{$t := ""}}{{range .Alerts}}{{$t = print $t .Message "\n"}}{{end}}{{json $t}}`: `"one\ntwo\n"`,
		`{{.ID}} {{.Message}}`:                   `7 say "hi" <&> é 👩‍👩‍👧`,
		`{{json .Message}}`:                      `"say \"hi\" <&> é 👩‍👩‍👧"`,
		`{{.Message | json}}`:                    `"say \"hi\" <&> é 👩‍👩‍👧"`,
		`{{.Rustbucket.Name}}`:                   `Node 1`,
		`{{json .Rustbucket}}`:                   `{"ID":"BKT1","Name":"Node 1"}`,
		`{{.Rustbucket}}`:                        `{"ID":"BKT1","Name":"Node 1"}`,
		`{{.Details.load}}`:                      `0.97`,
		`{{.Details.big}}`:                       `12345678901234567890`,
		`{{json .Details.cores}}`:                `8`,
		`{{index .Details "cpu-load"}}`:          `1000`,
		`{{index .Details "tags" 1}}`:            `b`,
		`{{index .Details "tags" 9 "x"}}`:        ``,
		`{{index .Details.tags -1}}`:             ``,
		`{{.Details.nested.x}}`:                  `y`,
		`{{.Details.no.such.thing}}`:             ``,
		`{{json .Details.no.such.thing}}`:        `null`,
		`{{.Details.load.deeper}}`:               ``,
		`{{.Details.on}}{{.Details.none}}`:       `true`,
		`{{(index .Alerts 1).Message}}`:          `two`,
		`{{upper .Type}}{{lower "ÄB"}}`:          `ERRORäb`,
		`{{.Type | upper | lower | json}}`:       `"error"`,
		`{{truncate 5 "abcdef"}}`:                `abcd…`,
		`{{truncate 6 "abcdef"}}`:                `abcdef`,
		`{{truncate 3 "a👩‍👩‍👧b"}}`:               `a…`,
		`{{truncate 1 "ab"}}`:                    `…`,
		`{{default "none" .Link}}`:               `none`,
		`{{.Link | default "none"}}`:             `none`,
		`{{default "none" .Details.cores}}`:      `8`,
		`{{join ", " .Details.tags}}`:            `a, b`,
		`{{join ", " .Type}}`:                    `error`,
		`{{date "02.01.2006 15:04" .CreatedAt}}`: `12.12.2025 10:30`,
		`{{date "unix" .CreatedAt}}`:             `1765535400`,
		`{{.ResolvedAt | date "15:04"}}`:         ``,
		`{{len .Alerts}} {{len .Details}} {{len .Type}} {{len .Details.no}}`:                            `2 8 5 0`,
		`{{range .Alerts}}{{.ID}},{{end}}`:                                                              `7,8,`,
		`{{range $i, $a := .Alerts}}{{if $i}}, {{end}}{{$a.Message}} of {{$.Count}}{{end}}`:             `one of 2, two of 2`,
		`{{range $k, $v := .Details.nested}}{{$k}}={{$v}}{{end}}`:                                       `x=y`,
		`{{range .Details.no}}x{{else}}nothing{{end}}`:                                                  `nothing`,
		`{{range .Alerts}}{{if eq .ID 8}}{{break}}{{end}}{{.ID}}{{end}}`:                                `7`,
		`{{with .Rustbucket.Name}}on {{.}}{{end}}`:                                                      `on Node 1`,
		`{{with $x := .Type}}{{$x}}{{end}}`:                                                             `error`,
		`{{$n := 1}}{{range .Alerts}}{{$n = .ID}}{{end}}{{$n}}`:                                         `8`,
		`{{if and (eq .Severity "HIGH") (not .IsResolved)}}bad{{else}}well{{end}}`:                      `bad`,
		`{{if eq .Type "x" "error"}}in{{end}}{{if ne .Type "x"}}not{{end}}`:                             `innot`,
		`{{if gt .Details.load 0.9}}hot{{end}}{{if lt .Details.none 1}}no{{end}}`:                       `hot`,
		`{{if le .Details.cores 8}}a{{end}}{{if ge "b" "a"}}b{{end}}{{if eq .Details.on true}}c{{end}}`: `abc`,
		`{{or .Link "-"}}`:         `-`,
		`{{/* a word */ -}} x`:     `x`,
		`{{eq nil .Details.none}}`: `true`,
	} {
		for range 2 { // it leaves nothing behind
			tmpl, err := Compile(source)
			if err != nil {
				t.Errorf("%s: %v", source, err)
				break
			}
			if got, err := tmpl.Execute(view()); got != want || err != nil {
				t.Errorf("%s gives %q, %v, want %q", source, got, err, want)
			}
		}
	}
}

func TestCompile_RefusesAndNamesTheLine(t *testing.T) {
	for _, c := range []struct {
		source string
		line   int
		says   string
	}{
		{"", 0, "empty"},
		{" \n", 0, "empty"},
		{"a\xff", 0, "UTF-8"},
		{"a\x00", 0, "NUL"},
		{strings.Repeat("x", MaxSource+1), 0, "at most 65536"},
		{"\n{{.ID", 2, "unclosed"},
		{"\n\n{{nosuch .ID}}", 3, "there are json, print, upper"},
		{"{{if}}{{end}}", 1, "missing value"},
		{"\n{{define \"x\"}}{{end}}", 2, "define"},
		{"\n{{block \"x\" .}}{{end}}", 2, "define, block"},
		{"\n{{template \"x\"}}", 2, "template"},
		{"{{define \"bodyTemplate\"}}{{template \"bodyTemplate\"}}{{end}}", 1, "template"},
		{"\n{{printf \"%1000000000d\" 1}}", 2, "not defined"},
		{"{{call .ID}}", 1, "not defined"},
		{"{{html .ID}}", 1, "not defined"},
		{"{{slice .Type 1}}", 1, "not defined"},
		{"{{get . \"ID\"}}", 1, "not defined"},
		{"{{tick $ 1}}", 1, "not defined"},
		{"{{view}}", 1, "not defined"},
		{"\n{{range 1000000000}}{{end}}", 2, "range over 1000000000"},
		{"{{range \"abc\"}}{{end}}", 1, "range over"},
		{"\n{{$ := 1}}", 2, "$ is the whole view"},
		{"{{range $, $x := .Alerts}}{{end}}", 1, "$ is the whole view"},
		{"\n{{json}}", 2, "json takes one value"},
		{"{{json 1 2}}", 1, "json takes one value"},
		{"{{.Type | json 2}}", 1, "json takes one value"},
		{"{{json upper .Type}}", 1, "json takes one value"},
		{"{{eq upper .Type}}", 1, "parentheses"},
		{"{{.Type 1}}", 1, "not a function"},
		{"{{.Type | .ID}}", 1, "not a function"},
		{"{{1i}}", 1, "no number"},
		{strings.Repeat("{{if 1}}", 60) + strings.Repeat("{{end}}", 60), 1, "more than 50"},
		{"{{" + strings.Repeat("(", 60) + "1" + strings.Repeat(")", 60) + "}}", 1, "more than 50"},
		{"{{" + strings.Repeat("(", 20_000) + "1" + strings.Repeat(")", 20_000) + "}}", 1, "depth"},
	} {
		_, err := Compile(c.source)
		var e *Error
		if !errors.As(err, &e) || e.Line != c.line || !strings.Contains(e.Message, c.says) {
			t.Errorf("%.60q: %v, want line %d and %q", c.source, err, c.line, c.says)
		}
	}
}

func TestExecute_MistakesNameTheLine(t *testing.T) {
	for _, c := range []struct {
		source string
		says   string
		strict bool // Execute makes the best of it
	}{
		{"\n{{.Mesage}}", "line 2: there is no .Mesage here: there are .Alerts, .Count", false},
		{"\n{{.Rustbucket.Nmae}}", "line 2: there is no .Nmae here: there are .ID, .Name", false},
		{"{{range .Alerts}}\n{{.Alerts}}{{end}}", "line 2: there is no .Alerts", false},
		{"\n{{truncate .Type 3}}", "line 2: truncate: the length", false},
		{"\n{{range .Message}}{{end}}", "line 2: range over", true},
		{"\n{{range .Count}}{{end}}", "line 2: range over", true},
		{"\n{{date .CreatedAt \"15:04\"}}", "line 2: date: \"15:04\" is no time", true},
	} {
		tmpl, err := Compile(c.source)
		if err != nil {
			t.Errorf("%q: %v", c.source, err)
			continue
		}
		if _, err := tmpl.Try(view(), false); err == nil || !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("%q: %v, want %q", c.source, err, c.says)
		}
		if _, err := tmpl.Execute(view()); (err == nil) != c.strict {
			t.Errorf("%q executed: %v", c.source, err)
		}
	}
}

func TestTry_SaysWhatMakesABodyNoJSON(t *testing.T) {
	for source, says := range map[string]string{
		`{"a": {{json .Message}}, "n": {{.ID}}, "d": {{json .Details}}, "ok": {{.IsResolved}}}`: "",
		"{\n\"a\":\n\"{{.Message}}\"}":          "line 3: what {{.Message}} writes makes the body no JSON (invalid character 'h' after object key:value pair): write {{json .Message}}, without quotes",
		"{\n\"a\": {{.Type}}}":                  "line 2: what {{.Type}} writes",
		"{\n\"a\": {{upper .Type}}}":            "line 2: what {{upper .Type}} writes makes the body no JSON (invalid character 'E' looking for beginning of value): write {{json (upper .Type)}}",
		"{\n\"a\": {{.Type | upper}}}":          "write {{.Type | upper | json}}, without",
		"{\n\"a\": \"{{json .Message}}\"}":      "line 2: what {{json .Message}} writes makes the body no JSON (invalid character 's' after object key:value pair): json writes the quotes",
		"{\"a\": {{json .Type}},\n\"b\": 1,\n}": "line 3: the body is no JSON (invalid character '}'",
		"[{{range .Alerts}}{{.ID}},{{end}}\n]":  "line 2: the body is no JSON (invalid character ']'",
		"{{if .IsResolved}}{}{{end}}":           "line 1: the body is no JSON (unexpected end",
		"plain {{.ID}}":                         "line 1: the body is no JSON (invalid character 'p'",
		"{\"a\": {{json .Type}}":                "the body is no JSON (unexpected end",
	} {
		tmpl, err := Compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if _, err := tmpl.Try(view(), true); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v\nwant %s", source, err, says)
		}
	}
}

// largest is a view as large as a digest can be.
func largest() Record {
	v := view()
	alerts := make(List, 500)
	message, details := strings.Repeat(`"`, 10_000), json.RawMessage("["+strings.Repeat("0,", 32_000)+"0]")
	for i := range alerts {
		a := view()
		delete(a, "Alerts")
		a["Message"], a["Details"] = message, details
		alerts[i] = a
	}
	v["Alerts"] = alerts
	return v
}

func TestExecute_HostileTemplatesEndSoon(t *testing.T) {
	loops := func(n int, over, body string) string {
		return strings.Repeat("{{range "+over+"}}", n) + body + strings.Repeat("{{end}}", n)
	}
	for name, source := range map[string]string{
		"loops in loops":           loops(6, "$.Alerts", ""),
		"loops that print":         loops(6, "$.Alerts", "x"),
		"loops over maps":          loops(40, "$.Details", ""),
		"loops over long lists":    "{{$l := (index .Alerts 0).Details}}" + loops(5, "$l", ""),
		"all details":              "{{range .Alerts}}{{len .Details}}{{end}}",
		"everything as JSON":       "{{json .}}",
		"everything, often":        loops(2, "$.Alerts", "{{if json $}}{{end}}"),
		"JSON of JSON of JSON":     "{{$x := .Message}}" + loops(2, "$.Alerts", "{{$x = json $x}}"),
		"a text that doubles":      "{{$x := \"aaaaaaaaaaaaaaaa\"}}" + loops(2, "$.Alerts", "{{$x = join $x $.Details.tags}}"),
		"a text that grows":        "{{$x := \"\"}}{{range .Alerts}}{{range $.Alerts}}{{$x = print $x .Type}}{{end}}{{end}}",
		"a text that is doubled":   "{{$x := .Message}}" + loops(2, "$.Alerts", "{{$x = print $x $x}}"),
		"a list joined by a lot":   "{{join (index .Alerts 0).Message (index .Alerts 0).Details}}",
		"long texts compared":      loops(3, "$.Alerts", "{{if eq .Message (index $.Alerts 1).Message}}{{end}}"),
		"long texts cut":           loops(3, "$.Alerts", "{{if truncate 9999 .Message}}{{end}}"),
		"long texts in upper case": loops(3, "$.Alerts", "{{if upper .Message}}{{end}}"),
		"layouts":                  loops(3, "$.Alerts", "{{if date .Message .CreatedAt}}{{end}}"),
		"the longest source":       loops(1, ".Alerts", strings.Repeat("{{if $.ID}}{{end}}", MaxSource/18-10)),
		"many texts":               loops(2, "$.Alerts", strings.Repeat("{{$x := .Message | json}}", 1000)),
		"length of everything":     loops(3, "$.Alerts", "{{if len $.Message}}{{end}}"),
	} {
		t.Run(name, func(t *testing.T) {
			v := largest()
			start := testkit.Computed(t)
			tmpl, err := Compile(source)
			if err != nil {
				t.Fatal(err)
			}
			body, err := tmpl.Execute(v)
			took := testkit.Computed(t) - start
			var e *Error
			if !errors.As(err, &e) || !e.TooMuch {
				t.Errorf("%d bytes, %v", len(body), err)
			}
			// Below 0.1 s; the race detector and a slow machine make it more.
			if limit := 10 * time.Second; took > limit {
				t.Errorf("took %v", took)
			}
			t.Logf("%v: %v", took, err)
		})
	}
}

func TestExecute_OutputIsBounded(t *testing.T) {
	for n, fits := range map[int]bool{MaxOutput: true, MaxOutput - 1: true, MaxOutput + 1: false} {
		tmpl, err := Compile("{{.Message}}")
		if err != nil {
			t.Fatal(err)
		}
		v := view()
		v["Message"] = strings.Repeat("x", n)
		body, err := tmpl.Execute(v)
		if (err == nil) != fits || fits && len(body) != n {
			t.Errorf("%d bytes: %d, %v", n, len(body), err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"{{.ID}}", "{{range $i, $a := .Alerts}}{{$a.Message | json}}{{end}}", "{{with .Details}}{{.x.y | default 1}}{{end}}",
		"{{define \"x\"}}{{end}}", "{{$x := 1}}{{$x = index .Details \"tags\" 0}}{{$x}}", "{{if and .ID (or .Link nil)}}{{else if 1}}{{end}}",
		"{{(.Rustbucket).Name}}", "{{range .}}{{end}}", "{{- /* x */ -}}", "{{truncate 3 .Message}}{{date \"unix\" .CreatedAt}}{{break}}",
		"{{range .Alerts}}{{continue}}{{end}}", "{{json . | len}}", "{{.}}{{$}}", "{{1.5e3 | json}}{{'a'}}{{0x1p-2}}", "{{index $ \"Alerts\" 0 \"ID\"}}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		start := testkit.Computed(t)
		tmpl, err := Compile(source)
		if err == nil {
			if _, err = tmpl.Try(view(), true); err != nil && err.Error() == "" {
				t.Error("an error without words")
			}
			var body string
			if body, err = tmpl.Execute(view()); len(body) > MaxOutput || !utf8.ValidString(body) {
				t.Errorf("%d bytes of body", len(body))
			}
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Line > 1+strings.Count(source, "\n")) {
			t.Errorf("%v", err)
		}
		if took := testkit.Computed(t) - start; took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		for _, inner := range []string{"reflect", "runtime error", "bodytemplate.", "goroutine"} {
			if err != nil && strings.Contains(err.Error(), inner) && !strings.Contains(source, inner) {
				t.Errorf("%v", err)
			}
		}
	})
}

func BenchmarkTemplate(b *testing.B) {
	source := `{"text": {{json .Message}}, "blocks": [{{range $i, $a := .Alerts}}{{if $i}},{{end}}{"id": {{.ID}}, "title": {{json (truncate 100 .Message)}}}{{end}}]}`
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			if _, err := Compile(source); err != nil {
				b.Fatal(err)
			}
		}
	})
	tmpl, err := Compile(source)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("execute", func(b *testing.B) {
		for b.Loop() {
			if _, err := tmpl.Execute(view()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
