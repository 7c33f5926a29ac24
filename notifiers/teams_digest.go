package notifiers

// teamsLineMax is the length of one alert in a digest, in bytes of JSON: all of them together keep below teamsBodyMax.
const teamsLineMax = 480

// teamsDigest shows several alerts in one card.
func teamsDigest(n Notification) teamsCard {
	t := describeDigest(n.Digest)
	body := []teamsElement{
		teamsTitle(t.title, chatSeverity(n)),
		{Type: "FactSet", Facts: []teamsFact{
			{"By severity", teamsText(t.severities, teamsFactMax)}, {"By type", teamsText(t.types, 2*teamsFactMax)}, {"Time", t.span},
		}},
	}
	for i, line := range t.lines {
		block := teamsBlock(teamsText(chatMark(line)+line.text, teamsLineMax))
		if i > 0 {
			block.Spacing = "Small"
		}
		body = append(body, block)
	}
	rest := teamsBlock(chatRest(len(n.Digest.Items) - len(t.lines)))
	rest.Weight = "Bolder"
	query := teamsBlock(t.query) // has nothing in it that is markup
	query.FontType, query.Size, query.Spacing = "Monospace", "Small", "Small"
	return teamsCard{Body: append(body, rest, query)}
}
