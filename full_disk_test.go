package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFault_GoesOnWhenAFullDiskHasSpaceAgain fills a small file system of its own. Where none can be mounted, the store's test
// with a limited number of pages is all there is.
func TestFault_GoesOnWhenAFullDiskHasSpaceAgain(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Logf("no file system can be mounted here (%v: %s): the disk does not get full in this test", err, out)
		return
	}
	t.Cleanup(func() { // after the process was killed
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	t.Log("on a file system of 8 MB")
	p := newProcess(t, "ADMIN_TOKEN="+testToken, "DATA_DIR="+filepath.Join(dir, "data"))
	p.start()
	r := newReceiver(t)
	api := p.api()
	api.createChannel("hook", webhook(r.URL))
	acknowledged := map[string]bool{api.createAlert(map[string]any{"message": "before"}): true}
	ballast := fill(t, dir)

	long := strings.Repeat("x", 9000)
	var refused answer
	api.until("the disk to be full", func() bool {
		a := api.try(createAlertQuery, alertWith("message", long))
		if len(a.Errors) > 0 {
			refused = a
			return true
		}
		acknowledged[at(a.Data, "createAlert", "id").(string)] = true
		return false
	})
	if e := refused.Errors[0]; e.Extensions.Code != "INTERNAL" || !strings.Contains(e.Message, "nothing was stored") || !strings.Contains(e.Message, "no space left") {
		t.Errorf("error %+v", e)
	}
	many := make([]any, 100)
	for i := range many {
		many[i] = map[string]any{"type": "error", "message": long}
	}
	if a := api.try(createAlertsQuery, map[string]any{"inputs": many}); len(a.Errors) == 0 {
		t.Error("a hundred long alerts fit onto the full disk")
	}
	count := func() string { return fmt.Sprint(at(api.do(`{ alerts { totalCount } }`, nil), "alerts", "totalCount")) }
	if n := count(); n != fmt.Sprint(len(acknowledged)) {
		t.Errorf("%s alerts are stored on the full disk, %d were acknowledged", n, len(acknowledged))
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	api.until("an alert to be taken again", func() bool {
		a := api.try(createAlertQuery, alertWith("message", "after"))
		id, ok := at(a.Data, "createAlert", "id").(string)
		acknowledged[id] = ok
		return ok
	})
	delete(acknowledged, "")
	if n := count(); n != fmt.Sprint(len(acknowledged)) {
		t.Errorf("%s alerts are stored, %d were acknowledged", n, len(acknowledged))
	}
	for id := range acknowledged {
		if d := api.deliveries(id); len(d) != 1 || at(d, 0, "status") != "DELIVERED" {
			t.Errorf("deliveries of alert %s: %v", id, d)
		}
	}
	if n := len(r.all()); n != len(acknowledged) {
		t.Errorf("%d sends for %d alerts", n, len(acknowledged))
	}
	p.stop()
}

// fill takes all space of a file system and gives the file that does.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for page := make([]byte, 4096); ; {
		if _, err := f.Write(page); errors.Is(err, syscall.ENOSPC) {
			return path
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
