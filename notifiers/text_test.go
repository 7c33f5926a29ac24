package notifiers

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Texts whose characters are more than one code point, and written from right to left.
const (
	family  = "👨‍👩‍👧‍👦" // 7 code points, 11 UTF-16 units, 25 bytes
	flag    = "🇨🇭"
	accents = "e\u0301"
	hebrew  = "שָׁלוֹם"
)

func TestCut_KeepsWhatPeopleSeeAsOneCharacterWhole(t *testing.T) {
	for _, c := range []struct {
		name, text string
		limit      int
		long       measure
		want       string
	}{
		{"fits", "abc", 3, characters, "abc"},
		{"one over", "abcd", 3, characters, "ab…"},
		{"no blank before the ellipsis", "ab cd", 4, characters, "ab…"},
		{"family at the border", "ab" + family, 9, characters, "ab" + family},
		{"family one over", "ab" + family + "c", 9, characters, "ab…"},
		{"family in UTF-16", family + family, 22, utf16Units, family + family},
		{"family in UTF-16, one over", family + family + "x", 22, utf16Units, family + "…"},
		{"family in bytes", family + "xyz", 28, octets, family + "xyz"},
		{"family in bytes, one over", family + "xyzw", 28, octets, family + "…"},
		{"flags", flag + flag + flag, 5, characters, flag + flag + "…"},
		{"accents", accents + accents + accents, 5, characters, accents + accents + "…"},
		{"right to left", hebrew + hebrew, utf8.RuneCountInString(hebrew) + 1, characters, hebrew + "…"},
		{"one character that is too long", "e" + strings.Repeat("\u0301", 50), 10, characters, "e" + strings.Repeat("\u0301", 8) + "…"},
		{"not UTF-8", "a\xffb", 5, characters, "a\uFFFDb"},
		{"cut and not UTF-8", "a\xffbcdefgh", 5, characters, "a\uFFFDbc…"},
	} {
		if got := cut(c.text, c.limit, c.long); got != c.want || c.long(got) > c.limit || !utf8.ValidString(got) {
			t.Errorf("%s: %q of %d, want %q", c.name, got, c.long(got), c.want)
		}
	}
}
