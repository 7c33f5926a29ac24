package notifiers

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/rustbucket/alerts/models"
)

// What the notifiers have in common that open and close incidents.

// ourName is how this program names itself where an incident comes from.
const ourName = "Rustbucket Alerts"

// maxWords is how much of a service's own words goes into an error, in characters.
const maxWords = 300

// incidentTitle names an incident: "ERROR: Rustbucket node1 is not responding".
func incidentTitle(a *models.Alert, limit int, long measure) string {
	return cut(cutRunes(strings.ToUpper(oneLine(a.Type)), 60)+": "+oneLine(a.Message), limit, long)
}

// stamp writes a moment as RFC 3339 has it, to the microsecond.
func stamp(t time.Time) string { return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano) }

// keySecrets is what a config hides that has a key and perhaps a URL.
func keySecrets(key string, endpoint *string) redactor {
	var r redactor
	if endpoint != nil {
		r = urlSecrets(*endpoint)
	}
	r.add(key)
	return r.sorted()
}

// explained puts a service's own words, free of secrets, behind what the status says.
func explained(o Outcome, words string) Outcome {
	if words != "" {
		o.Error = cutRunes(o.Error+": "+words, maxErrorRunes)
	}
	return o
}

// readAnswer reads an answer in JSON into v. One that is none gives its words, but for pages that are made to be looked at.
func readAnswer(body string, v any) (plain string) {
	body = strings.TrimSpace(body)
	if json.Unmarshal([]byte(body), v) == nil || strings.HasPrefix(body, "<") || strings.HasPrefix(body, "{") {
		return ""
	}
	return firstWords(body, maxWords)
}
