// Package playground serves GraphiQL, the page to try the API on. All of it comes from the binary, so it works with no
// internet, and it never names another host to the browser but in links that a person may follow.
//
// The page is public and holds nothing: it asks for a token, gets a session cookie for it, which no script can read, and keeps
// no token itself. `/playground?query=…&variables=…` opens a query in a tab of its own, and runs nothing.
//
// What is served is dist/, which is committed, so building the server needs no Node. `make playground` builds it anew from
// web/ (npm ci && npm run build); the same sources give the same files, byte for byte.
package playground

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"

	"github.com/rustbucket/alerts/assets"
)

//go:embed all:dist
var embedded embed.FS

// policy is the page's Content-Security-Policy. The editor sets styles inline, hence 'unsafe-inline' there; connect-src
// 'self' covers the WebSocket to the same host and port as well.
const policy = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler answers GET and HEAD for the page at /playground, and for its parts below /playground/. Everything else is 404. The page
// names its parts and /graphql relatively, so a proxy may serve all of it below a prefix.
func Handler() http.Handler { return handler{assets.NewDist(embedded, policy)} }

type handler struct{ dist assets.Dist }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.dist.Begin(w, r) {
		return
	}
	name, below := strings.CutPrefix(r.URL.Path, "/playground/")
	switch {
	case r.URL.Path == "/playground":
		h.dist.Page(w, r, "./")
	case below && name == "":
		w.Header().Set("Location", "../playground") // by hand: http.Redirect would drop a proxy's prefix
		w.WriteHeader(http.StatusMovedPermanently)
	case below && fs.ValidPath(name):
		h.dist.Part(w, r, name)
	default:
		http.NotFound(w, r)
	}
}
