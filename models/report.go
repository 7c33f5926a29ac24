package models

// Report is what another system tells of an alert: that it is there, or that it is over.
type Report struct {
	Alert *NewAlert // to be created, or counted up on the open one with its dedup key; nil = what has the dedup key Over is over
	Over  string
	// OwnKey takes the place of the dedup key, in either case, where the open alert with that is somebody else's. Without it
	// such an alert is counted up, and nobody is told. Empty = there is none.
	OwnKey string
	// By is who tells it. With a token it may end what it has created with that; EndsAll lets it end what others created, too.
	By      Actor
	EndsAll bool
}

// Key is the dedup key that the report is about; empty = none.
func (r *Report) Key() string {
	switch {
	case r.Alert == nil:
		return r.Over
	case r.Alert.DedupKey != nil:
		return *r.Alert.DedupKey
	}
	return ""
}

// Ends reports whether the alert may be ended by whoever tells this. Nobody ends the server's own that way.
func (r *Report) Ends(a *Alert) bool {
	return a.CreatedBy != ServerItself && (r.EndsAll || a.CreatedBy == r.By.TokenID)
}

// ReportResult is what became of a Report.
type ReportResult struct {
	Alert   *Alert // nil when nothing was open that could be ended
	Outcome ReportOutcome
}

// ReportOutcome says in a word what became of a Report.
type ReportOutcome string

// What may become of one, as it is shown.
const (
	ReportCreated   ReportOutcome = "created"
	ReportCounted   ReportOutcome = "counted"   // on the alert that was open
	ReportResolved  ReportOutcome = "resolved"  // that one is over
	ReportUnchanged ReportOutcome = "unchanged" // it was over already, or never there, or is somebody else's
)
