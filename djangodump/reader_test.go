package djangodump

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// readText reads a dump from standard input.
func readText(t testing.TB, text io.Reader) (*Dump, error) {
	t.Helper()
	dir := t.TempDir()
	f, err := Open("-", text, dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if left, _ := os.ReadDir(dir); len(left) > 0 && runtime.GOOS != "windows" {
		t.Errorf("%v can be read by others", left)
	}
	return Read(f)
}

func TestRead_SaysWhereItIsWrongAndHowToMendIt(t *testing.T) {
	const good = `{"model": "rustbucketregistry.alert", "pk": 1, "fields": {}}`
	for text, says := range map[string][]string{
		"":                                       {"empty"},
		"  \n":                                   {"empty"},
		"hello":                                  {"not JSON"},
		`"text"`:                                 {"not JSON"},
		good + "\n" + good:                       {"jsonl"},
		"- model: rustbucketregistry.alert\n":    {"YAML"},
		`<?xml version="1.0"?><django-objects/>`: {"XML"},
		"\x1f\x8b\x08hunter2":                    {"gzip", "gunzip"},
		"BZh9":                                   {"bzip2"},
		"\xff\xfe[\x00":                          {"UTF-16"},
		"SQLite format 3\x00":                    {"SQLite"},
		"[\n" + good:                             {"object 2", "line 2", "cut off"},
		"[\n" + good + ",\n":                     {"object 2", "line 3", "cut off"},
		"[\n" + good + `,` + "\n" + `{"model": "`:                    {"object 2", "line 3", "cut off"},
		"[\n" + good + ",\n\n" + `{"model": hunter2}]`:               {"object 2", "line 4", "not JSON"},
		"[\n" + good + "\n" + good + "]":                             {"object 2", "line 3", "not JSON"},
		"[\n" + good + ",\n5]":                                       {"object 2", "line 3", "model"},
		`[{"model": 7, "pk": 1, "fields": {"hunter2": 1}}]`:          {"object 1", "line 1", "model"},
		`[{"pk": 1, "fields": {}}]`:                                  {"object 1", "row"},
		`[{"model": "a.alert", "pk": 1, "fields": ["hunter2"]}]`:     {"object 1", "row"},
		`[{"model": "a.alert", "pk": {"hunter2": 1}, "fields": {}}]`: {"object 1", "pk"},
		`[` + good + `]` + "\n[]":                                    {"after the end"},
		`[{"model": "a.b", "pk": 1, "fields": {"x": "` + strings.Repeat("x", maxObject+600<<10) + `"}}]`: {"object 1", "larger than 8 MB"},
		strings.Repeat(" ", maxObject+600<<10) + "[]":                                                    {"not JSON"},
	} {
		_, err := readText(t, strings.NewReader(text))
		if err == nil {
			t.Errorf("%.60q is taken", text)
			continue
		}
		for _, part := range append(says, "standard input") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%.60q: %v does not say %q", text, err, part)
			}
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: %q", text, err)
		}
		if !strings.Contains(err.Error(), "dumpdata") && !strings.Contains(err.Error(), "import-django -") {
			t.Errorf("%.60q: %v does not say how to mend it", text, err)
		}
	}
	for _, text := range []string{"[]", "\xef\xbb\xbf[]", "\n[ ]\n", `[{"model": "x.y", "pk": null, "fields": {}}]`} {
		if _, err := readText(t, strings.NewReader(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.json"), nil, ""); err == nil || !strings.Contains(err.Error(), "none.json cannot be read") {
		t.Errorf("no file: %v", err)
	}
	if _, err := Open(t.TempDir(), nil, ""); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
}

func TestRead_TakesLittleMemoryForALargeFile(t *testing.T) {
	const rows = 20_000
	path := filepath.Join(t.TempDir(), "large.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, `[{"model": "r.rustbucket", "pk": "BKT1", "fields": {"name": "One"}}, {"model": "r.logsink", "pk": 1, "fields": {"rustbucket": "BKT1"}}`)
	for i := range rows {
		fmt.Fprintf(f, ",\n"+`{"model": "r.alert", "pk": %d, "fields": {"type": "error", "severity": "low", "message": %q, "logsink": 1, "created_at": "2025-12-12T10:30:00Z"}}`, i, strings.Repeat("long ", 150))
	}
	fmt.Fprint(f, "]")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	d := readFile(t, path)
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	n, most := 0, uint64(0)
	err = d.EachAlert(func(a Alert) error {
		if a.Problem != nil {
			return a.Problem
		}
		if n++; n%5_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
		return nil
	})
	if err != nil || n != rows || d.Alerts != rows {
		t.Errorf("%d of %d alerts, %v", n, d.Alerts, err)
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 8<<20 || d.file.Size < 15<<20 {
		t.Errorf("%d MB of memory for a file of %d MB", grown>>20, d.file.Size>>20)
	}
}

// FuzzRead: whatever stands in a file, reading it ends, and with it every object is whole or the error says where not.
func FuzzRead(f *testing.F) {
	guide, err := os.ReadFile(filepath.Join("testdata", "guide.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(guide)
	for _, seed := range []string{`[{"model":"r.alert","pk":1,"fields":{"type":"e","message":"m","created_at":"2025-12-12T10:30:00Z"}}]`, `[]`, `[{"model":"a.alert","pk":[["x"]],"fields":{}}]`, "[\n1,", "\xef\xbb\xbf["} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := readText(t, bytes.NewReader(data))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %q", err)
			}
			return
		}
		for _, c := range d.Channels {
			if (c.Here == nil) == (c.Problem == nil) || c.Here != nil && c.Here.Valid("") != nil {
				t.Errorf("channel %+v", c)
			}
		}
		r, err := newReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
		for err == nil {
			var o object
			if o, err = r.next(); err == nil && o.Model == "alert" {
				if a := d.readAlert(o); (a.New == nil) == (a.Problem == nil) || a.New != nil && (a.New.Valid("") != nil || a.CreatedAt.IsZero()) {
					t.Errorf("alert %+v", a)
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("the second reading: %v", err)
		}
	})
}
