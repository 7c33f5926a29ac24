package models

import "time"

// Token lets its bearer in. Only a hash of it is kept.
type Token struct {
	ID         int64
	Name       string
	Role       Role
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil = never
	RevokedAt  *time.Time
	LastUsedAt *time.Time
	// AlertsPerMinute is how many alerts its bearer may create in a minute; nil = no limit.
	AlertsPerMinute *int
}

// Viewer is the token in use: what the API knows about the caller.
type Viewer struct {
	TokenID int64 // 0 for ADMIN_TOKEN
	Name    string
	Role    Role
	// AlertsPerMinute is how many alerts it may create in a minute; 0 = no limit.
	AlertsPerMinute int
}

// May reports whether the viewer holds one of the roles. ADMIN may everything.
func (v *Viewer) May(anyOf ...Role) bool {
	if v == nil {
		return false
	}
	for _, r := range anyOf {
		if r == v.Role {
			return true
		}
	}
	return v.Role == Admin
}

// TestResult is what became of a test.
type TestResult struct {
	Channel    *Channel // nil for a configuration that is not saved
	Success    bool
	Message    string
	StatusCode *int
	Duration   time.Duration
	Response   *string
}

// DurationMs is the duration in milliseconds.
func (r *TestResult) DurationMs() float64 { return float64(r.Duration.Microseconds()) / 1000 }
