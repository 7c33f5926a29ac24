package notifiers

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Teams reads a text as Markdown, on the desktop by CommonMark and on phones by a parser of its own that knows backslashes before
// *, _, [ and ] only (https://github.com/microsoft/Teams-AdaptiveCards-Mobile/blob/main/source/shared/cpp/ObjectModel/MarkDownBlockParser.cpp).
// So these are escaped; everything else is put out of action by a blank of no width, which both leave alone.
const zeroWidth = "\u200b"

// teamsText is a text that Teams shows as it is, at most so many bytes of JSON.
func teamsText(s string, limit int) string { return cutEscaped(s, limit, jsonBytes, escapeTeams) }

// escapeTeams makes a paragraph of every line, since a single line break is a blank in Markdown. Empty lines are left out.
func escapeTeams(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		if beginsBlock(line) {
			b.WriteString(zeroWidth)
		}
		escapeTeamsLine(&b, line)
	}
	if b.Len() == 0 {
		return zeroWidth
	}
	return b.String()
}

// beginsBlock reports whether a line could be read as an item of a list, a heading, a quotation, a rule or code.
func beginsBlock(line string) bool {
	if strings.ContainsRune(" \t-+#>=", rune(line[0])) {
		return true
	}
	rest := strings.TrimLeft(line, "0123456789")
	return len(rest) < len(line) && rest != "" && (rest[0] == '.' || rest[0] == ')')
}

func escapeTeamsLine(b *strings.Builder, line string) {
	for i, r := range line {
		if strings.ContainsRune("*_[]`", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		next, _ := utf8.DecodeRuneInString(line[i+utf8.RuneLen(r):])
		if isMarkup(r, next) {
			b.WriteString(zeroWidth)
		}
	}
}

// isMarkup reports whether a character means something together with the next one: an escape, an entity, a tag, a date that
// Teams fills in, struck-out text. At the end of a line next is utf8.RuneError.
func isMarkup(r, next rune) bool {
	switch r {
	case '\\':
		return !unicode.IsLetter(next) && !unicode.IsDigit(next)
	case '&':
		return next == '#' || unicode.IsLetter(next)
	case '<':
		return strings.ContainsRune("/!?", next) || unicode.IsLetter(next)
	case '{', '~':
		return next == r
	}
	return false
}

// jsonBytes is how long encodeJSON writes a text, without its quotation marks.
func jsonBytes(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case strings.ContainsRune("\"\\\n\r\t\b\f", r):
			n += 2
		case r < ' ', r == '\u2028', r == '\u2029':
			n += 6
		default:
			n += utf8.RuneLen(r)
		}
	}
	return n
}
