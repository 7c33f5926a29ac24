package notifiers

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	slackapi "github.com/slack-go/slack"

	"github.com/rustbucket/alerts/models"
)

// slackLineMax is the length of one alert in a digest, after escaping: what is full of characters that need it must not
// crowd the others out.
const slackLineMax = 300

// slackDigest shows several alerts in one attachment.
func slackDigest(d *models.Digest) *slackapi.WebhookMessage {
	t := describeDigest(d)
	_, newest := digestSpan(d)
	color := "good"
	if worst, open := digestWorst(d); open {
		color = slackColor(worst)
	}
	list, listed := slackList(t.lines)
	rest := "All in full: paste this into the playground"
	if left := len(d.Items) - listed; left > 0 {
		rest = fmt.Sprintf("%d more, and all in full: paste this into the playground", left)
	}
	summary := digestCount(d) + ": " + t.severities
	return &slackapi.WebhookMessage{
		Text: slackText(summary, slackShortMax),
		Attachments: []slackapi.Attachment{{
			Color:    color,
			Title:    slackText(t.title, slackTitleMax),
			Fallback: slackText(t.title+": "+t.severities, slackShortMax),
			Fields: []slackapi.AttachmentField{
				slackField("By severity", t.severities, slackShortMax, true),
				slackField("By type", t.types, slackFieldMax, true),
				slackField("Time", t.span, slackShortMax, false),
				{Title: "Alerts, the worst first", Value: list}, // escaped already, line by line
				slackField(rest, t.query, slackFieldMax, false),
			},
			Footer: "Rustbucket Alerts",
			Ts:     json.Number(strconv.FormatInt(newest.Unix(), 10)),
		}},
	}
}

// slackList puts as many lines into one field as it takes.
func slackList(lines []digestLine) (list string, listed int) {
	var b strings.Builder
	used := 0
	for _, line := range lines {
		text := slackText("• "+line.text, slackLineMax)
		if used += utf8.RuneCountInString(text) + 1; used > slackFieldMax {
			break
		}
		b.WriteString(text + "\n")
		listed++
	}
	return strings.TrimSuffix(b.String(), "\n"), listed
}
