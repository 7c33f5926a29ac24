package models

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestStatsRange(t *testing.T) {
	moment := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		from, to string
		bucket   StatsBucket
		buckets  int
		first    string
		field    string
		says     string
	}{
		{from: "2025-12-12T10:00:00Z", to: "2025-12-12T11:00:00Z", bucket: PerHour, buckets: 1, first: "2025-12-12T10:00:00Z"},
		{from: "2025-12-12T10:59:59.999999Z", to: "2025-12-12T11:00:00.000001Z", bucket: PerHour, buckets: 2, first: "2025-12-12T10:00:00Z"},
		{from: "2025-12-12T10:30:00+05:30", to: "2025-12-13T00:00:00Z", bucket: PerDay, buckets: 1, first: "2025-12-12T00:00:00Z"},
		{from: "1969-12-31T23:59:30Z", to: "1970-01-01T00:00:30Z", bucket: PerMinute, buckets: 2, first: "1969-12-31T23:59:00Z"},
		{from: "2025-12-01T00:00:00Z", to: "2025-12-02T09:20:00Z", bucket: PerMinute, buckets: 2000, first: "2025-12-01T00:00:00Z"},
		{from: "2025-12-01T00:00:00Z", to: "2025-12-02T09:20:00.000001Z", bucket: PerMinute, field: "bucket", says: "2001 buckets"},
		{from: "0001-01-01T00:00:00Z", to: "9999-12-31T00:00:00Z", bucket: PerMinute, field: "bucket", says: "at most 2000"},
		{from: "2025-12-12T10:00:00Z", to: "2025-12-12T10:00:00Z", bucket: PerDay, field: "from", says: "an earlier from"},
	} {
		r := StatsRange{From: moment(c.from), To: moment(c.to), Bucket: c.bucket}
		err := r.Valid()
		if c.field != "" {
			if own := new(Error); !errors.As(err, &own) || own.Field != c.field || !strings.Contains(own.Message, c.says) {
				t.Errorf("%s to %s: %v", c.from, c.to, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
			continue
		}
		starts := r.Starts()
		if len(starts) != c.buckets || !starts[0].Equal(moment(c.first)) {
			t.Errorf("%s to %s: %d buckets from %v", c.from, c.to, len(starts), starts[0])
		}
		for i, at := range starts {
			if r.Place(at.Unix()) != i {
				t.Errorf("%v is at %d, want %d", at, r.Place(at.Unix()), i)
			}
		}
	}
}
