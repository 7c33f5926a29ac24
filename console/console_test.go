package console

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, method, target string, header http.Header) *http.Response {
	t.Helper()
	request := httptest.NewRequest(method, target, nil)
	for name, values := range header {
		request.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	Handler().ServeHTTP(recorder, request)
	return recorder.Result()
}

func body(t *testing.T, response *http.Response) []byte {
	t.Helper()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestHandler_Answers(t *testing.T) {
	for _, test := range []struct {
		method, target string
		status         int
		base           string
	}{
		{http.MethodGet, "/", http.StatusOK, "./"},
		{http.MethodGet, "/?severity=HIGH", http.StatusOK, "./"},
		{http.MethodHead, "/alerts", http.StatusOK, ""},
		{http.MethodGet, "/alerts", http.StatusOK, "./"},
		{http.MethodGet, "/alerts/12", http.StatusOK, "../"},
		{http.MethodGet, "/channels/12?x", http.StatusOK, "../"},
		{http.MethodGet, "/rustbuckets/a%2fb", http.StatusOK, "../"},
		{http.MethodGet, "/alerts/", http.StatusNotFound, ""},
		{http.MethodGet, "/alerts/012", http.StatusNotFound, ""},
		{http.MethodGet, "/alerts/x", http.StatusNotFound, ""},
		{http.MethodGet, "/channels/1/2", http.StatusNotFound, ""},
		{http.MethodGet, "/nothing", http.StatusNotFound, ""},
		{http.MethodGet, "/console", http.StatusNotFound, ""},
		{http.MethodGet, "/console/", http.StatusNotFound, ""},
		{http.MethodGet, "/console/index.html", http.StatusNotFound, ""},
		{http.MethodGet, "/console/assets/none.js", http.StatusNotFound, ""},
		{http.MethodGet, "/console/../go.mod", http.StatusNotFound, ""},
		{http.MethodGet, "/console/licenses.md", http.StatusOK, ""},
		{http.MethodPost, "/", http.StatusMethodNotAllowed, ""},
	} {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			response := get(t, test.method, test.target, nil)
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}
			policy := response.Header.Get("Content-Security-Policy")
			if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'; script-src 'self'; style-src 'self';") {
				t.Errorf("policy %q", policy)
			}
			if page := body(t, response); test.base != "" && !bytes.Contains(page, []byte(`<meta name="base" content="`+test.base+`" />`)) {
				t.Errorf("the page does not say that the root is at %s: %s", test.base, page)
			}
		})
	}
}

func TestHandler_PageNamesNoOtherHostAndOnlyPartsThatAreThere(t *testing.T) {
	response := get(t, http.MethodGet, "/alerts/12", nil)
	page := body(t, response)
	if found := regexp.MustCompile(`(?i)\w+://|["'(]//`).Find(page); found != nil {
		t.Errorf("the page names a host: %s", found)
	}
	if bytes.Contains(page, []byte("<script>")) || bytes.Contains(page, []byte("<style")) || bytes.Contains(page, []byte("style=")) {
		t.Error("the page has inline scripts or styles")
	}
	named := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllSubmatch(page, -1)
	if len(named) < 3 {
		t.Fatalf("the page names %d parts: %s", len(named), page)
	}
	for _, match := range named {
		name, ok := strings.CutPrefix(string(match[1]), "../console/assets/")
		if !ok {
			t.Errorf("the page names %s", match[1])
		}
		if response := get(t, http.MethodGet, "/console/assets/"+name, nil); response.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", name, response.StatusCode)
		}
	}
	again := get(t, http.MethodGet, "/alerts/13", http.Header{"If-None-Match": {response.Header.Get("Etag")}})
	if response.Header.Get("Cache-Control") != "no-cache" || again.StatusCode != http.StatusNotModified {
		t.Errorf("%v, and unchanged it is answered with %d", response.Header, again.StatusCode)
	}
}

func TestHandler_ServesEveryPart(t *testing.T) {
	parts := 0
	err := fs.WalkDir(embedded, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Base(name) == "index.html" {
			return err
		}
		parts++
		target := "/console/" + strings.TrimSuffix(strings.TrimPrefix(name, "dist/"), ".gz")
		response := get(t, http.MethodGet, target, nil)
		content := body(t, response)
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") == "" || len(content) == 0 || bytes.Contains(content, []byte("sourceMappingURL=")) {
			t.Errorf("%s: status %d, %v, %d bytes", target, response.StatusCode, response.Header, len(content))
		}
		return nil
	})
	if err != nil || parts < 4 {
		t.Fatalf("dist has %d parts, %v: run make console", parts, err)
	}
}
