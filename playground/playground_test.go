package playground

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strconv"
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

// parts names every file that the page may ask for.
func parts(t *testing.T) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(embedded, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && path.Base(name) != "index.html" {
			names = append(names, "/playground/"+strings.TrimSuffix(strings.TrimPrefix(name, "dist/"), ".gz"))
		}
		return err
	})
	if err != nil || len(names) < 10 {
		t.Fatalf("dist has %d parts, %v: run make playground", len(names), err)
	}
	return names
}

func TestHandler_Answers(t *testing.T) {
	for _, test := range []struct {
		method, target string
		status         int
	}{
		{http.MethodGet, "/playground", http.StatusOK},
		{http.MethodGet, "/playground?x=1", http.StatusOK},
		{http.MethodHead, "/playground", http.StatusOK},
		{http.MethodGet, "/playground/", http.StatusMovedPermanently},
		{http.MethodPost, "/playground", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/playground", http.StatusMethodNotAllowed},
		{http.MethodGet, "/playground/assets", http.StatusNotFound},
		{http.MethodGet, "/playground/assets/", http.StatusNotFound},
		{http.MethodGet, "/playground/assets/none.js", http.StatusNotFound},
		{http.MethodGet, "/playground/index.html", http.StatusNotFound},
		{http.MethodGet, "/playground/../go.mod", http.StatusNotFound},
		{http.MethodGet, "/playground/assets/..%2f..%2findex.html", http.StatusNotFound},
		{http.MethodGet, "/favicon.ico", http.StatusNotFound},
	} {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			response := get(t, test.method, test.target, nil)
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}
			content := body(t, response)
			if test.method == http.MethodHead && len(content) > 0 {
				t.Errorf("HEAD has a body of %d bytes", len(content))
			}
			policy := response.Header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("policy %q lacks %q", policy, want)
				}
			}
		})
	}
}

func TestHandler_SendsSlashHomeBelowAnyPrefix(t *testing.T) {
	if got := get(t, http.MethodGet, "/playground/", nil).Header.Get("Location"); got != "../playground" {
		t.Errorf("location %q", got)
	}
}

func TestHandler_PageIsAskedForEveryTime(t *testing.T) {
	response := get(t, http.MethodGet, "/playground", nil)
	if got := response.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if got := response.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("cache control %q", got)
	}
	again := get(t, http.MethodGet, "/playground", http.Header{"If-None-Match": {response.Header.Get("Etag")}})
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("unchanged page: status %d", again.StatusCode)
	}
}

func TestHandler_PageNamesNoOtherHostAndOnlyPartsThatAreThere(t *testing.T) {
	page := body(t, get(t, http.MethodGet, "/playground", nil))
	if found := regexp.MustCompile(`(?i)\w+://|["'(]//`).Find(page); found != nil {
		t.Errorf("the page names a host: %s", found)
	}
	if bytes.Contains(page, []byte("<script>")) || bytes.Contains(page, []byte("<style")) {
		t.Error("the page has inline scripts or styles")
	}
	named := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllSubmatch(page, -1)
	if len(named) < 3 {
		t.Fatalf("the page names %d parts: %s", len(named), page)
	}
	for _, match := range named {
		if !strings.HasPrefix(string(match[1]), "playground/assets/") {
			t.Errorf("the page names %s", match[1])
		}
		if response := get(t, http.MethodGet, "/"+string(match[1]), nil); response.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", match[1], response.StatusCode)
		}
	}
}

func TestHandler_ServesEveryPart(t *testing.T) {
	for _, name := range parts(t) {
		t.Run(name, func(t *testing.T) {
			packed := get(t, http.MethodGet, name, http.Header{"Accept-Encoding": {"gzip, br"}})
			plain := get(t, http.MethodGet, name, nil)
			for _, response := range []*http.Response{packed, plain} {
				if response.StatusCode != http.StatusOK {
					t.Fatalf("status %d", response.StatusCode)
				}
				if response.Header.Get("Content-Type") == "" {
					t.Error("no content type")
				}
				cache := response.Header.Get("Cache-Control")
				if hashed := strings.Contains(name, "/assets/"); hashed != strings.Contains(cache, "immutable") {
					t.Errorf("cache control %q", cache)
				}
				if response.Header.Get("Vary") != "Accept-Encoding" {
					t.Error("no Vary")
				}
			}
			if packed.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("Content-Encoding") != "" {
				t.Fatalf("encodings %q, %q", packed.Header.Get("Content-Encoding"), plain.Header.Get("Content-Encoding"))
			}
			if packed.Header.Get("Etag") == plain.Header.Get("Etag") {
				t.Error("both encodings have one ETag")
			}
			sent := body(t, packed)
			if got := packed.Header.Get("Content-Length"); got != strconv.Itoa(len(sent)) {
				t.Errorf("content length %q of %d", got, len(sent))
			}
			reader, err := gzip.NewReader(bytes.NewReader(sent))
			if err != nil {
				t.Fatal(err)
			}
			unpacked, err := io.ReadAll(reader)
			if err != nil {
				t.Fatal(err)
			}
			content := body(t, plain)
			if !bytes.Equal(unpacked, content) || len(content) == 0 {
				t.Errorf("%d bytes packed, %d plain, and not the same", len(unpacked), len(content))
			}
			if bytes.Contains(content, []byte("sourceMappingURL=")) {
				t.Error("names a source map")
			}
		})
	}
}

func TestHandler_RangeOfPackedPartIsTheWhole(t *testing.T) {
	name := parts(t)[0]
	response := get(t, http.MethodGet, name, http.Header{"Accept-Encoding": {"gzip"}, "Range": {"bytes=0-9"}})
	if got := len(body(t, response)); response.StatusCode != http.StatusOK || got <= 10 {
		t.Errorf("status %d, %d bytes", response.StatusCode, got)
	}
}
