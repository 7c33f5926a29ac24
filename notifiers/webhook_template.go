package notifiers

import (
	"errors"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/models/bodytemplate"
)

// templateBody writes the body that a channel's own template makes. Of a digest that becomes too large it leaves alerts out,
// from the end, as the usual body does.
func templateBody(source string, n Notification, link func(*models.Alert) string) ([]byte, error) {
	t, err := bodytemplate.Compile(source)
	if err != nil {
		return nil, err
	}
	facts := models.BodyFacts{Link: link}
	if n.Digest == nil {
		body, err := t.Execute(models.AlertView(models.DigestItem{Kind: n.Kind, Alert: n.Alert, Change: n.Change}, facts))
		return []byte(body), err
	}
	facts.Title = describeDigest(n.Digest).title
	for listed := len(n.Digest.Items); ; listed /= 2 {
		body, err := t.Execute(models.DigestView(n.Digest, listed, facts))
		var e *bodytemplate.Error
		if listed == 0 || !errors.As(err, &e) || !e.TooMuch {
			return []byte(body), err
		}
	}
}

// PreviewBody gives the body that a channel with this template would be sent. publicURL is as in Settings.
func PreviewBody(source string, n Notification, publicURL string) (string, error) {
	if _, err := bodytemplate.Compile(source); err != nil {
		return "", err
	}
	body, err := templateBody(source, n, func(a *models.Alert) string { return alertLink(publicURL, a) })
	return string(body), err
}
