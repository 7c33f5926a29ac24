package notifiers

import (
	"html/template"
	"strings"

	"github.com/rustbucket/alerts/models"
)

// mailTone is how bad the news looks: as a class for programs that show mail in dark, and as a colour for all others.
type mailTone struct{ Class, Color string }

var (
	toneHigh   = mailTone{"high", "#c62828"}
	toneMedium = mailTone{"medium", "#8a5000"}
	toneGood   = mailTone{"good", "#2e7d32"} // LOW, and what is over
)

func toneOf(s models.Severity) mailTone {
	switch s {
	case models.SeverityHigh:
		return toneHigh
	case models.SeverityMedium:
		return toneMedium
	}
	return toneGood
}

// mailTemplates are "alert" and "digest": plain enough for every mail program, and one column, so that a phone need not zoom. Colours
// stand in the elements, since some programs drop style sheets; those that know of dark mode find its colours in the sheet. Every text
// has a contrast of 4.5 to its ground at least, in both (WCAG 2.2, 1.4.3, level AA).
func mailTemplates() *template.Template {
	return template.Must(template.New("mail").Parse(`
{{define "top"}}<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
.page { background: #0d1117 !important; color: #e6edf3 !important; }
.card { background: #161b22 !important; }
.text { color: #e6edf3 !important; }
.muted { color: #9da7b3 !important; }
.code { background: #0d1117 !important; color: #e6edf3 !important; }
.rule { border-color: #30363d !important; }
.link { color: #79b8ff !important; }
.button { background: #79b8ff !important; color: #0d1117 !important; }
.badge { color: #0d1117 !important; }
.badge.high { background: #ff8a80 !important; }
.badge.medium { background: #f0b75e !important; }
.badge.good { background: #7ee787 !important; }
.edge.high { border-color: #ff8a80 !important; }
.edge.medium { border-color: #f0b75e !important; }
.edge.good { border-color: #7ee787 !important; }
}
@media (max-width: 480px) {
.page { padding: 8px !important; }
.card { padding: 16px !important; }
.button { display: block !important; text-align: center !important; }
}
</style>
</head>
<body class="page" style="margin:0;padding:24px;background:#f4f4f5;color:#1f2328;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5">
<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">{{.Preview}}</div>
<div class="card edge {{.Tone.Class}}" style="max-width:600px;margin:0 auto;background:#ffffff;border-top:6px solid {{.Tone.Color}};border-radius:8px;padding:20px 24px">
<p style="margin:0 0 10px"><span class="badge {{.Tone.Class}}" style="display:inline-block;padding:2px 12px;border-radius:12px;background:{{.Tone.Color}};color:#ffffff;font-size:13px;font-weight:bold;letter-spacing:.03em">{{.Badge}}</span></p>
<h1 class="text" dir="auto" style="margin:0 0 12px;font-size:20px;line-height:1.3;color:#1f2328;overflow-wrap:anywhere">{{.Title}}</h1>
{{end}}
{{define "facts"}}<table cellpadding="0" cellspacing="0" style="width:100%;border-collapse:collapse;font-size:15px">
{{range .}}<tr><th scope="row" class="muted rule" style="padding:6px 16px 6px 0;border-top:1px solid #e4e7eb;color:#59636e;font-weight:normal;text-align:left;vertical-align:top;white-space:nowrap">{{.Name}}</th><td class="text rule" dir="auto" style="width:100%;padding:6px 0;border-top:1px solid #e4e7eb;color:#1f2328;overflow-wrap:anywhere">{{.Value}}</td></tr>
{{end}}</table>
{{end}}
{{define "details"}}<h2 class="text" style="margin:20px 0 6px;font-size:15px;color:#1f2328">Details</h2>
<table cellpadding="0" cellspacing="0" style="width:100%;table-layout:fixed;border-collapse:collapse;font-size:14px">
{{range .Rows}}<tr><th scope="row" class="muted rule" dir="auto" style="width:32%;padding:6px 12px 6px 0;border-top:1px solid #e4e7eb;color:#59636e;font-weight:normal;text-align:left;vertical-align:top;overflow-wrap:anywhere">{{.Name}}</th><td class="text rule" dir="auto" style="padding:6px 0;border-top:1px solid #e4e7eb;color:#1f2328;vertical-align:top;overflow-wrap:anywhere;white-space:pre-wrap{{if .Code}};font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px{{end}}">{{.Value}}</td></tr>
{{end}}</table>
{{if .Left}}<p class="muted" style="margin:6px 0 0;color:#59636e;font-size:14px">and {{.Left}} more.</p>
{{end}}{{end}}
{{define "button"}}{{if .URL}}<p style="margin:20px 0 4px"><a class="button" href="{{.URL}}" style="display:inline-block;padding:11px 22px;border-radius:6px;background:#0b57d0;color:#ffffff;font-weight:bold;text-decoration:none">{{.Words}}</a></p>
{{end}}{{end}}
{{define "bottom"}}</div>
<p class="muted" style="max-width:600px;margin:12px auto 0;padding:0 24px;color:#59636e;font-size:13px">Rustbucket Alerts</p>
</body>
</html>
{{end}}
{{define "alert"}}{{template "top" .}}{{with .News}}<p class="text" style="margin:0 0 12px;color:#1f2328;font-weight:bold">{{.}}</p>
{{end}}<p class="text" dir="auto" style="margin:0 0 16px;color:#1f2328;white-space:pre-wrap;overflow-wrap:anywhere">{{.Message}}</p>
{{template "facts" .Facts}}{{with .Details}}{{template "details" .}}{{end}}{{template "button" .Button}}{{template "bottom" .}}{{end}}
{{define "digest"}}{{template "top" .}}{{template "facts" .Facts}}<h2 class="text" style="margin:20px 0 8px;font-size:15px;color:#1f2328">The worst first</h2>
<ul style="margin:0 0 16px;padding:0;list-style:none;font-size:15px">
{{range .Lines}}<li class="text edge {{.Tone.Class}}" dir="auto" style="margin:0 0 10px;padding:0 0 0 12px;border-left:4px solid {{.Tone.Color}};color:#1f2328;overflow-wrap:anywhere">{{.Text}}{{if .URL}} <a class="link" href="{{.URL}}" style="color:#0b57d0">Open</a>{{end}}</li>
{{end}}</ul>
<p class="text" style="margin:0 0 8px;color:#1f2328">{{.Rest}}</p>
<pre class="code" style="margin:0;padding:10px 12px;border-radius:6px;background:#f4f4f5;color:#1f2328;font-size:13px;white-space:pre-wrap;overflow-wrap:anywhere">{{.Query}}</pre>
{{template "button" .Button}}{{template "bottom" .}}{{end}}`))
}

// mailButton leads to the server; without a URL there is none.
type mailButton struct{ URL, Words string }

// previewOf is what a list of mails shows behind the subject. What is invisible behind it keeps the mail's own beginning out.
func previewOf(words ...string) string {
	return strings.Join(words, " · ") + strings.Repeat(" \u034f\u200c", 60)
}
