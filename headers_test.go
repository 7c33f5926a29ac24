package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rustbucket/alerts/access"
)

// Every path, and what may be kept of it.
var paths = map[string]string{
	"/":                                  "no-cache",
	"/playground":                        "no-cache",
	"/playground/":                       "no-store",
	"/playground/licenses.md":            "no-cache",
	"/playground/nothing":                "no-store",
	"/alerts":                            "no-cache",
	"/alerts/1":                          "no-cache",
	"/console/licenses.md":               "no-cache",
	"/alerts/x":                          "no-store",
	"/graphql":                           "no-store",
	"/graphql?query=%7Bviewer%7Bname%7D": "no-store",
	"/session":                           "no-store",
	"/metrics":                           "no-store",
	"/healthz":                           "no-store",
	"/readyz":                            "no-store",
	"/nothing":                           "no-store",
	"//graphql":                          "no-store", // cleaned by a redirect
}

func TestHeaders_AreOnEveryAnswer(t *testing.T) {
	s := startServer(t, "", "TRUSTED_PROXIES=127.0.0.0/8")
	starting := httptest.NewServer(newFront(nil))
	defer starting.Close()
	for path, cache := range paths {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions} {
			for _, token := range []string{"", testToken} {
				res, _ := s.send(method, path, "", "Authorization", "Bearer "+token, "Origin", s.url)
				if method != http.MethodGet && method != http.MethodHead {
					cache = "no-store"
				}
				checkHeaders(t, method+" "+path, res, cache)
			}
		}
		early := &server{t: t, url: starting.URL}
		res, _ := early.send(http.MethodGet, path, "")
		checkHeaders(t, "early GET "+path, res, paths[path])
	}
	page, _ := s.send(http.MethodGet, "/playground", "")
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self';") {
		t.Errorf("the page's policy is %s", policy)
	}
}

func checkHeaders(t *testing.T, what string, res *http.Response, cache string) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control": cache, "Strict-Transport-Security": "",
	} {
		if got := res.Header.Values(name); strings.Join(got, ",") != want {
			t.Errorf("%s: %d, %s: %q, want %q", what, res.StatusCode, name, got, want)
		}
	}
	policy := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%s: the policy %q lacks %q", what, policy, want)
		}
	}
}

func TestHeaders_AnEventStreamIsNotKept(t *testing.T) {
	s := startServer(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/graphql", strings.NewReader(`{"query": "subscription { feed { cursor } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + testToken}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("it is no stream: %v", res.Header)
	}
	checkHeaders(t, "a stream", res, "no-store")
}

func TestHeaders_OverTLSBrowsersAreToldToStayThere(t *testing.T) {
	const name = "Strict-Transport-Security"
	secure := httptest.NewTLSServer(newFront(nil))
	defer secure.Close()
	res, err := secure.Client().Get(secure.URL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get(name); got != onlyTLS {
		t.Errorf("over TLS: %q", got)
	}
	for proxies, want := range map[string]string{"127.0.0.0/8": onlyTLS, "192.0.2.0/24": ""} {
		c, err := loadConfig([]string{"TRUSTED_PROXIES=" + proxies}, "")
		if err != nil {
			t.Fatal(err)
		}
		behind := httptest.NewServer(newFront(access.Proxies(c.TrustedProxies)))
		defer behind.Close()
		res, _ := (&server{t: t, url: behind.URL}).send(http.MethodGet, "/healthz", "", "X-Forwarded-Proto", "https")
		if got := res.Header.Get(name); got != want {
			t.Errorf("with TRUSTED_PROXIES=%s: %q", proxies, got)
		}
	}
}
