package tracing

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/rustbucket/alerts/models"
)

const (
	maxName  = 100 // bytes of an operation's name, which its caller chose
	maxError = 200 // bytes of an error in a span
)

// Handler makes a span of each request, which continues the caller's trace, if traces are sent when it is called. Requests
// that stay open (WebSocket, event streams) have none: theirs would end with the connection, hours later.
func Handler(next http.Handler) http.Handler {
	if !On() {
		return next
	}
	return otelhttp.NewHandler(next, "", otelhttp.WithPropagators(w3c), otelhttp.WithFilter(func(r *http.Request) bool {
		return r.Header.Get("Upgrade") == "" && !strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	}))
}

// StartOperation begins the span of a GraphQL operation: its type, the first field that it asks for, and the name that the
// caller gave it. end takes the codes of its errors.
func StartOperation(ctx context.Context, kind, field, name string) (_ context.Context, end func(errors []string)) {
	ctx, span := tracer().Start(ctx, strings.TrimSpace(kind+" "+field))
	if !span.IsRecording() {
		return ctx, func([]string) { span.End() }
	}
	span.SetAttributes(attribute.String("graphql.operation.type", kind))
	if name != "" {
		span.SetAttributes(attribute.String("graphql.operation.name", cut(name, maxName)))
	}
	return ctx, func(errors []string) {
		if len(errors) > 0 {
			span.SetStatus(codes.Error, cut(strings.Join(errors, ", "), maxError))
		}
		span.End()
	}
}

// Attempt says which attempt a span is about.
type Attempt struct {
	Type       models.ChannelType
	ChannelID  int64
	AlertID    int64    // 0 for a digest
	DeliveryID int64    // 0 for a digest
	Number     int      // 1 and up
	Digest     int      // how many deliveries a digest tells of; 0 when it is none
	Links      []string // what was stored of the traces of a digest's deliveries; "" is passed over
}

// StartAttempt begins the span of an attempt to tell a channel, as part of the trace that traceparent, from Parent, names; a
// trace of its own when it is "". end takes what went wrong, or "". The context is a background context with the span in it.
func StartAttempt(traceparent string, a Attempt) (_ context.Context, end func(err string)) {
	if !On() {
		return context.Background(), func(string) {}
	}
	var links []trace.Link
	for _, l := range a.Links {
		if c := trace.SpanContextFromContext(within(context.Background(), l)); c.IsValid() {
			links = append(links, trace.Link{SpanContext: c})
		}
	}
	kind := strings.ToLower(string(a.Type))
	ctx, span := tracer().Start(within(context.Background(), traceparent), "deliver "+kind,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(links...))
	if !span.IsRecording() {
		return ctx, func(string) { span.End() }
	}
	span.SetAttributes(attribute.String("rustbucket.channel.type", kind), attribute.Int64("rustbucket.channel.id", a.ChannelID))
	if a.DeliveryID != 0 {
		span.SetAttributes(attribute.Int64("rustbucket.alert.id", a.AlertID), attribute.Int64("rustbucket.delivery.id", a.DeliveryID))
	}
	if a.Number != 0 {
		span.SetAttributes(attribute.Int("rustbucket.attempt", a.Number))
	}
	if a.Digest != 0 {
		span.SetAttributes(attribute.Int("rustbucket.digest.deliveries", a.Digest))
	}
	return ctx, func(err string) {
		if err != "" {
			span.SetStatus(codes.Error, cut(urls.ReplaceAllString(err, "(URL)"), maxError))
		}
		span.End()
	}
}

// urls are cut out of errors: most URLs of channels are secrets.
var urls = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://\S+`)

func cut(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}
