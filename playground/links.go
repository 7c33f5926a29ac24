package playground

import (
	"net/http"
	"net/url"
	"strconv"
)

// alertQuery shows an alert and what became of it.
const alertQuery = `# The alert that the link is about. Ctrl-Enter runs.
query ShowAlert($id: ID!) {
  alert(id: $id) {
    id
    type
    severity
    message
    details
    rustbucket { id name }
    occurrences
    isResolved
    createdAt
    resolvedAt
    deliveries {
      channel { name type }
      kind
      status
      error
      attemptLog { number startedAt statusCode error response }
    }
  }
}
`

// Links answers /alerts/{id}, where messages link to: it leads to the page with a query that shows the alert, ready to be run.
// Whether there is such an alert is nobody's business who has no token.
func Links() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.PathValue("id")
		id, err := strconv.ParseInt(given, 10, 64)
		if err != nil || id < 1 || strconv.FormatInt(id, 10) != given {
			http.NotFound(w, r)
			return
		}
		values := url.Values{"query": {alertQuery}, "variables": {`{"id": "` + given + `"}`}}
		header := w.Header()
		header.Set("Location", "../playground?"+values.Encode()) // by hand: http.Redirect would drop a proxy's prefix
		w.WriteHeader(http.StatusFound)
	})
}
