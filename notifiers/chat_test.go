package notifiers

import (
	"strings"
	"testing"

	slackapi "github.com/slack-go/slack"

	"github.com/rustbucket/alerts/models"
)

// limited is a text of a message that a service limits.
type limited struct {
	name  string
	limit int
	long  measure             // of what is sent
	shown func(string) string // the text as it is sent, for this text of an alert
}

// withMessage and withType give an alert that is told.
func withMessage(s string) Notification {
	a := testAlert()
	a.Message = s
	return Notification{Alert: a}
}

func withType(s string) Notification {
	a := testAlert()
	a.Type = s
	return Notification{Alert: a}
}

func chatLimits() []limited {
	p := newPoster(Settings{})
	slackBlock := func(n Notification, i int) *slackapi.SectionBlock {
		return (&slack{p}).message(n).Attachments[0].Blocks.BlockSet[i].(*slackapi.SectionBlock)
	}
	return []limited{
		{"Slack message", 3000, characters, func(s string) string { return slackBlock(withMessage(s), 1).Text.Text }},
		{"Slack field", 2000, characters, func(s string) string { return slackBlock(withType(s), 2).Fields[3].Text }},
		{"Slack header", 150, characters, func(s string) string { return slackPlain(s, slackTitleMax).Text }},
		{"Teams message", teamsMessageMax, jsonBytes, func(s string) string { return (&teams{p}).alertCard(withMessage(s)).Body[1].Text }},
		{"Teams fact", teamsFactMax, jsonBytes, func(s string) string { return (&teams{p}).alertCard(withType(s)).Body[2].Facts[1].Value }},
		{"Discord title", 256, characters, func(s string) string { return discordText(s, discordTitleMax) }},
		{"Discord description", 4096, characters, func(s string) string { return (&discord{p}).alertEmbed(withMessage(s)).Description }},
		{"Discord value", 1024, characters, func(s string) string { return (&discord{p}).alertEmbed(withType(s)).Fields[1].Value }},
	}
}

// Each limit is used up to the last character and never passed, whatever a character takes.
func TestChats_TextsUpToTheLimit(t *testing.T) {
	for _, l := range chatLimits() {
		for name, unit := range map[string]string{
			"letters": "a", "emoji": "😀", "a family": family, "right to left": "ש", "with points": hebrew, "markup": "*", "an escape": "&",
		} {
			sent := l.long(l.shown("x"+strings.Repeat(unit, 8))) - l.long("x")
			each := sent / 8
			// A text that takes exactly so many.
			text := func(size int) string {
				s := strings.Repeat(unit, (size-1)/each)
				return strings.Repeat("x", size-(size-1)/each*each) + s
			}
			for _, size := range []int{l.limit - 1, l.limit} {
				if got := l.shown(text(size)); l.long(got) != size || strings.HasSuffix(got, "…") {
					t.Errorf("%s, %s: of %d came %d: …%.20q", l.name, name, size, l.long(got), got[max(0, len(got)-20):])
				}
			}
			got := l.shown(text(l.limit + 1))
			if n := l.long(got); n > l.limit || n < l.limit-2*each-l.long("…") || !strings.HasSuffix(got, "…") {
				t.Errorf("%s, %s: of %d came %d: …%.20q", l.name, name, l.limit+1, n, got[max(0, len(got)-20):])
			}
			if body := strings.TrimSuffix(strings.TrimLeft(got, "x"), "…"); strings.ReplaceAll(body, l.shown(unit), "") != "" && unit == family {
				t.Errorf("%s: a family was torn apart", l.name)
			}
		}
	}
}

// All the texts of an embed together have a limit, too: the message gives way.
func TestDiscord_EmbedUpToTheLimit(t *testing.T) {
	name := strings.Repeat("*", models.MaxName)
	for _, unit := range []string{"a", "😀", "ש", "*"} {
		n := withMessage(strings.Repeat(unit, models.MaxMessage))
		n.Alert.Type, n.Alert.Rustbucket = name, &models.Rustbucket{ID: name, Name: name}
		e := (&discord{newPoster(Settings{})}).alertEmbed(n)
		all := discordDescriptionMax - e.room() + discordEmbedMax - discordDescriptionMax + characters(e.Description)
		if e.room() >= discordDescriptionMax {
			all = characters(e.Description) - discordDescriptionMax + discordEmbedMax
		}
		if all > discordEmbedMax || all < discordEmbedMax-2 {
			t.Errorf("%q: %d characters of %d", unit, all, discordEmbedMax)
		}
	}
}

func TestCutEscaped(t *testing.T) {
	stars := func(s string) string { return strings.ReplaceAll(s, "*", `\*`) }
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 5, ""},
		{"a*", 3, `a\*`},
		{"a**", 4, `a\*…`},
		{"***", 5, `\*\*…`},
		{"***", 4, `\*…`},
		{"***", 6, `\*\*\*`},
		{"*", 1, "…"},
		{"a\xff*", 4, "a\uFFFD" + `\*`},
	} {
		if got := cutEscaped(c.text, c.limit, characters, stars); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

// All chats agree on it.
func TestChats_DigestHasTheColorOfTheWorstThatCameIn(t *testing.T) {
	for want, items := range map[models.Severity][]models.DigestItem{
		models.SeverityMedium: {{Alert: &models.Alert{Severity: models.SeverityMedium}}, {Kind: models.TellResolved, Alert: resolvedAlert()}},
		models.SeverityLow:    {{Kind: models.TellResolved, Alert: resolvedAlert()}},
		models.SeverityHigh:   {{Alert: &models.Alert{}}, {Alert: testAlert()}},
	} {
		n := Notification{Digest: models.NewDigest(1, items)}
		if got := slackDigest(n).Attachments[0].Color; got != slackColor(want) {
			t.Errorf("Slack: %s, want %s", got, slackColor(want))
		}
		if got := teamsDigest(n).Body[0].Items[0].Color; got != teamsColor(want) {
			t.Errorf("Teams: %s, want %s", got, teamsColor(want))
		}
		if got := discordDigest(n).Color; got != discordColor(want) {
			t.Errorf("Discord: %x, want %x", got, discordColor(want))
		}
	}
}
