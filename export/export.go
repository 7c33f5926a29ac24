// Package export hands out alerts and deliveries as files of any size, as CSV and as JSON Lines.
//
// It promises: the memory that an export takes does not depend on its length; nothing in the database is held while a client reads; what
// looks like a whole file is one, since whatever goes wrong on the way breaks the connection off. It never shows a secret, and it
// changes nothing.
package export

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

const (
	pageBytes    = 256 << 10        // that are written at a time, or one line more
	chunkBytes   = 64 << 10         // that a client must take within readerTime
	readerTime   = 30 * time.Second // longer than a slow line needs; a client that reads nothing is cut off
	recheckToken = 3 * time.Second
)

// Handler answers GET /export/alerts and GET /export/deliveries.
type Handler struct {
	Store    *store.Store
	Doorman  *access.Doorman
	Sessions *access.Sessions
	Crowd    *access.Crowd
	Metrics  *metrics.Metrics
	Log      *slog.Logger

	readerTime time.Duration // 0 = the constant
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/export/")
	list := lists[name]
	switch {
	case list == nil:
		refuse(w, http.StatusNotFound, &models.Error{Code: models.NotFound, Message: "there is no such export: ask for /export/alerts or /export/deliveries"})
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, &models.Error{Code: models.BadUserInput, Message: "an export is fetched by GET"})
		return
	case !r.ProtoAtLeast(1, 1): // which does not say where a body of unknown length should have ended
		refuse(w, http.StatusHTTPVersionNotSupported, &models.Error{Code: models.BadUserInput,
			Message: "an export needs HTTP/1.1 or later, which tells a whole file from a part; for nginx: proxy_http_version 1.1"})
		return
	}
	shown := h.Sessions.FromRequest(r)
	viewer, err := h.Doorman.Who(r.Context(), shown)
	switch {
	case err != nil:
		h.fail(w, http.StatusServiceUnavailable, err)
		return
	case viewer == nil:
		h.Metrics.RequestRefused(metrics.RequestToken)
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, http.StatusUnauthorized, &models.Error{Code: models.Unauthenticated, Message: "a valid token is needed: send the header Authorization: Bearer TOKEN"})
		return
	case !viewer.May(models.Viewing, models.Analyst):
		refuse(w, http.StatusForbidden, &models.Error{Code: models.Forbidden,
			Message: "the token's role is " + string(viewer.Role) + "; this needs VIEWER or ANALYST or ADMIN"})
		return
	}
	p, err := readParams(r.URL.RawQuery)
	if err == nil {
		format := p.format()
		lines := list(h.Store, p)
		if err = p.problem(); err == nil {
			h.answer(w, r, &file{name: name, format: format, list: lines, viewer: viewer, shown: shown})
			return
		}
	}
	refuse(w, http.StatusBadRequest, err)
}

// file is what is handed out.
type file struct {
	name   string
	format format
	list   source
	viewer *models.Viewer
	shown  access.Credential
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, f *file) {
	for _, enter := range []func() (func(), bool){
		func() (func(), bool) { return h.Crowd.EnterFrom(r.Context()) },
		func() (func(), bool) { return h.Crowd.EnterAs(f.viewer.Name) },
	} {
		leave, ok := enter()
		if !ok {
			h.Metrics.RequestRefused(metrics.RequestStreams)
			w.Header().Set("Retry-After", "10")
			refuse(w, http.StatusTooManyRequests, &models.Error{Code: models.Overloaded,
				Message: "too many exports are under way with this token or from this address: wait for one to end"})
			return
		}
		defer leave()
	}
	out := newPage(f.format, f.list.columns)
	more, err := true, error(nil)
	if r.Method == http.MethodGet {
		more, err = f.list.fill(r.Context(), out)
	}
	if err != nil {
		if r.Context().Err() != nil { // nobody waits for it any more, and nothing went wrong
			panic(http.ErrAbortHandler)
		}
		h.fail(w, http.StatusInternalServerError, err)
		return
	}
	header := w.Header()
	header.Set("Content-Type", f.format.media())
	header.Set("Content-Disposition", `attachment; filename="`+f.name+"-"+h.Store.Now().Format("20060102T150405Z")+"."+string(f.format)+`"`)
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	if err := h.stream(w, r, f, out, more); err != nil {
		if r.Context().Err() == nil {
			h.Log.Warn("an export was broken off", "of", f.name, "token", f.viewer.Name, "error", err)
		}
		panic(http.ErrAbortHandler) // to the client this is no end of the file
	}
}

var errUnwelcome = errors.New("its token or session is no longer valid")

// stream writes page after page. Each is read when the one before was taken.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, f *file, out *page, more bool) error {
	controller := http.NewResponseController(w)
	checked := time.Now()
	for {
		if err := h.write(w, controller, out.Bytes()); err != nil {
			return err
		}
		if !more {
			return nil
		}
		if time.Since(checked) > recheckToken {
			// When it cannot be found out it goes on: the database's own error comes soon enough.
			if viewer, err := h.Doorman.Who(r.Context(), f.shown); err == nil && viewer == nil {
				return errUnwelcome
			}
			checked = time.Now()
		}
		out.Reset()
		var err error
		if more, err = f.list.fill(r.Context(), out); err != nil {
			return err
		}
	}
}

// write sends a page. The server's own deadline is for a whole answer, and an export may take hours: each piece gets its own.
func (h *Handler) write(w http.ResponseWriter, controller *http.ResponseController, b []byte) error {
	for len(b) > 0 {
		n := min(len(b), chunkBytes)
		if err := controller.SetWriteDeadline(time.Now().Add(h.patience())); err != nil {
			return err
		}
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return controller.Flush()
}

func (h *Handler) patience() time.Duration {
	if h.readerTime > 0 {
		return h.readerTime
	}
	return readerTime
}

// fail answers with an incident, whose cause stands in the log alone.
func (h *Handler) fail(w http.ResponseWriter, status int, err error) {
	incident := strings.ToLower(rand.Text()[:12])
	h.Log.Error("an export failed", "incident", incident, "error", err)
	refuse(w, status, &models.Error{Code: models.Internal, Message: "something went wrong in the server; its log tells of incident " + incident})
}
