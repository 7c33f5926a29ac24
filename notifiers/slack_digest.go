package notifiers

import (
	"strings"
	"unicode/utf8"

	slackapi "github.com/slack-go/slack"
)

// slackLineMax is the length of one alert in a digest, after escaping: what is full of characters that need it must not
// crowd the others out.
const slackLineMax = 300

// slackDigest shows several alerts in one attachment.
func slackDigest(n Notification) *slackapi.WebhookMessage {
	t := describeDigest(n.Digest)
	_, newest := digestSpan(n.Digest)
	blocks := []slackapi.Block{
		slackapi.NewSectionBlock(nil, []*slackapi.TextBlockObject{
			slackMarkup("*By severity*"), slackPlain(t.severities, slackFieldMax),
			slackMarkup("*By type*"), slackPlain(t.types, slackFieldMax),
			slackMarkup("*Time*"), slackPlain(t.span, slackFieldMax),
		}, nil),
		slackapi.NewSectionBlock(slackMarkup("*Alerts, the worst first*"), nil, nil),
	}
	for _, part := range slackList(t.lines) {
		// Escaped already, line by line.
		text := slackapi.NewTextBlockObject(slackapi.PlainTextType, part, false, false)
		blocks = append(blocks, slackapi.NewSectionBlock(text, nil, nil))
	}
	rest := chatRest(len(n.Digest.Items) - len(t.lines))
	blocks = append(blocks,
		slackapi.NewSectionBlock(slackMarkup("*"+rest+"*\n```"+slackEscapes.Replace(t.query)+"```"), nil, nil),
		slackapi.NewContextBlock("", slackMarkup(slackTime(newest)+"  •  Rustbucket Alerts")))
	return slackMessage(n, digestCount(n.Digest)+": "+t.severities, t.title, t.title+": "+t.severities, blocks...)
}

// slackList puts the lines into as few sections as take them.
func slackList(lines []digestLine) (sections []string) {
	var b strings.Builder
	used := 0
	for _, line := range lines {
		text := slackText(chatMark(line)+line.text, slackLineMax)
		if used += utf8.RuneCountInString(text) + 1; used > slackSectionMax && b.Len() > 0 {
			sections = append(sections, strings.TrimSuffix(b.String(), "\n"))
			b.Reset()
			used = utf8.RuneCountInString(text) + 1
		}
		b.WriteString(text + "\n")
	}
	return append(sections, strings.TrimSuffix(b.String(), "\n"))
}
