package notifiers

import (
	"encoding/json"
	"fmt"
	"mime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/testkit"
)

// takenMail gives a notification as a mail program gets it.
func takenMail(t *testing.T, n Notification, settings ...func(*MailSettings)) parsed {
	t.Helper()
	server, s := mailServer(t, testkit.MailOptions{})
	for _, f := range settings {
		f(&s)
	}
	if o := sendNotification(t, s, n); o.Result != Delivered {
		t.Fatalf("outcome %+v", o)
	}
	data := server.Mails()[0].Data
	checkLines(t, data)
	p := parseMail(t, data)
	for kind, text := range p.parts {
		if !utf8.ValidString(text) {
			t.Errorf("%s is not valid UTF-8", kind)
		}
	}
	return p
}

// checkLines looks at what every mail must keep to: 998 bytes a line, 76 of an encoded word's, each of which is whole by itself.
func checkLines(t *testing.T, data []byte) {
	t.Helper()
	if len(data) > 512<<10 {
		t.Errorf("a mail of %d bytes", len(data))
	}
	for line := range strings.SplitSeq(string(data), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") || strings.ContainsFunc(line, func(r rune) bool { return r > 0x7e }) {
			t.Errorf("a line of %d bytes: %.100q", len(line), line)
		}
		for word := range strings.FieldsSeq(line) {
			if !strings.HasPrefix(word, "=?UTF-8?") {
				continue
			}
			if text, err := new(mime.WordDecoder).Decode(word); err != nil || !utf8.ValidString(text) || len(line) > 76 {
				t.Errorf("encoded word %q in a line of %d bytes: %q, %v", word, len(line), text, err)
			}
		}
	}
}

func TestEmail_AllAboutAnAlertIsOneThread(t *testing.T) {
	const want = "<alert-123-a0550215ea3b.1765535400000000@example.com>"
	ids := map[string]bool{}
	for _, n := range []Notification{
		{Key: "alert-123-delivery-4-a0550215ea3b", AlertKey: "alert-123-a0550215ea3b", Alert: testAlert()},
		{Key: "alert-123-delivery-5-a0550215ea3b", AlertKey: "alert-123-a0550215ea3b", Alert: testAlert()}, // on another channel
		{Key: "alert-123-delivery-6-a0550215ea3b", AlertKey: "alert-123-a0550215ea3b", Kind: models.TellResolved, Alert: resolvedAlert()},
	} {
		p := takenMail(t, n)
		if p.header.Get("References") != want || p.header.Get("In-Reply-To") != want {
			t.Errorf("References %q, In-Reply-To %q", p.header.Get("References"), p.header.Get("In-Reply-To"))
		}
		ids[p.header.Get("Message-Id")] = true
		if subject := p.subject(t); n.resolved() != strings.HasPrefix(subject, "Rustbucket Alert: RESOLVED: ERROR: Rustbucket node1") {
			t.Errorf("subject %q", subject)
		}
	}
	if len(ids) != 3 || ids[want] {
		t.Errorf("Message-IDs %v", ids)
	}
	if p := takenMail(t, Notification{Key: "digest-6", Digest: testDigest()}); p.header.Get("References")+p.header.Get("In-Reply-To") != "" {
		t.Errorf("a digest is in the thread %v", p.header)
	}
}

func TestEmail_LinksToTheAlert(t *testing.T) {
	public := func(s *MailSettings) { s.PublicURL = "https://alerts.example.com/sub" }
	for name, c := range map[string]struct {
		n    Notification
		want []string
	}{
		"alert":  {Notification{Key: "k", Alert: testAlert()}, []string{"https://alerts.example.com/sub/alerts/123"}},
		"digest": {Notification{Key: "k", Digest: testDigest()}, []string{"https://alerts.example.com/sub/playground", "https://alerts.example.com/sub/alerts/7"}},
	} {
		p := takenMail(t, c.n, public)
		for i, link := range c.want {
			if !strings.Contains(p.parts["text/html"], `href="`+link+`"`) || i == 0 && !strings.Contains(p.parts["text/plain"], ": "+link+"\n") {
				t.Errorf("%s does not link to %s: %s", name, link, p.parts["text/plain"])
			}
		}
		if p := takenMail(t, c.n); strings.Contains(p.parts["text/html"]+p.parts["text/plain"], "http") {
			t.Errorf("%s has links to nowhere", name)
		}
	}
	test := TestNotification(nil)
	if p := takenMail(t, test, public); strings.Contains(p.parts["text/html"], "href") {
		t.Error("a test links to an alert that is not stored")
	}
}

func TestEmail_HTMLIsFitForPhonesAndDarkMode(t *testing.T) {
	n := Notification{Key: "k", Alert: testAlert()}
	html := takenMail(t, n).parts["text/html"]
	for _, want := range []string{
		`<meta name="color-scheme" content="light dark">`, "@media (prefers-color-scheme: dark)", `<meta name="viewport" content="width=device-width`,
		`<div style="display:none`, "HIGH · Production Node 1 (BKT123456) · 2025-12-12 10:30:00 UTC", `<span class="badge high"`, `lang="en"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %s in %s", want, html)
		}
	}
	if strings.Contains(html, "ZgotmplZ") || strings.Contains(html, "<script") || strings.Contains(html, "<img") {
		t.Errorf("html %s", html)
	}
	n.Kind, n.Alert = models.TellResolved, resolvedAlert()
	html = takenMail(t, n).parts["text/html"]
	if !strings.Contains(html, ">RESOLVED</span>") || !strings.Contains(html, "Was resolved at 2025-12-13 11:00:00 UTC · severity HIGH") || strings.Contains(html, toneHigh.Color) {
		t.Errorf("html of a resolve: %s", html)
	}
}

// scripts are characters of all kinds: what people see as one may be many bytes, and some are written from right to left.
var scripts = []string{"x", "é", "日", "😀", "👨‍👩‍👧‍👦", "🇩🇪", "م", "מָ", "e\u0301"}

// What is at its limit is whole; one more is cut where a character ends.
func TestEmail_Limits(t *testing.T) {
	wide := func(character string, runes int) string { // so many code points, filled up with x
		per := utf8.RuneCountInString(character)
		return strings.Repeat("x", runes%per) + strings.Repeat(character, runes/per)
	}
	whole := func(t *testing.T, what, got, full string, fits bool) {
		t.Helper()
		if fits != (got == full) {
			t.Errorf("%s: %q of %q", what, got, full)
		}
		if fits {
			return
		}
		kept, cut := strings.CutSuffix(got, "…")
		if !cut || !strings.HasPrefix(full, kept) || uniseg.GraphemeClusterCount(kept)+uniseg.GraphemeClusterCount(full[len(kept):]) != uniseg.GraphemeClusterCount(full) {
			t.Errorf("%s is cut to %q, of %q", what, got, full)
		}
	}
	for _, character := range scripts {
		for _, over := range []int{-1, 0, 1} {
			t.Run(fmt.Sprintf("%q %+d", character, over), func(t *testing.T) {
				a := testAlert()
				a.Type, a.Message = wide(character, 60+over), "m"
				subject := takenMail(t, Notification{Key: "k", Alert: a}).subject(t)
				name := strings.TrimSuffix(strings.TrimPrefix(subject, "Rustbucket Alert: "), ": m")
				whole(t, "type", name, strings.ToUpper(a.Type), over <= 0)

				a = testAlert()
				a.Message = wide(character, subjectWords+over)
				subject = takenMail(t, Notification{Key: "k", Alert: a}).subject(t)
				whole(t, "first words", strings.TrimPrefix(subject, "Rustbucket Alert: ERROR: "), a.Message, over <= 0)

				a = testAlert()
				text := wide(character, detailValue+over)
				a.Details, _ = json.Marshal(map[string]string{"value": text})
				_, rest, _ := strings.Cut(takenMail(t, Notification{Key: "k", Alert: a}).parts["text/plain"], "  value: ")
				got, _, _ := strings.Cut(rest, "\n")
				whole(t, "detail", got, text, over <= 0)

				a.Details, _ = json.Marshal(map[string]string{wide(character, detailName+over): "v"})
				_, rest, _ = strings.Cut(takenMail(t, Notification{Key: "k", Alert: a}).parts["text/plain"], "Details:\n  ")
				got, _, _ = strings.Cut(rest, ": v")
				whole(t, "name of a detail", got, wide(character, detailName+over), over <= 0)
			})
		}
	}
	for _, rows := range []int{detailRows - 1, detailRows, detailRows + 1} {
		fields := make([]string, rows)
		for i := range fields {
			fields[i] = fmt.Sprintf(`"%02d": %d`, i, i)
		}
		a := testAlert()
		a.Details = json.RawMessage("{" + strings.Join(fields, ",") + "}")
		p := takenMail(t, Notification{Key: "k", Alert: a})
		for kind, row := range map[string]string{"text/plain": "  %02d: ", "text/html": ">%02d</th>"} {
			if strings.Contains(p.parts[kind], fmt.Sprintf(row, rows-1)) != (rows <= detailRows) || strings.Contains(p.parts[kind], "and 1 more") != (rows > detailRows) {
				t.Errorf("%d details: %s", rows, p.parts[kind])
			}
		}
	}
}

// The longest message there may be stands in both parts, whatever it is made of, beside the largest details.
func TestEmail_LargestMail(t *testing.T) {
	for _, character := range slices.Compact(slices.Sorted(slices.Values(append(widest, scripts...)))) {
		details := largestDetails(strings.Repeat(character, detailName+1), strings.Repeat(character, 50))
		a := testAlert()
		a.Message = string([]rune(strings.Repeat(character, models.MaxMessage))[:models.MaxMessage]) // in the middle of one, with some
		a.Type, a.Details = strings.Repeat(character, models.MaxName), details
		p := takenMail(t, Notification{Key: "k", Alert: a})
		if !strings.Contains(p.parts["text/plain"], a.Message) {
			t.Errorf("%q: the message is not whole", character)
		}
		if !strings.Contains(p.parts["text/plain"], " more\n") {
			t.Errorf("%q: all details are there", character)
		}
		if p := takenMail(t, Notification{Key: "k", Digest: largestDigest(character)}); len(p.parts) != 2 {
			t.Errorf("%d parts", len(p.parts))
		}
	}
}

// largestDetails has as many fields as an alert may have, with this name behind a number and this text in a list.
func largestDetails(name, text string) json.RawMessage {
	details := []byte("{")
	for i := 0; ; i++ {
		field, _ := json.Marshal(map[string]any{fmt.Sprint(i, name): map[string]any{"list": []string{text}}})
		if len(details)+len(field) > models.MaxDetailsBytes {
			return append(details[:len(details)-1], '}')
		}
		details = append(append(details, field[1:len(field)-1]...), ',')
	}
}

func TestEmail_Details(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, 4000) + strings.Repeat(`]}`, 4000)
	for name, c := range map[string]struct{ details, want string }{
		"none":  {``, ""},
		"empty": {`{}`, ""},
		"kinds": {`{"text":"<b>&\u0007 two\nlines","number":1.50,"big":12345678901234567890,"yes":true,"none":null}`,
			"\nDetails:\n  text: <b>&  two\n  lines\n  number: 1.50\n  big: 12345678901234567890\n  yes: true\n  none: null\n"},
		"nested":         {`{"list":[1,{"a":"b"}],"object":{}}`, "  list: [\n    1,\n    {\n      \"a\": \"b\"\n    }\n  ]\n  object: {}\n"},
		"in their order": {`{"z":1,"a":2,"m":3}`, "  z: 1\n  a: 2\n  m: 3\n"},
		"half a pair":    {`{"a":"\ud83d"}`, "  a: \uFFFD\n"},
		"deep":           {`{"a":` + deep + `,"b":1}`, "  b: 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			a := testAlert()
			a.Details = json.RawMessage(c.details)
			p := takenMail(t, Notification{Key: "k", Alert: a})
			if text := p.parts["text/plain"]; !strings.Contains(text, c.want) || strings.Contains(text, "Details:") != (c.want != "") {
				t.Errorf("text %.2000s", text)
			}
			if html := p.parts["text/html"]; strings.Contains(html, ">Details</h2>") != (c.want != "") || strings.Contains(html, "<b>") {
				t.Errorf("html %.6000s", html)
			}
		})
	}
}

// What an alert says must not be taken for an encoded word.
func TestEmail_SubjectIsNotDecodedTwice(t *testing.T) {
	a := testAlert()
	a.Message = "=?utf-8?q?Re:_all_is_well?= or so"
	for _, more := range []string{"", " é"} {
		a.Message += more
		if got := takenMail(t, Notification{Key: "k", Alert: a}).subject(t); got != "Rustbucket Alert: ERROR: "+strings.ReplaceAll(a.Message, "=?", "= ?") {
			t.Errorf("subject %q", got)
		}
	}
}
