// Package tracing sends OpenTelemetry traces of the API's operations and of the attempts to tell channels.
//
// It promises: it is off, and costs next to nothing, unless an endpoint is set in OpenTelemetry's own environment variables;
// a collector that is slow or away neither delays nor fails anything, its spans are dropped; a span never has a message, a
// URL, a header, a token or any other secret in it, nor the text or the variables of a GraphQL operation. The trace of an
// alert goes on in the attempts to tell about it, in whatever process and however much later they are made.
//
// Left out on purpose: statements to the database, because bun writes the arguments, which are alerts' texts, into the
// statement, and its instrumentation (bunotel) has no release for the version in use; and calls to channels by otelhttp,
// because their URLs are secrets.
//
// The provider is OpenTelemetry's global one: Start sets it, once for a process.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const (
	serviceName   = "rustbucket-alerts" // unless OTEL_SERVICE_NAME says another
	scope         = "github.com/rustbucket/alerts"
	complainEvery = time.Minute // about a collector that does not take spans
)

// w3c is how a trace is carried from one process to another: https://www.w3.org/TR/trace-context/
var w3c = propagation.TraceContext{}

// Start sends traces from now on if OpenTelemetry's environment variables say where to; otherwise it does nothing. stop sends
// what is left, within a time, and ends the sending. An error is about a variable, in one line for the operator.
func Start(version string, log *slog.Logger) (stop func(within time.Duration), err error) {
	endpoint, err := endpoint(os.Getenv)
	if err != nil || endpoint == nil {
		return func(time.Duration) {}, err
	}
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(&complainer{log: log})
	ctx := context.Background()
	exporter, err := otlptracehttp.New(ctx) // reads the variables by itself
	if err != nil {
		return nil, fmt.Errorf("tracing cannot be set up by the variables OTEL_…: %w", err)
	}
	self, err := resource.New(ctx, resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName(serviceName), semconv.ServiceVersion(version), semconv.ProcessPID(os.Getpid())),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES cannot be read; accepted: name=value,name=value: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(self)) // the sampler is by OTEL_TRACES_SAMPLER
	otel.SetTracerProvider(provider)
	log.Info("traces are sent", "to", endpoint.Host)
	return func(within time.Duration) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.Warn("the last traces could not be sent", "error", err)
		}
		otel.SetTracerProvider(noop.NewTracerProvider())
	}, nil
}

// On reports whether traces are sent.
func On() bool {
	_, on := otel.GetTracerProvider().(*sdk.TracerProvider)
	return on
}

// Parent is the current span in the form of the header traceparent, to be stored and handed to StartAttempt; "" when there
// is none.
func Parent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// within gives ctx the span that traceparent names as its parent, if it names one.
func within(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return w3c.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

func tracer() trace.Tracer { return otel.Tracer(scope) }

// endpoint says where traces go, or nil when nowhere.
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
func endpoint(getenv func(string) string) (*url.URL, error) {
	of := func(names ...string) (name, value string) {
		for _, name = range names {
			if value = strings.TrimSpace(getenv(name)); value != "" {
				return name, value
			}
		}
		return name, ""
	}
	name, value := of("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	exporterName, exporter := of("OTEL_TRACES_EXPORTER")
	if _, disabled := of("OTEL_SDK_DISABLED"); strings.EqualFold(disabled, "true") || value == "" || exporter == "none" {
		return nil, nil
	}
	if exporter != "" && exporter != "otlp" {
		return nil, fmt.Errorf("%s=%.200q is not available; accepted: otlp, none", exporterName, exporter)
	}
	if name, protocol := of("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("%s=%.200q is not available; accepted: http/protobuf (a collector listens for it on port 4318)", name, protocol)
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s is not a URL (its value is not shown); accepted: such as http://127.0.0.1:4318", name)
	}
	return u, nil
}

// complainer logs what goes wrong with the sending, now and then.
type complainer struct {
	log *slog.Logger

	mu   sync.Mutex
	last time.Time
}

// Handle is part of otel.ErrorHandler.
func (c *complainer) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.last) < complainEvery {
		return
	}
	c.last = time.Now()
	c.log.Warn("traces could not be sent", "error", err)
}
