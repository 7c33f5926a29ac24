package notifiers

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/rustbucket/alerts/models"
)

// Limits of a card in bytes of JSON. Teams takes 28 KB after it has expanded the card
// (https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/format-your-bot-messages); together these keep the whole
// body below 20,000.
const (
	teamsBodyMax    = 20_000
	teamsTitleMax   = 400
	teamsFactMax    = 1_000
	teamsMessageMax = 14_000
)

// teams posts alerts as Adaptive Cards to a workflow "When a Teams webhook request is received"
// (https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook).
type teams struct {
	*poster
}

func (t *teams) Send(ctx context.Context, n Notification) Outcome {
	config := n.Config.(*models.TeamsConfig)
	secrets := func() redactor { return urlSecrets(config.WebhookURL).sorted() }
	_, retired := models.ServiceOf(config.WebhookURL)
	card := t.alertCard
	if n.Digest != nil {
		card = teamsDigest
	}
	return t.postJSON(ctx, config.WebhookURL, nil, newTeamsMessage(card(n)), secrets, judgeTeams(retired))
}

// teamsMessage is what the workflow passes on.
type teamsMessage struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	ContentURL  *string   `json:"contentUrl"` // null
	Content     teamsCard `json:"content"`
}

// teamsCard is an Adaptive Card of version 1.4, the newest that workflows take (https://adaptivecards.io/explorer/AdaptiveCard.html).
type teamsCard struct {
	Schema  string         `json:"$schema"`
	Type    string         `json:"type"`
	Version string         `json:"version"`
	Body    []teamsElement `json:"body"`
	Actions []teamsAction  `json:"actions,omitempty"`
	MSTeams struct {
		Width string `json:"width"`
	} `json:"msteams"`
}

// teamsElement is a Container, a TextBlock or a FactSet.
type teamsElement struct {
	Type     string         `json:"type"`
	Style    string         `json:"style,omitempty"`
	Bleed    bool           `json:"bleed,omitempty"`
	Items    []teamsElement `json:"items,omitempty"`
	Text     string         `json:"text,omitempty"`
	Wrap     bool           `json:"wrap,omitempty"`
	Color    string         `json:"color,omitempty"`
	Weight   string         `json:"weight,omitempty"`
	Size     string         `json:"size,omitempty"`
	FontType string         `json:"fontType,omitempty"`
	IsSubtle bool           `json:"isSubtle,omitempty"`
	Spacing  string         `json:"spacing,omitempty"`
	Facts    []teamsFact    `json:"facts,omitempty"`
}

type teamsFact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

type teamsAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

func newTeamsMessage(card teamsCard) teamsMessage {
	card.Schema, card.Type, card.Version = "http://adaptivecards.io/schemas/adaptive-card.json", "AdaptiveCard", "1.4"
	card.MSTeams.Width = "full"
	return teamsMessage{Type: "message", Attachments: []teamsAttachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: card}}}
}

func (t *teams) alertCard(n Notification) teamsCard {
	facts := teamsElement{Type: "FactSet"}
	for _, f := range chatFacts(n) {
		facts.Facts = append(facts.Facts, teamsFact{f.name, teamsText(f.value, teamsFactMax)})
	}
	facts.Facts = append(facts.Facts, teamsFact{"Time", timeText(n.Alert.CreatedAt)})
	footer := teamsBlock(chatFooter(n.Alert))
	footer.Size, footer.IsSubtle = "Small", true
	card := teamsCard{Body: []teamsElement{
		teamsTitle(headline(n), chatSeverity(n)), teamsBlock(teamsText(n.Alert.Message, teamsMessageMax)), facts, footer,
	}}
	if link := t.link(n.Alert); link != "" {
		card.Actions = []teamsAction{{Type: "Action.OpenUrl", Title: "Open", URL: link}}
	}
	return card
}

// teamsTitle is the card's coloured top.
func teamsTitle(title string, s models.Severity) teamsElement {
	text := teamsBlock(teamsText(title, teamsTitleMax))
	text.Color, text.Weight, text.Size = teamsColor(s), "Bolder", "Large"
	return teamsElement{Type: "Container", Style: strings.ToLower(text.Color), Bleed: true, Items: []teamsElement{text}}
}

func teamsBlock(text string) teamsElement {
	return teamsElement{Type: "TextBlock", Text: text, Wrap: true}
}

func teamsColor(s models.Severity) string {
	switch s {
	case models.SeverityHigh:
		return "Attention"
	case models.SeverityMedium:
		return "Warning"
	}
	return "Good"
}

// judgeTeams knows what Power Automate answers when a workflow cannot be reached, and the statuses for the rest. A retired
// connector answers 200 whatever becomes of the message; only the body 1 means that it was taken.
func judgeTeams(retired bool) classifier {
	return func(a answer) Outcome {
		o := byStatus(a)
		if retired && o.Result == Delivered {
			return judgeConnector(a)
		}
		var why string
		switch code := teamsError(a.raw); {
		case code == "WorkflowTriggerIsNotEnabled", code == "WorkflowNotFound", a.status == http.StatusNotFound:
			why = "the workflow is turned off or was deleted: turn it on, or make a new one and give the channel its URL"
		case code == "DirectApiAuthorizationRequired":
			why = "the workflow asks who is calling: let anyone trigger it, and give the channel the whole URL that it has then"
		case code == "MissingApiVersionParameter":
			why = "the URL is not whole: copy it anew, up to the end of its sig"
		case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
			why = "the URL's sig is not accepted, or the workflow may not be triggered by anyone: copy the URL anew"
		default:
			return o
		}
		if o.Result == Permanent {
			o.Result = ChannelBroken
			o.Error += ": " + why
		}
		return o
	}
}

// teamsError is the code in an answer of Power Automate.
func teamsError(raw string) string {
	var body struct {
		Error struct{ Code string }
	}
	_ = json.Unmarshal([]byte(raw), &body) // what is no JSON has no code
	return body.Error.Code
}

func judgeConnector(a answer) Outcome {
	words := strings.TrimSpace(a.raw)
	switch {
	case words == "1" && a.complete:
		return Outcome{Result: Delivered}
	case !a.complete:
		return Outcome{Result: Retry, Error: "the answer broke off before it said whether the message was taken"}
	case strings.Contains(words, "HTTP error 429"), strings.Contains(words, "HTTP error 5"):
		return Outcome{Result: Retry, Error: "the connector did not pass the message on: " + cutRunes(oneLine(a.body), maxErrorRunes)}
	}
	return Outcome{Result: Permanent, Error: "the connector refused the message: " + cutRunes(oneLine(a.body), maxErrorRunes) +
		"; Microsoft has retired connectors: make a workflow and give the channel its URL"}
}
