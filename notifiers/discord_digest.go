package notifiers

import "strings"

// discordLineMax is the length of one alert in a digest: what is full of markup must not crowd the others out.
const discordLineMax = 300

// discordDigest shows several alerts in one embed.
func discordDigest(n Notification) discordEmbed {
	t := describeDigest(n.Digest)
	_, newest := digestSpan(n.Digest)
	e := discordEmbed{
		Title:     discordText(t.title, discordTitleMax),
		Color:     discordColor(chatSeverity(n)),
		Footer:    discordFooter{"Rustbucket Alerts"},
		Timestamp: discordTime(newest),
		Fields: []discordField{
			{"By severity", discordText(t.severities, discordValueMax), true},
			{"By type", discordText(t.types, discordValueMax), true},
			{"Time", t.span, false},
			{chatRest(len(n.Digest.Items)), "```graphql\n" + t.query + "\n```", false}, // for its length; the number comes below
		},
	}
	list, listed := discordList(t.lines, e.room())
	e.Description = list
	e.Fields[3].Name = chatRest(len(n.Digest.Items) - listed)
	return e
}

// discordList puts as many lines into a description as it takes.
func discordList(lines []digestLine, room int) (list string, listed int) {
	var b strings.Builder
	for _, line := range lines {
		text := chatMark(line) + discordText(line.text, discordLineMax) + "\n"
		if room -= characters(text); room < 0 {
			break
		}
		b.WriteString(text)
		listed++
	}
	return strings.TrimSuffix(b.String(), "\n"), listed
}
