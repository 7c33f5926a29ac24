package metrics

import (
	"slices"
	"strings"

	"github.com/rustbucket/alerts/models"
)

// What an attempt to tell a channel came to.
const (
	ResultDelivered = "delivered"
	ResultRetry     = "retry"   // no answer, or one that asks to try again
	ResultAsked     = "asked"   // the service asked for time
	ResultRefused   = "refused" // this message was refused for good
	ResultBroken    = "broken"  // nothing will be taken until somebody mends the channel
)

var results = []string{ResultDelivered, ResultRetry, ResultAsked, ResultRefused, ResultBroken}

// Why a delivery came to its end.
const (
	ReasonDelivered     = "delivered"
	ReasonRefused       = "refused"        // the service refused the message for good
	ReasonExhausted     = "exhausted"      // every attempt failed
	ReasonChannelBroken = "channel_broken" // nothing was taken any more
	ReasonExpired       = "expired"        // it waited too long for a channel out of service
	ReasonDeactivated   = "deactivated"    // the channel was switched off
	ReasonDeleted       = "deleted"        // the channel was deleted
	ReasonCancelled     = "cancelled"      // somebody cancelled it
	ReasonNotTold       = "not_told"       // it fell into a pause whose notifications were dropped, or was no longer of interest
)

// reasons has every reason with the status that it mostly goes with.
var reasons = map[string]models.DeliveryStatus{
	ReasonDelivered: models.Delivered,
	ReasonRefused:   models.Failed, ReasonExhausted: models.Failed, ReasonChannelBroken: models.Failed, ReasonExpired: models.Failed,
	ReasonDeactivated: models.Cancelled, ReasonDeleted: models.Cancelled, ReasonCancelled: models.Cancelled, ReasonNotTold: models.Cancelled,
}

// other stands for what is not in a label's set.
const other = "other"

// maxKinds is how many kinds of alerts about the server itself have a label of their own.
const maxKinds = 16

// Labels are the API's names in lower case, as Prometheus' own are.

var typeNames = lower(models.ChannelTypes())
var stateNames = lower(models.HealthStates)
var statusNames = lower([]models.DeliveryStatus{models.Delivered, models.Failed, models.Cancelled})

func lower[T ~string](names []T) map[T]string {
	m := make(map[T]string, len(names))
	for _, n := range names {
		m[n] = strings.ToLower(string(n))
	}
	return m
}

func typeLabel(t models.ChannelType) string      { return known(typeNames, t) }
func stateLabel(s models.HealthState) string     { return known(stateNames, s) }
func statusLabel(s models.DeliveryStatus) string { return known(statusNames, s) }

func known[T comparable](names map[T]string, v T) string {
	if name, ok := names[v]; ok {
		return name
	}
	return other
}

func resultLabel(r string) string {
	if slices.Contains(results, r) {
		return r
	}
	return other
}

func reasonLabel(r string) string {
	if _, ok := reasons[r]; ok {
		return r
	}
	return other
}

// The limits that a request to the API can break.
const (
	RequestToken   = "token"   // no token, or one that is not valid
	RequestBody    = "body"    // too large
	RequestStreams = "streams" // too many open from one address or with one token
	RequestFields  = "fields"  // too many at the top of the operation
	RequestDepth   = "depth"
	RequestCost    = "cost"
	RequestQuery   = "query" // its text has too many tokens, or takes too long to validate
	RequestPace    = "pace"  // a token or an address asked for too much in too short a time
)

var requestReasons = []string{RequestToken, RequestBody, RequestStreams, RequestFields, RequestDepth, RequestCost, RequestQuery, RequestPace}
