// Package assets serves the pages that are in the binary: what a build has left in a folder dist, which is committed, so that
// building the server needs no Node. No page names another host, and each may do only what its policy says.
package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// contentTypes has every kind of file in a dist; the system's MIME tables are not asked, as they differ.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".md":   "text/plain; charset=utf-8",
	".svg":  "image/svg+xml",
	".ttf":  "font/ttf",
}

// basePlace is replaced in a page by the way from its address to the server's root.
const basePlace = "__base__/"

// Dist is a page with its parts: index.html as it is, and everything else compressed, under its name with .gz behind it.
type Dist struct {
	files  fs.FS
	policy string
}

// NewDist takes the folder dist of files. The policy is the page's Content-Security-Policy.
func NewDist(files fs.FS, policy string) Dist {
	below, err := fs.Sub(files, "dist")
	if err != nil {
		panic(err) // not with a constant, valid path
	}
	return Dist{below, policy}
}

// Begin sets the policy, and refuses what is neither GET nor HEAD: then it answers and gives false.
func (d Dist) Begin(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Content-Security-Policy", d.policy)
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "only GET and HEAD are answered here", http.StatusMethodNotAllowed)
	return false
}

// Page sends index.html. base is the relative way from the page's address to the server's root, such as `./` or `../`: so a proxy
// may serve all of it below a prefix that the server knows nothing of.
func (d Dist) Page(w http.ResponseWriter, r *http.Request, base string) {
	page, err := fs.ReadFile(d.files, "index.html")
	if err != nil {
		http.Error(w, "the page is not in this binary", http.StatusInternalServerError)
		return
	}
	page = bytes.ReplaceAll(page, []byte(basePlace), []byte(base))
	header := w.Header()
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Type", contentTypes[".html"])
	header.Set("ETag", etag(page))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page))
}

// Part sends another file of dist, compressed for whoever takes that; 404 for a name that is none.
func (d Dist) Part(w http.ResponseWriter, r *http.Request, name string) {
	packed, err := fs.ReadFile(d.files, name+".gz")
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
		http.Error(w, "the page in this binary is damaged", http.StatusInternalServerError)
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
