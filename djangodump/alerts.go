package djangodump

import (
	"time"

	"github.com/rustbucket/alerts/models"
)

// Alert is an alert of the registry, and what it is here.
type Alert struct {
	PK         string
	New        *models.NewAlert // nil when it cannot be taken over: Problem says why
	CreatedAt  time.Time
	ResolvedAt *time.Time // nil while it is open
	Problem    error      // what is wrong and how to mend it
	// EndUnknown says that it was resolved and nobody knows when: ResolvedAt is CreatedAt then.
	EndUnknown bool
	// NoZone says that its times have no time zone: they count as UTC.
	NoZone bool
}

// readAlert translates an alert. The columns are those of the registry's model Alert. Its machine is the one that its log
// sink belongs to; for a time the model had a column of its own for it.
func (d *Dump) readAlert(o object) Alert {
	a := Alert{PK: o.PK}
	f, err := readFields(o.Fields)
	if err == nil {
		a.New, err = d.newAlert(&a, f)
	}
	if err != nil {
		a.New, a.Problem = nil, err
	}
	return a
}

func (d *Dump) newAlert(a *Alert, f fields) (*models.NewAlert, error) {
	if a.PK == "" {
		return nil, errNoPK
	}
	n := &models.NewAlert{CreatedBy: models.Imported}
	column := "type"
	if f.lacks(column) {
		column = "alert_type" // as webhooks call it
	}
	var err error
	if n.Type, err = f.text("", column); err != nil {
		return nil, err
	}
	if n.Severity, err = f.severity("severity"); err != nil {
		return nil, err
	}
	if n.Message, err = f.text("", "message"); err != nil {
		return nil, err
	}
	if err := a.times(f); err != nil {
		return nil, err
	}
	if n.Rustbucket, err = d.machine(f); err != nil {
		return nil, err
	}
	return n, plain(n.Valid(""))
}

func (a *Alert) times(f fields) error {
	created, zoned, err := f.moment("created_at")
	if err != nil {
		return err
	}
	if created == nil {
		return models.Invalid("created_at", "is missing: nothing tells when it came in")
	}
	a.CreatedAt, a.NoZone = *created, !zoned
	resolved, err := f.flag("is_resolved", false)
	if err != nil || !resolved {
		return err
	}
	if a.ResolvedAt, _, err = f.moment("resolved_at"); err != nil {
		return err
	}
	if a.ResolvedAt == nil {
		a.ResolvedAt, a.EndUnknown = created, true
	}
	return nil
}

// machine finds the rustbucket that an alert is about. One that the dump lacks is an error, not left out: with a whole dump
// nothing is lost.
func (d *Dump) machine(f fields) (*models.Rustbucket, error) {
	id, err := f.key("rustbucket")
	if err != nil {
		return nil, err
	}
	if id == "" {
		sink, err := f.key("logsink")
		if err != nil || sink == "" {
			return nil, err
		}
		var ok bool
		if id, ok = d.logsinks[sink]; !ok {
			return nil, models.Invalid("logsink", "its log sink is not in the file, and with it the rustbucket: dump the whole of rustbucketregistry")
		}
	}
	name, ok := d.rustbuckets[id]
	if !ok {
		return nil, models.Invalid("rustbucket", "its rustbucket is not in the file: dump the whole of rustbucketregistry")
	}
	if name == "" {
		name = id
	}
	return &models.Rustbucket{ID: id, Name: name}, nil
}
