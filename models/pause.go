package models

import "time"

// Pause is a time during which nobody is told anything, on any channel. Alerts are stored all the same.
type Pause struct {
	Since      time.Time
	Until      *time.Time // nil = until somebody ends it
	Reason     string
	Afterwards Afterwards
	By         string // name of the token that began it
}

// At gives the pause if it holds at a moment, or nil.
func (p *Pause) At(t time.Time) *Pause {
	if p == nil || p.Until != nil && !t.Before(*p.Until) {
		return nil
	}
	return p
}
