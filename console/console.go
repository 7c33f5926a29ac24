// Package console serves the page from which people operate the server: all of it comes from the binary, so it works with no
// internet.
//
// The page is public and holds nothing: it signs in for a session cookie, which no script can read, and does everything through
// the GraphQL API that is there for everybody.
//
// What is served is dist/, which is committed, so building the server needs no Node. `make console` builds it anew from web/
// (npm ci && npm run build); the same sources give the same files, byte for byte.
package console

import (
	"embed"
	"io/fs"
	"net/http"
	"strconv"
	"strings"

	"github.com/rustbucket/alerts/assets"
)

//go:embed all:dist
var embedded embed.FS

// policy is the page's Content-Security-Policy: nothing inline, nothing from elsewhere. connect-src 'self' covers the WebSocket to
// the same host and port as well.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// views are the page's own paths, as web/src/views.tsx has them. Below each there may be one more part, the id of what is shown.
var views = map[string]bool{
	"alerts": true, "channels": true, "deliveries": true, "overview": true, "silences": true, "rustbuckets": true, "tokens": true, "audit": true,
}

// Handler answers GET and HEAD for the page at / and at each view, and for its parts below /console/. Everything else is 404. The
// page finds its parts and the API relatively, so a proxy may serve all of it below a prefix.
func Handler() http.Handler { return handler{assets.NewDist(embedded, policy)} }

type handler struct{ dist assets.Dist }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.dist.Begin(w, r) {
		return
	}
	if name, below := strings.CutPrefix(r.URL.Path, "/console/"); below && fs.ValidPath(name) {
		h.dist.Part(w, r, name)
		return
	}
	base, ok := toRoot(r.URL.EscapedPath())
	if !ok {
		http.NotFound(w, r)
		return
	}
	h.dist.Page(w, r, base)
}

// toRoot gives the relative way from a path of the page to the root; false for what is no path of it. Whether there is an alert of
// some number is nobody's business who has no token.
func toRoot(path string) (string, bool) {
	view, id, below := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case path == "/":
		return "./", true
	case !views[view] || strings.Contains(id, "/") || below && id == "":
		return "", false
	case !below:
		return "./", true
	case view == "alerts" && !isID(id):
		return "", false
	}
	return "../", true
}

func isID(text string) bool {
	id, err := strconv.ParseInt(text, 10, 64)
	return err == nil && id > 0 && strconv.FormatInt(id, 10) == text
}
