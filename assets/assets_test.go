package assets

import "testing"

func TestAcceptsGzip(t *testing.T) {
	for value, want := range map[string]bool{
		"":                      false,
		"gzip":                  true,
		"br, GZIP":              true,
		"br;q=1.0, gzip; q=0.5": true,
		"gzip;q=0":              false,
		"*":                     true,
		"*;q=0":                 false,
		"*, gzip;q=0":           false,
		"gzip;q=nonsense":       false,
		"identity, deflate":     false,
	} {
		if got := acceptsGzip([]string{value}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}
