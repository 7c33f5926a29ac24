package notifiers

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// discordText is a text that Discord shows as it is, at most so many characters.
func discordText(s string, limit int) string { return cutEscaped(s, limit, characters, escapeDiscord) }

// discordLink is what Discord makes a link of. No markup is looked for in it, and no escape either.
var discordLink = regexp.MustCompile(`https?://[^\s<]+[^<.,:;"')\]\s]`)

// escapeDiscord puts a backslash before everything that Discord reads as markup
// (https://support.discord.com/hc/en-us/articles/210298617): emphasis, code, spoilers, masked links, mentions, emoji by name, and
// at the beginning of a line headings, lists and quotations. Addresses stay links.
func escapeDiscord(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	first := true
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "\n") {
		if !first {
			b.WriteByte('\n')
		}
		first = false
		escapeDiscordLine(&b, line)
	}
	return b.String()
}

func escapeDiscordLine(b *strings.Builder, line string) {
	bullet, from := discordBullet(line), 0
	text := func(to int) {
		for i, r := range line[from:to] {
			i += from
			if i == bullet || isDiscordMarkup(r, line[i+utf8.RuneLen(r):]) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
	}
	for _, link := range discordLink.FindAllStringIndex(line, -1) {
		text(link[0])
		b.WriteString(line[link[0]:link[1]])
		from = link[1]
	}
	text(len(line))
}

// discordBullet is where the character stands that makes a line a heading, an item of a list or a quotation; -1 when none does.
func discordBullet(line string) int {
	rest := strings.TrimLeft(line, " \t")
	numbered := strings.TrimLeft(rest, "0123456789")
	switch {
	case rest != "" && strings.ContainsRune("#->+", rune(rest[0])):
		return len(line) - len(rest)
	case len(numbered) < len(rest) && numbered != "" && (numbered[0] == '.' || numbered[0] == ')'):
		return len(line) - len(numbered)
	}
	return -1
}

func isDiscordMarkup(r rune, after string) bool {
	switch r {
	case '\\', '*', '_', '~', '`', '|', '<', '@', '[', ']':
		return true
	case ':': // of an emoji, or of what looks like a link
		return after != "" && (isPlain(rune(after[0])) || after[0] == '/' || after[0] == '+')
	}
	return false
}
