package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"
	"github.com/rs/cors"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/tracing"
)

const (
	maxBodyBytes       = 1 << 20          // of a request, and of a message on a socket
	maxQueries         = 1000             // parsed queries that are kept
	maxKeptQuery       = 8 << 10          // bytes of a query that is kept when parsed, which takes some hundred times as much
	smallBody          = 64 << 10         // bytes that a body or a message may have without a place on the shelf
	readTimeout        = 30 * time.Second // for the body of a request
	initTimeout        = 10 * time.Second // for connection_init after a socket was opened
	pingInterval       = 25 * time.Second // a socket that answers none for twice as long is dead
	sseWriteTimeout    = 10 * time.Second // a reader that takes nothing for this long is cut off
	subscriptionOfNone = "a subscription has exactly one field: leave out @skip and @include at its top"
	subscriptionByPost = "a subscription needs a stream: send it over WebSocket, or with the header Accept: text/event-stream"
	notARequest        = `the body is not a request: send JSON such as {"query": "{ viewer { name } }", "variables": {}}`
	methodNotAllowed   = "GET is for queries: send a mutation by POST, a subscription over WebSocket or SSE"
)

// Options are the parts of the handler that are not resolvers.
type Options struct {
	AllowedOrigins []string // origins of browsers' pages beside our own
	Sessions       *access.Sessions
	Metrics        *metrics.Metrics
	Crowd          *access.Crowd
	Budget         *access.Budget
	// NoIntrospection keeps the schema from being asked for.
	NoIntrospection bool
	Draining        context.Context // done when the server stops: streams are closed so that their clients come back
}

// NewHandler serves the API over POST, GET, WebSocket and SSE.
func NewHandler(r *Resolver, o Options) http.Handler {
	r.turns, r.answers, r.subscriptions = newTurns(), newAnswers(), access.NewSubscriptionCrowd()
	srv := handler.New(NewExecutableSchema(Config{Resolvers: r, Directives: DirectiveRoot{HasRole: access.HasRole, Text: text}}))
	bounds, limit, bodies := limits{o.Metrics, o.Budget}, int64(maxBodyBytes), access.NewShelf()
	srv.AddTransport(transport.Websocket{
		Implementation:        newSockets(func(req *http.Request) bool { return originAllowed(req, o.AllowedOrigins) }, o.Draining, bodies),
		InitFunc:              greet(r.Doorman, o),
		InitTimeout:           initTimeout,
		KeepAlivePingInterval: pingInterval,
		PingPongInterval:      pingInterval,
		PayloadReadLimit:      &limit,
	})
	srv.AddTransport(transport.SSE{KeepAlivePingInterval: pingInterval})
	srv.AddTransport(oneAnswer{bounds: bounds, long: make(chan struct{}, 1)})
	if tracing.On() {
		srv.AroundOperations(traced)
	}
	srv.AroundOperations(r.subscribed)
	srv.SetQueryCache(smallQueries{lru.New[*ast.QueryDocument](maxQueries)})
	if !o.NoIntrospection {
		srv.Use(extension.Introspection{})
	}
	srv.Use(bounds)
	srv.Use(&oneOf{})
	srv.AroundResponses(fewFaults)
	srv.AroundResponses(r.answered)
	srv.AroundResponses(r.loadPerResponse)
	srv.AroundRootFields(r.loadPerRootField)
	present := func(ctx context.Context, err error) *gqlerror.Error { return presentError(ctx, err, r.Log) }
	srv.SetErrorPresenter(present)
	srv.SetRecoverFunc(func(_ context.Context, p any) error {
		r.Log.Error("a resolver panicked", "panic", p)
		return errors.New("a resolver panicked")
	})

	front := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var stays *visit
		if req.Header.Get("Upgrade") != "" || wantsStream(req) {
			var ctx context.Context
			ctx, stays = newVisit(req.Context(), o.Draining)
			defer stays.end()
			leave, ok := o.Crowd.EnterFrom(ctx)
			if !ok {
				o.Metrics.RequestRefused(metrics.RequestStreams)
				refuse(w, http.StatusTooManyRequests, refusal(models.Overloaded, "too many streams are open from this address: close some, or come back later"))
				return
			}
			defer leave()
			req = req.WithContext(ctx)
		}
		if req.Header.Get("Upgrade") != "" {
			stays.session = o.Sessions.FromCookie(req) // a token comes in connection_init
			srv.ServeHTTP(w, req)
			return
		}
		shown := o.Sessions.FromRequest(req)
		viewer, err := r.Doorman.Who(req.Context(), shown)
		if err != nil {
			refuse(w, http.StatusServiceUnavailable, present(req.Context(), err))
			return
		}
		if viewer == nil {
			o.Metrics.RequestRefused(metrics.RequestToken)
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, refusal(models.Unauthenticated, "a valid token is needed: send the header Authorization: Bearer TOKEN"))
			return
		}
		req, done := checked(w, req.WithContext(access.WithViewer(req.Context(), viewer)), bounds, bodies)
		defer done()
		if req == nil {
			return
		}
		if stays != nil {
			leave, ok := o.Crowd.EnterAs(viewer.Name)
			if !ok {
				o.Metrics.RequestRefused(metrics.RequestStreams)
				refuse(w, http.StatusTooManyRequests, refusal(models.Overloaded, "too many streams are open with this token: close some, or come back later"))
				return
			}
			defer leave()
			stays.keepWelcome(req.Context(), r.Doorman, shown)
			w = &streamWriter{ResponseWriter: w, controller: http.NewResponseController(w)}
		}
		srv.ServeHTTP(w, req)
	})
	if len(o.AllowedOrigins) == 0 {
		return front
	}
	return cors.New(cors.Options{
		AllowedOrigins: o.AllowedOrigins, AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Accept"}, MaxAge: 600,
	}).Handler(front)
}

// smallQueries keeps parsed queries of an ordinary size: a thousand huge ones would fill the memory.
type smallQueries struct {
	graphql.Cache[*ast.QueryDocument]
}

func (c smallQueries) Add(ctx context.Context, query string, doc *ast.QueryDocument) {
	if len(query) <= maxKeptQuery {
		c.Cache.Add(ctx, query, doc)
	}
}

// greet checks the token in connection_init, or, when there is none, the session of the request that opened the socket.
func greet(doorman *access.Doorman, o Options) transport.WebsocketInitFunc {
	return func(ctx context.Context, payload transport.InitPayload) (context.Context, *transport.InitPayload, error) {
		shown := visitOf(ctx).session
		if given := payload.Authorization(); given != "" {
			shown = access.Bearer(given)
		}
		viewer, err := doorman.Who(ctx, shown)
		if err != nil || viewer == nil {
			refused := transport.WithWebsocketCloseCode(transport.AppendCloseReason(ctx, "Forbidden"), closeForbidden)
			return refused, nil, errors.New("a valid token is needed: send it as Authorization in the connection_init payload")
		}
		leave, ok := o.Crowd.EnterAs(viewer.Name)
		if !ok {
			o.Metrics.RequestRefused(metrics.RequestStreams)
			refused := transport.WithWebsocketCloseCode(transport.AppendCloseReason(ctx, "Too many connections with this token"), websocket.CloseTryAgainLater)
			return refused, nil, errors.New("too many connections are open with this token")
		}
		context.AfterFunc(ctx, leave)
		visitOf(ctx).viewer = viewer.Name
		visitOf(ctx).keepWelcome(ctx, doorman, shown)
		return access.WithViewer(ctx, viewer), nil, nil
	}
}

// checked makes sure that a request is one that the transports can serve, and answers it itself when not. done is called when nobody
// needs the body any more.
func checked(w http.ResponseWriter, r *http.Request, bounds limits, bodies *access.Shelf) (_ *http.Request, done func()) {
	done = func() {}
	wrong := func(status int, message string) (*http.Request, func()) {
		refuse(w, status, refusal(models.BadUserInput, message))
		return nil, done
	}
	switch r.Method {
	case http.MethodGet:
		return r, done
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, POST")
		return wrong(http.StatusMethodNotAllowed, "send a POST with a JSON body, or a query by GET")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return wrong(http.StatusUnsupportedMediaType, "send JSON, with the header Content-Type: application/json")
	}
	if r.ContentLength > maxBodyBytes { // not a byte of it is read
		w.Header().Set("Connection", "close")
		if err := bounds.spend(r.Context(), maxBodyBytes/textCost); err != nil {
			overloaded(w, jsonMedia, err)
			return nil, done
		}
		bounds.metrics.RequestRefused(metrics.RequestBody)
		return wrong(http.StatusRequestEntityTooLarge, "the body is larger than 1 MB")
	}
	controller := http.NewResponseController(w)
	_ = controller.SetReadDeadline(time.Now().Add(readTimeout))
	defer func() { _ = controller.SetReadDeadline(time.Time{}) }()
	body, done, err := readLarge(http.MaxBytesReader(w, r.Body, maxBodyBytes), bodies, access.ViewerFrom(r.Context()).Name, r.ContentLength)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errNoRoom):
		bounds.metrics.RequestRefused(metrics.RequestPace)
		w.Header().Set("Connection", "close")
		overloaded(w, jsonMedia, refusal(models.Overloaded, "too many large bodies are being read, or worked on: nothing was done, try again in a while"))
		return nil, done
	case errors.As(err, &tooLarge):
		bounds.metrics.RequestRefused(metrics.RequestBody)
		return wrong(http.StatusRequestEntityTooLarge, "the body is larger than 1 MB")
	case err != nil:
		return wrong(http.StatusBadRequest, "the body could not be read")
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")):
		return wrong(http.StatusBadRequest, "send one operation at a time: a JSON object, not an array")
	case !utf8.Valid(body):
		return wrong(http.StatusBadRequest, "the body is not valid UTF-8")
	case !isRequest(body):
		return wrong(http.StatusBadRequest, notARequest)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r, done
}

// errNoRoom says that others have taken all the places for what is large.
var errNoRoom = errors.New("no room for what is large")

// readLarge reads all there is, and takes a place on the shelf for it when it is large: thousands of callers, each holding back the
// last byte of 1 MB, would fill the memory. size is what is known of it, or less than nothing. The place is to be left, also with
// an error.
func readLarge(from io.Reader, bodies *access.Shelf, viewer string, size int64) (all []byte, leave func(), err error) {
	leave = func() {}
	all, err = io.ReadAll(io.LimitReader(from, smallBody))
	if err != nil || len(all) < smallBody {
		return all, leave, err
	}
	if size < 0 {
		size = maxBodyBytes
	}
	place, ok := bodies.Take(viewer, size)
	if !ok {
		return nil, leave, errNoRoom
	}
	rest, err := io.ReadAll(from)
	return append(all, rest...), place, err
}

// isRequest reports whether a body has the shape that the specification gives requests.
// https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters
func isRequest(body []byte) bool {
	var r struct {
		Query         *string
		OperationName *string
		Variables     map[string]json.RawMessage
		Extensions    map[string]json.RawMessage
	}
	return json.Unmarshal(body, &r) == nil && r.Query != nil
}

func refusal(code models.ErrorCode, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": string(code)}}
}

// overloaded answers whoever asked for too much in too short a time.
func overloaded(w http.ResponseWriter, media string, errs ...*gqlerror.Error) {
	w.Header().Set("Retry-After", strconv.Itoa(int(access.MaxWait/time.Second)))
	answer(w, media, http.StatusTooManyRequests, errorsOnly{errs})
}

func refuse(w http.ResponseWriter, status int, err *gqlerror.Error) {
	answer(w, jsonMedia, status, errorsOnly{gqlerror.List{err}})
}

// originAllowed reports whether a browser's page may open a socket: our own pages and those of the allowed origins may.
// What sends no Origin is no browser.
func originAllowed(r *http.Request, allowed []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(allowed, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

func wantsStream(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// streamWriter holds every write of an event stream to a deadline, and keeps caches from storing what gqlgen lets them store.
type streamWriter struct {
	http.ResponseWriter
	controller *http.ResponseController
}

func (w *streamWriter) Write(b []byte) (int, error) {
	w.Header().Set("Cache-Control", "no-store") // after the first write this says nothing any more
	_ = w.controller.SetWriteDeadline(time.Now().Add(sseWriteTimeout))
	return w.ResponseWriter.Write(b)
}

// Flush sends what was written. A reader that is gone shows in the request's context.
func (w *streamWriter) Flush() { _ = w.controller.Flush() }
