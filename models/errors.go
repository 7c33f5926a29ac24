package models

import (
	"errors"
	"fmt"
)

// ErrorCode tells a caller what kind of mistake was made. The values are those of errors[].extensions.code in the API.
type ErrorCode string

// The codes; the API adds those of its protocol.
const (
	BadUserInput    ErrorCode = "BAD_USER_INPUT"
	NotFound        ErrorCode = "NOT_FOUND"
	Conflict        ErrorCode = "CONFLICT"
	Overloaded      ErrorCode = "OVERLOADED"
	CursorExpired   ErrorCode = "CURSOR_EXPIRED"
	Forbidden       ErrorCode = "FORBIDDEN"
	Unauthenticated ErrorCode = "UNAUTHENTICATED"
	Internal        ErrorCode = "INTERNAL" // not the caller's: an incident whose cause stands in the log alone
)

// Error is a mistake of the caller's, in words that may be shown to them. Any other error is the server's own trouble
// and is never shown.
type Error struct {
	Code    ErrorCode
	Field   string // path of the input at fault, such as "input.config.slack.webhookUrl"; may be empty
	Message string // what is wrong and how to mend it; holds no secret
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Invalid reports input that cannot be taken.
func Invalid(field, format string, args ...any) error {
	return &Error{Code: BadUserInput, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Missing reports that there is no such thing, naming its kind and id.
func Missing(kind string, id any) error {
	return &Error{Code: NotFound, Message: fmt.Sprintf("there is no %s %v", kind, id)}
}

// Conflicting reports that the state of things does not allow it.
func Conflicting(field, format string, args ...any) error {
	return &Error{Code: Conflict, Field: field, Message: fmt.Sprintf(format, args...)}
}

// HasCode reports whether err is, or wraps, an Error with this code.
func HasCode(err error, code ErrorCode) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
