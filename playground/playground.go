// Package playground serves GraphiQL, the page to try the API on. All of it comes from the binary, so it works with no
// internet, and it never names another host to the browser but in links that a person may follow.
//
// The page is public and holds nothing: it asks for a token, gets a session cookie for it, which no script can read, and keeps
// no token itself.
//
// What is served is dist/, which is committed, so building the server needs no Node. `make playground` builds it anew from
// web/ (npm ci && npm run build); the same sources give the same files, byte for byte.
package playground

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed all:dist
var embedded embed.FS

// policy is the page's Content-Security-Policy. The editor sets styles inline, hence 'unsafe-inline' there; connect-src
// 'self' covers the WebSocket to the same host and port as well.
const policy = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// contentTypes has every kind of file in dist; the system's MIME tables are not asked, as they differ.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".md":   "text/plain; charset=utf-8",
	".svg":  "image/svg+xml",
	".ttf":  "font/ttf",
}

// Handler answers GET and HEAD for the page at / and /playground, and for its parts below /playground/. Everything else is
// 404. The page names its parts and /graphql relatively, so a proxy may serve all of it below a prefix.
func Handler() http.Handler {
	files, err := fs.Sub(embedded, "dist")
	if err != nil {
		panic(err) // not with a constant, valid path
	}
	return handler{files}
}

type handler struct{ files fs.FS }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are answered here", http.StatusMethodNotAllowed)
		return
	}

	name, below := strings.CutPrefix(r.URL.Path, "/playground/")
	switch {
	case r.URL.Path == "/" || r.URL.Path == "/playground":
		h.servePage(w, r)
	case below && name == "":
		header.Set("Location", "../playground") // by hand: http.Redirect would drop a proxy's prefix
		w.WriteHeader(http.StatusMovedPermanently)
	case below && fs.ValidPath(name):
		h.servePart(w, r, name)
	default:
		http.NotFound(w, r)
	}
}

func (h handler) servePage(w http.ResponseWriter, r *http.Request) {
	page, err := fs.ReadFile(h.files, "index.html")
	if err != nil {
		http.Error(w, "the playground is not in this binary", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Type", contentTypes[".html"])
	header.Set("ETag", etag(page))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page))
}

// servePart sends a file of dist, which holds it compressed.
func (h handler) servePart(w http.ResponseWriter, r *http.Request, name string) {
	packed, err := fs.ReadFile(h.files, name+".gz")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "no-cache")
	if path.Dir(name) == "assets" { // these have a hash of the content in the name
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	header.Set("Content-Type", contentTypes[path.Ext(name)])
	header.Set("Vary", "Accept-Encoding")

	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		header.Set("ETag", etag(packed))
		if r.Header.Get("Range") != "" {
			r = r.Clone(r.Context())
			r.Header.Del("Range") // ServeContent would leave the length out of a part of an encoded body
		}
		header.Set("Content-Length", strconv.Itoa(len(packed))) // ServeContent sets none beside an encoding
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(packed))
		return
	}
	plain, err := unpack(packed)
	if err != nil {
		http.Error(w, "the playground in this binary is damaged", http.StatusInternalServerError)
		return
	}
	header.Set("ETag", etag(plain))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(plain))
}

func unpack(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

func etag(content []byte) string {
	sum := sha256.Sum256(content)
	return fmt.Sprintf(`"%x"`, sum[:12])
}

// acceptsGzip reads Accept-Encoding as RFC 9110, section 12.5.3, has it: gzip, x-gzip or * with a weight above zero.
func acceptsGzip(values []string) bool {
	accepted := false
	for _, item := range strings.Split(strings.Join(values, ","), ",") {
		coding, parameters, _ := strings.Cut(item, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(parameters), " ", ""), "q="); ok {
			var err error
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				weight = 0
			}
		}
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return weight > 0
		case "*":
			accepted = weight > 0
		}
	}
	return accepted
}
