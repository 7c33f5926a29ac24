package notifiers

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRedactor(t *testing.T) {
	r := urlSecrets("https://us%20er:p%40ss@example.com:8443/hooks/T000AAAA/a%2Fbcd?sig=s%2Bgn&x=1#frag")
	r.addHeader("Bearer abcdef")
	r = r.sorted()
	for text, want := range map[string]string{
		"nothing of it at example.com:8443":   "nothing of it at example.com:8443",
		"POST /hooks/T000AAAA/a%2Fbcd failed": "POST **** failed",
		`"\/hooks\/T000AAAA"`:                 `"\/****\/****"`,
		"a/bcd and s+gn":                      "**** and ****",
		"Bearer abcdef, abcdef, bearer":       "****, ****, bearer",
		"user us er, p@ss":                    "user ****, ****",
		"x=1":                                 "x=1",
	} {
		if got := r.redact(text, false); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"see T000AA": "see ", "see Bearer abc": "see ", "see abcde": "see ", "see 1": "see 1"} {
		if got := r.redact(text, true); got != want {
			t.Errorf("%q, cut, became %q, want %q", text, got, want)
		}
	}
}

// TestRedactor_EverySpelling: a key that needs escapes is found as we write it ourselves, and as services write it.
func TestRedactor_EverySpelling(t *testing.T) {
	r := keySecrets(`k"<e/y>&+1`, nil)
	for _, text := range []string{
		`k"<e/y>&+1`,
		`k\"<e/y>&+1`,                // our own JSON
		`k\"\u003ce/y\u003e\u0026+1`, // JSON of others
		`k\\\"<e/y>&+1`,              // a body of ours, quoted in JSON
		`k%22%3Ce%2Fy%3E%26%2B1`,     // a URL
		`k%22%3ce%2fy%3e%26%2b1`,     // a URL as .NET writes it
		`k&#34;&lt;e/y&gt;&amp;+1`,   // HTML
		`k&quot;&lt;e/y&gt;&amp;+1`,  // HTML
		`ayI8ZS95PiYrMQ==`,           // base64
		`ayI8ZS95PiYrMQ`,             // without its end
		`6b223c652f793e262b31`,       // hexadecimal
		`6B223C652F793E262B31`,
	} {
		if got := r.redact("key "+text+".", false); got != "key ****." {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("abc\x00\xff secret", true)
	f.Fuzz(func(t *testing.T, text string, cut bool) {
		got := clean(text, cut, redactor{"secret", "ret"})
		if !utf8.ValidString(got) || strings.ContainsRune(got, 0) || strings.Contains(got, "secret") {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestCuts(t *testing.T) {
	if got := cutBytes("aé😀", 3); got != "aé" {
		t.Errorf("cutBytes: %q", got)
	}
	if got := cutBytes("aé😀", 6); got != "aé" {
		t.Errorf("cutBytes: %q", got)
	}
	if got := cutRunes("é😀bc", 3); got != "é😀…" {
		t.Errorf("cutRunes: %q", got)
	}
	if got := firstWords("one two\r\n\tthree four", 13); got != "one two…" {
		t.Errorf("firstWords: %q", got)
	}
	if got := firstWords(" one\x00two ", 13); got != "one two" {
		t.Errorf("firstWords: %q", got)
	}
}
