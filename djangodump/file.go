package djangodump

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Again tells how to make a dump that can be read.
const Again = "make it anew with python manage.py dumpdata rustbucketregistry --format json -o dump.json"

// File is a dump that can be read more than once.
type File struct {
	// Progress is told, while the file is read, how many of its Size bytes have been; nil = nobody wants to know.
	Progress func(read int64)
	Size     int64

	name string
	f    *os.File
	skip int64 // a byte order mark
}

// Open opens a dump; "-" is stdin. What cannot be read twice, such as a pipe, is copied into a file in dir that nobody
// else can read and that is gone when the program ends.
func Open(name string, stdin io.Reader, dir string) (*File, error) {
	d := &File{name: name}
	var err error
	if name == "-" {
		d.name = "standard input"
		err = d.spool(stdin, dir)
	} else if d.f, err = os.Open(name); err == nil {
		var info os.FileInfo
		if info, err = d.f.Stat(); err == nil && info.IsDir() {
			err = errors.New("it is a folder")
		}
		if err == nil && !info.Mode().IsRegular() {
			pipe := d.f
			err = d.spool(pipe, dir)
			pipe.Close()
		} else if err == nil {
			d.Size = info.Size()
		}
	}
	if err == nil {
		err = d.recognise()
	}
	if err != nil {
		d.Close()
		return nil, d.explain(err)
	}
	return d, nil
}

func (d *File) spool(from io.Reader, dir string) error {
	f, err := os.CreateTemp(dir, "import-*.json") // 0600
	if err != nil {
		return err
	}
	d.f = f
	_ = os.Remove(f.Name())
	d.Size, err = io.Copy(f, from)
	return err
}

// Close ends the reading.
func (d *File) Close() {
	if d.f != nil {
		_ = d.f.Close()
	}
}

// formats are what people hand in instead of JSON, by the first bytes.
var formats = []struct{ begins, is string }{
	{"\x1f\x8b", "it is compressed with gzip: unpack it, as in gunzip -c FILE | rustbucket-alerts import-django -"},
	{"BZh", "it is compressed with bzip2: unpack it, as in bunzip2 -c FILE | rustbucket-alerts import-django -"},
	{"\xfd7zXZ", "it is compressed with xz: unpack it, as in xz -dc FILE | rustbucket-alerts import-django -"},
	{"\x28\xb5\x2f\xfd", "it is compressed with zstd: unpack it, as in zstd -dc FILE | rustbucket-alerts import-django -"},
	{"PK\x03\x04", "it is a zip archive: unpack it first"},
	{"SQLite format 3", "it is an SQLite database, not a dump of one: " + Again},
	{"\xff\xfe", "it is UTF-16, as > in PowerShell writes it: " + Again},
	{"\xfe\xff", "it is UTF-16: " + Again},
	{"<", "it is XML: " + Again},
	{"- model:", "it is YAML: " + Again},
}

// recognise refuses what is plainly something else, and passes over a byte order mark.
func (d *File) recognise() error {
	head := make([]byte, 64)
	n, err := d.f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	head = head[:n]
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		d.skip = 3
	}
	text := strings.TrimLeft(string(head[d.skip:]), " \t\r\n")
	for _, format := range formats {
		if strings.HasPrefix(text, format.begins) {
			return errors.New(format.is)
		}
	}
	return nil
}

// each reads the file from its beginning and hands over every object.
func (d *File) each(do func(object) error) error {
	in := io.NewSectionReader(d.f, d.skip, d.Size-d.skip)
	r, err := newReader(bufio.NewReaderSize(in, 256<<10))
	for err == nil {
		var o object
		if o, err = r.next(); err == nil {
			if d.Progress != nil {
				d.Progress(d.skip + r.dec.InputOffset())
			}
			if err := do(o); err != nil {
				return err
			}
		}
	}
	if err == io.EOF {
		return nil
	}
	return d.explain(err)
}

// explain names the file, and for a fault in it the line and the mend.
func (d *File) explain(err error) error {
	var format *FormatError
	var path *os.PathError
	switch {
	case errors.As(err, &format) && format.Object == 0:
		return fmt.Errorf("%s: %w: %s", d.name, err, Again)
	case errors.As(err, &format):
		return fmt.Errorf("%s, object %d, line %d: %s: %s", d.name, format.Object, d.line(format.Offset), format.Reason, Again)
	case errors.As(err, &path) && d.name != "standard input":
		return fmt.Errorf("%s cannot be read: %w", d.name, path.Err)
	}
	return fmt.Errorf("%s: %w", d.name, err)
}

// line is the number of the line in which the next thing after an offset begins.
func (d *File) line(offset int64) int {
	in := bufio.NewReader(io.NewSectionReader(d.f, d.skip, d.Size-d.skip))
	line := 1
	for at := int64(0); ; at++ {
		c, err := in.ReadByte()
		if err != nil || at >= offset && !bytes.ContainsRune([]byte(" \t\r\n,"), rune(c)) {
			return line
		}
		if c == '\n' {
			line++
		}
	}
}
