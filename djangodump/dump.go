package djangodump

// Dump is what a file holds. Its alerts stay in the file.
type Dump struct {
	Channels []Channel
	Alerts   int
	Others   map[string]int // how many rows of each other model there are; at most maxOthers models

	file        *File
	rustbuckets map[string]string // name by id
	logsinks    map[string]string // id of the rustbucket by the log sink's own
}

// maxOthers is how many other models are told apart. The registry has ten, with Django's own.
const maxOthers = 100

// Read reads the file from its beginning to its end, so that one that is broken is known as such before anything is done.
// The errors name the file, the place in it and the mend.
func Read(file *File) (*Dump, error) {
	d := &Dump{file: file, Others: map[string]int{}, rustbuckets: map[string]string{}, logsinks: map[string]string{}}
	return d, file.each(func(o object) error {
		switch o.Model {
		case "notificationchannel":
			d.Channels = append(d.Channels, readChannel(o))
		case "alert":
			d.Alerts++
		case "rustbucket":
			if f, err := readFields(o.Fields); err == nil {
				d.rustbuckets[o.PK], _ = f.text("", "name")
			}
		case "logsink":
			if f, err := readFields(o.Fields); err == nil {
				d.logsinks[o.PK], _ = f.key("rustbucket")
			}
		default:
			if _, known := d.Others[o.Label]; known || len(d.Others) < maxOthers {
				d.Others[o.Label]++
			}
		}
		return nil
	})
}

// EachAlert reads the file again and hands over its alerts in their order, until do returns an error.
func (d *Dump) EachAlert(do func(Alert) error) error {
	return d.file.each(func(o object) error {
		if o.Model != "alert" {
			return nil
		}
		return do(d.readAlert(o))
	})
}
