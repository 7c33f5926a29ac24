package main

import (
	"net/http"
	"testing"
)

// Messages link to /alerts/{id}, and bookmarks to the views.
func TestFront_LinksLeadToTheConsole(t *testing.T) {
	s := startServer(t, "")
	for path, status := range map[string]int{
		"/": http.StatusOK, "/alerts": http.StatusOK, "/channels": http.StatusOK, "/channels/3": http.StatusOK,
		"/alerts/12": http.StatusOK, "/alerts/9223372036854775807": http.StatusOK,
		"/alerts/0": http.StatusNotFound, "/alerts/012": http.StatusNotFound, "/alerts/-1": http.StatusNotFound, "/alerts/x": http.StatusNotFound,
		"/alerts/9223372036854775808": http.StatusNotFound, "/alerts/12/": http.StatusNotFound, "/alerts/": http.StatusNotFound, "/alerts/1%2f2": http.StatusNotFound,
		"/nothing": http.StatusNotFound,
	} {
		res, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, status)
		}
	}
}
