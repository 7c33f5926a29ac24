package main

import "net/http"

// headers are on every answer; a handler that knows better sets its own. The policy is for what is no page: should a browser
// take it for one, it may do nothing.
var headers = map[string]string{
	"Cache-Control":                "no-store",
	"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"Cross-Origin-Resource-Policy": "same-origin", // pages that ALLOWED_ORIGINS names ask by CORS, which this leaves alone
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
}

// onlyTLS makes browsers come back over TLS for half a year.
const onlyTLS = "max-age=15552000"

func setHeaders(h http.Header, overTLS bool) {
	for name, value := range headers {
		h.Set(name, value)
	}
	if overTLS {
		h.Set("Strict-Transport-Security", onlyTLS)
	}
}
