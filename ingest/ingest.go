// Package ingest takes alerts from other systems in over plain HTTP: what Prometheus' Alertmanager and Grafana post to a webhook,
// and JSON of anybody's own.
//
// It promises: a body is carried out as a whole, in its order, or not at all, and answered only when that is stored; sent
// again it does no harm. An answer of the 4xx kind says that sending it again is of no use, one of the 5xx kind that it is.
package ingest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/dispatch"
	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
	"github.com/rustbucket/alerts/tracing"
)

const (
	maxBodyBytes = 4 << 20          // of a request: a group of a few thousand alerts
	readTimeout  = 30 * time.Second // for the body of a request
	retryAfter   = 5 * time.Second  // what an overloaded server asks for
)

// Options are what the room works with.
type Options struct {
	Intake  *dispatch.Intake
	Doorman *access.Doorman
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// room answers below /ingest/.
type room struct {
	Options
	bodies *access.Shelf
}

// NewHandler serves /ingest/alertmanager and /ingest/json.
func NewHandler(o Options) http.Handler {
	r := &room{Options: o, bodies: access.NewShelf()}
	mux := http.NewServeMux()
	mux.Handle("/ingest/alertmanager", r.taking(r.alertmanager))
	mux.Handle("/ingest/json", r.taking(r.plain))
	mux.HandleFunc("/ingest/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, &models.Error{Code: models.NotFound, Message: "there are /ingest/alertmanager and /ingest/json"})
	})
	return mux
}

// reporter is who sends a body.
type reporter struct {
	actor models.Actor
	all   bool // may end what others created
	trace string
}

func (by reporter) report() models.Report { return models.Report{By: by.actor, EndsAll: by.all} }

// taking lets those in who may report, and reads what they send.
func (rm *room) taking(take func(ctx context.Context, body []byte, by reporter) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		viewer, err := rm.Doorman.Viewer(req.Context(), req.Header.Get("Authorization"))
		switch {
		case err != nil:
			rm.fail(w, http.StatusServiceUnavailable, err)
			return
		case viewer == nil:
			rm.Metrics.RequestRefused(metrics.RequestToken)
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, &models.Error{Code: models.Unauthenticated, Message: "a valid token is needed: send the header Authorization: Bearer TOKEN"})
			return
		case !viewer.May(models.Reporter):
			refuse(w, http.StatusForbidden, &models.Error{Code: models.Forbidden, Message: fmt.Sprintf("the token's role is %s; this needs %s or %s", viewer.Role, models.Reporter, models.Admin)})
			return
		}
		body, done := rm.read(w, req, viewer.Name)
		if body == nil {
			return
		}
		defer done()
		ctx := access.WithViewer(req.Context(), viewer)
		by := reporter{actor: models.ActorFrom(ctx), all: viewer.Role == models.Admin, trace: tracing.Parent(ctx)}
		shown, err := take(ctx, body, by)
		if err != nil {
			rm.explain(w, err)
			return
		}
		write(w, http.StatusOK, shown)
	})
}

// read gives the body of a request that can be taken, or answers itself and gives nil. done is called when nobody needs it any more.
func (rm *room) read(w http.ResponseWriter, r *http.Request, token string) (body []byte, done func()) {
	wrong := func(status int, message string) ([]byte, func()) {
		refuse(w, status, &models.Error{Code: models.BadUserInput, Message: message})
		return nil, nil
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		return wrong(http.StatusMethodNotAllowed, "send a POST with a JSON body")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return wrong(http.StatusUnsupportedMediaType, "send JSON, with the header Content-Type: application/json")
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return wrong(http.StatusUnsupportedMediaType, "send the body as it is, without the header Content-Encoding")
	}
	const tooLarge = "the body is larger than 4 MB: let groups be smaller (group_by), or send it in parts"
	if r.ContentLength > maxBodyBytes { // not a byte of it is read
		rm.Metrics.RequestRefused(metrics.RequestBody)
		w.Header().Set("Connection", "close")
		return wrong(http.StatusRequestEntityTooLarge, tooLarge)
	}
	size := r.ContentLength
	if size < 0 {
		size = maxBodyBytes
	}
	leave, ok := rm.bodies.Take(token, size)
	if !ok {
		w.Header().Set("Connection", "close")
		rm.explain(w, &models.Error{Code: models.Overloaded, Message: "too much is being taken in: nothing was stored, try again in a while"})
		return nil, nil
	}
	controller := http.NewResponseController(w)
	_ = controller.SetReadDeadline(time.Now().Add(readTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	_ = controller.SetReadDeadline(time.Time{})
	if err == nil && utf8.Valid(body) && len(body) > 0 {
		return body, leave
	}
	leave()
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		rm.Metrics.RequestRefused(metrics.RequestBody)
		return wrong(http.StatusRequestEntityTooLarge, tooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded): // by a slow line, which the body does not answer for
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		return wrong(http.StatusServiceUnavailable, "the body did not come in time: nothing was stored, send it again")
	case err != nil:
		return wrong(http.StatusBadRequest, "the body could not be read")
	case len(body) == 0:
		return wrong(http.StatusBadRequest, "the body is empty: send JSON")
	}
	return wrong(http.StatusBadRequest, "the body is not valid UTF-8")
}

// alertmanager takes what Alertmanager or Grafana tells of a group of alerts.
func (rm *room) alertmanager(ctx context.Context, body []byte, by reporter) (any, error) {
	n, err := parseNotification(body)
	if err != nil {
		return nil, err
	}
	if n.truncated > 0 {
		rm.Log.Warn("Alertmanager left alerts out of a notification: set no max_alerts there", "left out", n.truncated, "token", by.actor.Name)
	}
	results, err := rm.store(ctx, n.reports(by))
	if err != nil {
		return nil, err
	}
	var shown struct {
		Created  int `json:"created"`
		Counted  int `json:"counted"`
		Resolved int `json:"resolved"`
	}
	for _, r := range results {
		switch r.Outcome {
		case models.ReportCreated:
			shown.Created++
		case models.ReportCounted:
			shown.Counted++
		case models.ReportResolved:
			shown.Resolved++
		}
	}
	return shown, nil
}

// plain takes alerts in a form of our own.
func (rm *room) plain(ctx context.Context, body []byte, by reporter) (any, error) {
	reports, err := parsePlain(body, by)
	if err != nil {
		return nil, err
	}
	results, err := rm.store(ctx, reports)
	if err != nil {
		return nil, err
	}
	type alert struct {
		ID          *string              `json:"id"` // null where nothing was open to be resolved
		Outcome     models.ReportOutcome `json:"outcome"`
		Occurrences int                  `json:"occurrences,omitempty"`
	}
	shown := make([]alert, len(results))
	for i, r := range results {
		shown[i].Outcome = r.Outcome
		if r.Alert != nil {
			id := strconv.FormatInt(r.Alert.ID, 10)
			shown[i].ID, shown[i].Occurrences = &id, r.Alert.Occurrences
		}
	}
	return map[string]any{"alerts": shown}, nil
}

func (rm *room) store(ctx context.Context, reports []models.Report) ([]models.ReportResult, error) {
	if len(reports) == 0 {
		return nil, nil
	}
	begin := 0
	for i := range reports {
		if reports[i].Alert != nil {
			begin++
		}
	}
	if begin > 0 {
		if err := rm.Doorman.MayCreate(access.ViewerFrom(ctx), begin); err != nil {
			return nil, err
		}
	}
	return rm.Intake.Report(ctx, reports)
}

// under puts the path of an alert in a body before the field that an error names.
func under(path string, err error) error {
	var own *models.Error
	if errors.As(err, &own) {
		return &models.Error{Code: own.Code, Field: strings.TrimPrefix(path+own.Field, "."), Message: own.Message}
	}
	return err
}

// errTooMany is answered as a body that is too large.
type errTooMany struct{ own *models.Error }

func (e errTooMany) Error() string { return e.own.Error() }
func (e errTooMany) Unwrap() error { return e.own }

func tooMany(n, most int) error {
	return errTooMany{&models.Error{Code: models.BadUserInput, Message: fmt.Sprintf("the body has %d alerts; at most %d are taken at a time", n, most)}}
}

// explain answers with an error: the caller's own as it is, anything else as an incident whose cause stands in the log alone.
func (rm *room) explain(w http.ResponseWriter, err error) {
	var own *models.Error
	switch {
	case errors.Is(err, context.Canceled): // nobody waits for the answer any more
		refuse(w, http.StatusServiceUnavailable, &models.Error{Code: models.Internal, Message: "the call was cancelled"})
		return
	case !errors.As(err, &own):
		rm.fail(w, http.StatusInternalServerError, err)
		return
	}
	status := http.StatusBadRequest
	if errors.As(err, new(errTooMany)) {
		status = http.StatusRequestEntityTooLarge
		rm.Metrics.RequestRefused(metrics.RequestBody)
	}
	if own.Code == models.Overloaded { // not 429, after which Alertmanager would drop the alerts
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	refuse(w, status, own)
}

func (rm *room) fail(w http.ResponseWriter, status int, err error) {
	incident := strings.ToLower(rand.Text()[:12])
	rm.Log.Error("a body could not be taken in", "incident", incident, "error", err)
	message := "something went wrong in the server; its log tells of incident " + incident
	for _, known := range []error{store.ErrReadOnly, store.ErrFull} {
		if errors.Is(err, known) {
			message = fmt.Sprintf("nothing was stored: %v (incident %s)", known, incident)
		}
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	refuse(w, status, &models.Error{Code: models.Internal, Message: message})
}

// refuse answers with an error as the API has them.
func refuse(w http.ResponseWriter, status int, e *models.Error) {
	type extensions struct {
		Code  models.ErrorCode `json:"code"`
		Field string           `json:"field,omitempty"`
	}
	type problem struct {
		Message    string     `json:"message"`
		Extensions extensions `json:"extensions"`
	}
	write(w, status, map[string][]problem{"errors": {{e.Error(), extensions{e.Code, e.Field}}}})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
