package main

import (
	"net/http"
	"testing"
)

func TestFront_LinksToAlertsLeadToThePlayground(t *testing.T) {
	s := startServer(t, "")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, status := range map[string]int{
		"/alerts/12": http.StatusFound, "/alerts/9223372036854775807": http.StatusFound,
		"/alerts/0": http.StatusNotFound, "/alerts/012": http.StatusNotFound, "/alerts/-1": http.StatusNotFound, "/alerts/x": http.StatusNotFound,
		"/alerts/9223372036854775808": http.StatusNotFound, "/alerts/12/": http.StatusNotFound, "/alerts/": http.StatusNotFound, "/alerts/1%2f2": http.StatusNotFound,
	} {
		res, err := client.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, status)
		}
	}
}
