package notifiers

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rustbucket/alerts/models"
)

// minSecret is the length in bytes from which a piece of a URL or a header value is looked for. Shorter ones are no
// secrets, and taking them out would leave the text unreadable.
const minSecret = 4

// redactor takes a channel's secrets out of a text. The values are what to look for, the longest first.
type redactor []string

// add takes in a secret and the spellings in which services echo it: in base64, in hexadecimal, in JSON (also as we write it, and as a
// text within JSON), in a URL, in HTML.
func (r *redactor) add(secret string) {
	if len(secret) < minSecret {
		return
	}
	*r = append(*r, secret)
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		*r = append(*r, encoding.EncodeToString([]byte(secret)))
	}
	*r = append(*r, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))))
	if !strings.ContainsFunc(secret, func(c rune) bool { return !isPlain(c) }) {
		return
	}
	query, path, written, marked := url.QueryEscape(secret), url.PathEscape(secret), jsonWritten(secret), html.EscapeString(secret)
	for _, spelling := range []string{query, lowerEscapes(query), path, lowerEscapes(path), jsonEscape(secret), written, jsonWritten(written),
		strings.ReplaceAll(secret, "/", `\/`), marked, namedQuotes.Replace(marked)} {
		if spelling != secret {
			*r = append(*r, spelling)
		}
	}
}

// lowerEscapes is how .NET writes what is escaped in a URL: %2f.
func lowerEscapes(s string) string {
	return percentEscape.ReplaceAllStringFunc(s, strings.ToLower)
}

var (
	percentEscape = regexp.MustCompile(`%[0-9A-F]{2}`)
	namedQuotes   = strings.NewReplacer("&#34;", "&quot;")
)

// isPlain reports whether a character is written the same everywhere.
func isPlain(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// addURL takes in everything of a URL that models.ChannelConfig.Masked hides: all but scheme, host and port.
func (r *redactor) addURL(u *url.URL) {
	for _, whole := range []string{u.EscapedPath(), u.RawQuery, u.EscapedFragment()} {
		r.add(whole)
		for _, piece := range strings.FieldsFunc(whole, func(c rune) bool { return strings.ContainsRune("/&;=", c) }) {
			r.add(piece)
			if !strings.ContainsAny(piece, "%+") {
				continue
			}
			if plain, err := url.QueryUnescape(piece); err == nil && plain != piece {
				r.add(plain)
			}
			if plain, err := url.PathUnescape(piece); err == nil && plain != piece {
				r.add(plain)
			}
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		r.add(u.User.Username())
		r.add(password)
		r.add(basicAuth(u.User))
	}
}

// addHeader takes in a header's value, and what follows a scheme in it: "Bearer", "GenieKey".
func (r *redactor) addHeader(value string) {
	value = strings.TrimSpace(value)
	r.add(value)
	if _, credential, ok := strings.Cut(value, " "); ok {
		r.add(strings.TrimSpace(credential))
	}
}

// sorted puts the longest first, so that a secret that is part of another leaves nothing of it.
func (r redactor) sorted() redactor {
	slices.SortFunc(r, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(r)
}

// redact puts models.Mask in the place of every secret. cut says that the text was cut off at its end: what may be the
// beginning of a secret there is taken off as well.
func (r redactor) redact(text string, cut bool) string {
	for _, secret := range r {
		text = strings.ReplaceAll(text, secret, models.Mask)
	}
	if !cut {
		return text
	}
	end := len(text)
	for _, secret := range r {
		for n := min(len(secret)-1, len(text)); n > len(text)-end; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				end = len(text) - n
				break
			}
		}
	}
	return text[:end]
}

// jsonEscape is a text as encoding/json writes it unless told otherwise: with <, > and & escaped.
func jsonEscape(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return s
	}
	return string(b[1 : len(b)-1])
}

// jsonWritten is a text as encodeJSON writes it.
func jsonWritten(s string) string {
	b, err := encodeJSON(s)
	if err != nil {
		return s
	}
	return string(b[1 : len(b)-1])
}

// cutBytes gives at most so many bytes of a valid text, and never half a character.
func cutBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
