package notifiers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rustbucket/alerts/models"
)

const opsgenieURL = "https://api.opsgenie.com/v2/alerts"

// opsgenie opens and closes alerts by Opsgenie's Alert API (https://docs.opsgenie.com/docs/alert-api), which Jira Service
// Management speaks, too. The service takes a request first and works on it later: what became of it has to be asked for.
type opsgenie struct {
	*poster
	pauses []time.Duration // before each question what became of a request
	within time.Duration   // the questions and the pauses together
}

func newOpsgenie(p *poster) *opsgenie {
	return &opsgenie{
		poster: p,
		pauses: []time.Duration{
			100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 700 * time.Millisecond, 1200 * time.Millisecond,
		},
		within: 3 * time.Second,
	}
}

func (o *opsgenie) Send(ctx context.Context, n Notification) Outcome {
	config := n.Config.(*models.OpsgenieConfig)
	raw := opsgenieURL
	if config.URL != nil {
		raw = *config.URL
	}
	endpoint, err := url.Parse(raw)
	if err != nil { // its text holds the URL
		return Outcome{Result: ChannelBroken, Error: "the channel's URL cannot be used"}
	}
	r := &opsgenieRequest{
		endpoint: endpoint,
		header:   http.Header{"Authorization": {"GenieKey " + config.APIKey}},
		secrets:  func() redactor { return keySecrets(config.APIKey, config.URL) },
		action:   opsgenieActions[n.tells()],
	}
	target, body := raw, any(nil)
	if r.action != "" {
		at := r.at(n.AlertKey, r.action)
		if at.RawQuery != "" {
			at.RawQuery += "&"
		}
		at.RawQuery += "identifierType=alias"
		target, body = at.String(), opsgenieNoting(n)
	} else {
		body = o.opening(n)
	}
	var id string
	outcome := o.postJSON(ctx, target, r.header, body, r.secrets, func(a answer) Outcome {
		id = requestID(a)
		return o.judge(a, r.action)
	})
	if outcome.Result != Delivered || outcome.StatusCode >= 300 {
		return outcome
	}
	return o.followUp(ctx, r, id, outcome)
}

// opsgenieRequest is one request to the service, and what asks for its result.
type opsgenieRequest struct {
	endpoint *url.URL
	header   http.Header
	secrets  func() redactor
	action   string // what it does with an alert; empty = it creates one
}

// opsgenieActions are what is done with an alert that the service has. All else creates one: a closed one with the same alias is
// created anew.
var opsgenieActions = map[models.DeliveryKind]string{models.TellResolved: "close", models.TellAcknowledged: "acknowledge"}

// at is a place below the channel's URL, whose query stays.
func (r *opsgenieRequest) at(segments ...string) *url.URL {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return r.endpoint.JoinPath(segments...)
}

// opsgenieAnswer is what the service says, both of a request that it took or refused and, in data, of one that it has worked
// on. Jira Service Management documents the latter without data around it.
type opsgenieAnswer struct {
	Message   string         `json:"message"`
	Errors    map[string]any `json:"errors"`
	RequestID string         `json:"requestId"`
	Data      *opsgenieResult
	opsgenieResult
}

// opsgenieResult is what became of a request. IsSuccess is nil when the answer is about something else.
type opsgenieResult struct {
	IsSuccess *bool  `json:"isSuccess"`
	Status    string `json:"status"` // such as "Created alert", "Alert does not exist"
}

func (a opsgenieAnswer) result() opsgenieResult {
	if a.Data != nil {
		return *a.Data
	}
	return a.opsgenieResult
}

// requestID is by what the service knows the request; empty when it does not say, or not in a way that can stand in a URL.
func requestID(a answer) string {
	var said opsgenieAnswer
	readAnswer(a.raw, &said)
	if id := said.RequestID; len(id) <= 100 && !strings.ContainsFunc(id, func(c rune) bool { return !isPlain(c) || c == '.' }) {
		return id
	}
	return ""
}

// judge says what the first answer means. A service that finds nothing to close, or to acknowledge, has what is to be told already.
func (o *opsgenie) judge(a answer, action string) Outcome {
	outcome := byStatus(a)
	if outcome.Result == Delivered {
		return outcome
	}
	var shown, said opsgenieAnswer
	words := cmp.Or(readAnswer(a.body, &shown), shown.words())
	readAnswer(a.raw, &said) // what is shown may be masked
	switch {
	case action != "" && a.status == http.StatusNotFound && isGone(said.Message):
		return Outcome{Result: Delivered}
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		outcome = Outcome{Result: ChannelBroken, Error: fmt.Sprintf(
			"the service answered %d: give the channel the API key of an integration that is switched on and may create alerts", a.status)}
	case a.status == http.StatusTooManyRequests:
		// Opsgenie's own header says whether the limit of a second or that of a minute is used up.
		if outcome.RetryAfter = parseRetryAfter(a.header.Get("Retry-After"), o.now()); outcome.RetryAfter == 0 {
			outcome.RetryAfter = parseRetryAfter(a.header.Get("X-RateLimit-Period-In-Sec"), o.now())
		}
	}
	return explained(outcome, words)
}

// words are what the service says of a request that it refuses: a message, and what is wrong with which field.
func (a opsgenieAnswer) words() string {
	said := make([]string, 0, 1+len(a.Errors))
	if a.Message != "" {
		said = append(said, a.Message)
	}
	for _, field := range slices.Sorted(maps.Keys(a.Errors)) {
		said = append(said, fmt.Sprintf("%s: %v", field, a.Errors[field]))
	}
	return firstWords(strings.Join(said, "; "), maxWords)
}

// followUp asks what became of a request that the service took, a few times, until it says so. 202 is what the service calls
// taken, so whatever hinders the answer, the message is not sent again.
func (o *opsgenie) followUp(ctx context.Context, r *opsgenieRequest, id string, taken Outcome) Outcome {
	if id == "" {
		return unknownResult(taken, "the answer names no request")
	}
	ctx, cancel := context.WithTimeout(ctx, o.within)
	defer cancel()
	target, why := r.at("requests", id).String(), ""
	for _, pause := range o.pauses {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return unknownResult(taken, cmp.Or(why, "the time is up"))
		}
		state := opsgenieState{more: true}
		asked := o.ask(ctx, target, r, func(a answer) { state = readState(a) })
		if state.known {
			return finished(r, taken, state, asked.Response)
		}
		if why = cmp.Or(state.words, asked.Error); !state.more {
			break
		}
	}
	return unknownResult(taken, why)
}

// ask makes one request that changes nothing.
func (o *opsgenie) ask(ctx context.Context, target string, r *opsgenieRequest, read func(answer)) Outcome {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return Outcome{Result: Permanent, Error: "it cannot be asked for"}
	}
	req.Header["Authorization"] = r.header["Authorization"]
	req.Header.Set("User-Agent", o.userAgent)
	return o.post(ctx, req, r.secrets, func(a answer) Outcome {
		read(a)
		return Outcome{Result: Delivered}
	})
}

// opsgenieState is what an answer says about a request.
type opsgenieState struct {
	known, success bool
	gone           bool   // it failed, for the alert is so already, or is not there
	more           bool   // it is not known, and worth asking again
	words          string // the service's own, without secrets, or why it is not known
}

// readState reads what became of a request. 404 is also the answer as long as the service has not worked on it
// (https://github.com/opsgenie/opsgenie-python-sdk/issues/31). To be refused, or asked to slow down, is no reason to go on.
func readState(a answer) opsgenieState {
	if a.status < 200 || a.status >= 300 {
		return opsgenieState{
			more:  a.status == http.StatusNotFound || a.status >= 500,
			words: fmt.Sprintf("asked for it, the service answered %d", a.status),
		}
	}
	var said, shown opsgenieAnswer
	readAnswer(a.raw, &said) // what is shown may be masked
	readAnswer(a.body, &shown)
	result := said.result()
	if result.IsSuccess == nil {
		return opsgenieState{more: true, words: "the service does not say"}
	}
	return opsgenieState{
		known: true, success: *result.IsSuccess, gone: isGone(result.Status), words: firstWords(shown.result().Status, maxWords),
	}
}

// finished is the outcome of a request that the service has worked on. No word of it breaks the channel: they are not
// documented, and with a bad key nothing is taken in the first place.
func finished(r *opsgenieRequest, taken Outcome, state opsgenieState, response string) Outcome {
	taken.Response = response
	switch {
	case state.success, r.action != "" && state.gone:
		return taken
	case r.action != "":
		taken.Error = "the service took the request and then did not " + r.action + " the alert"
	default:
		taken.Error = "the service took the alert and then did not create it"
	}
	taken.Result = Permanent
	return explained(taken, state.words)
}

// isGone knows the words for an alert that is not open, or acknowledged already: what was to be done with it is done.
func isGone(words string) bool {
	words = strings.ToLower(words)
	return strings.Contains(words, "alert") && (strings.Contains(words, "does not exist") || strings.Contains(words, "not found") ||
		strings.Contains(words, "already") && (strings.Contains(words, "closed") || strings.Contains(words, "acknowledged")))
}

// unknownResult is what was taken, with a remark in the answer that this is all that is known.
func unknownResult(taken Outcome, why string) Outcome {
	remark := "[taken; what became of it is not known yet: " + why + "]"
	if taken.Response != "" {
		remark = "\n" + remark
	}
	taken.Response = cutBytes(taken.Response, models.MaxResponseBytes-len(remark)) + remark
	return taken
}
