package notifiers

import "html/template"

// mailTemplates are "alert" and "digest": plain enough for every mail program, and one column, so that a phone need not zoom.
func mailTemplates() *template.Template {
	return template.Must(template.New("mail").Parse(`
{{define "top"}}<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
</head>
<body style="margin:0;padding:16px;background:#f4f4f5;color:#1f2328;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5">
<div style="max-width:600px;margin:0 auto;background:#ffffff;border-top:6px solid {{.Color}};border-radius:6px;padding:16px 20px">
<h1 style="margin:0 0 12px;font-size:20px;color:{{.Color}};overflow-wrap:anywhere">{{.Title}}</h1>
{{end}}
{{define "facts"}}<table role="presentation" cellpadding="0" cellspacing="0" style="width:100%;border-collapse:collapse;font-size:15px">
{{range .}}<tr><td style="padding:4px 12px 4px 0;color:#59636e;vertical-align:top;white-space:nowrap">{{.Name}}</td><td style="padding:4px 0;overflow-wrap:anywhere">{{.Value}}</td></tr>
{{end}}</table>
{{end}}
{{define "bottom"}}</div>
<p style="max-width:600px;margin:12px auto 0;color:#59636e;font-size:13px">Rustbucket Alerts</p>
</body>
</html>
{{end}}
{{define "alert"}}{{template "top" .}}{{with .News}}<p style="margin:0 0 16px;font-weight:bold">{{.}}</p>
{{end}}<p style="margin:0 0 16px;white-space:pre-wrap;overflow-wrap:anywhere">{{.Message}}</p>
{{template "facts" .Facts}}{{template "bottom" .}}{{end}}
{{define "digest"}}{{template "top" .}}{{template "facts" .Facts}}<ul style="margin:16px 0;padding:0;list-style:none;font-size:15px">
{{range .Lines}}<li style="margin:0 0 8px;padding:0 0 0 10px;border-left:4px solid {{.Color}};overflow-wrap:anywhere">{{.Text}}</li>
{{end}}</ul>
<p style="margin:0 0 8px">{{.Rest}}</p>
<pre style="margin:0;padding:8px;background:#f4f4f5;font-size:13px;white-space:pre-wrap;overflow-wrap:anywhere">{{.Query}}</pre>
{{template "bottom" .}}{{end}}`))
}
