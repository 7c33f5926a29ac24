package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/rustbucket/alerts/djangodump"
	"github.com/rustbucket/alerts/store"
)

type importDjango struct {
	File   string `arg:"" help:"What manage.py dumpdata has written; - is standard input."`
	DryRun bool   `help:"Show what would be done, and change nothing."`
}

// run takes channels and alerts over from the registry's dump. The file is read to its end before anything is done. All
// channels come in one transaction, then the alerts in many small ones: after a crash, the same command goes on where it
// was.
func (i importDjango) run(ctx context.Context, c config, s *store.Store, in io.Reader, out, progress io.Writer) error {
	file, err := djangodump.Open(i.File, in, c.DataDir)
	if err != nil {
		return err
	}
	defer file.Close()
	file.Progress = meter(progress, "read", file.Size)
	dump, err := djangodump.Read(file)
	if err != nil {
		return err
	}
	report := importReport{out: out, dryRun: i.DryRun, retention: time.Duration(c.Retention)}
	if err := i.channels(ctx, s, dump, &report); err != nil {
		return err
	}
	file.Progress = meter(progress, "alerts", file.Size)
	if err := i.alerts(ctx, s, dump, &report); err != nil {
		return err
	}
	report.end(dump)
	if report.failed() {
		return errTold
	}
	return nil
}

func (i importDjango) channels(ctx context.Context, s *store.Store, dump *djangodump.Dump, report *importReport) error {
	var imports []store.ChannelImport
	for _, c := range dump.Channels {
		if c.Here != nil {
			imports = append(imports, store.ChannelImport{Origin: store.Origin{PK: c.PK, CreatedAt: c.CreatedAt}, Channel: c.Here})
		}
	}
	results, err := s.ImportChannels(ctx, imports, i.DryRun)
	if err != nil {
		return err
	}
	return report.channels(dump.Channels, results)
}

func (i importDjango) alerts(ctx context.Context, s *store.Store, dump *djangodump.Dump, report *importReport) error {
	if dump.Alerts == 0 {
		return nil
	}
	before, err := s.CountAlerts(ctx, nil)
	if err != nil {
		return err
	}
	report.alertsHere = before
	if report.retention > 0 {
		report.kept = s.Now().Add(-report.retention)
	}
	var batch []store.AlertImport
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		isNew, err := s.ImportAlerts(ctx, batch, report.kept, i.DryRun)
		if err != nil {
			return fmt.Errorf("%w (%d alerts are taken over: the same command goes on with the others)", err, report.newAlerts())
		}
		report.alerts(batch, isNew)
		batch = batch[:0]
		return nil
	}
	err = dump.EachAlert(func(a djangodump.Alert) error {
		report.read(a)
		if a.New == nil {
			return nil
		}
		batch = append(batch, store.AlertImport{Origin: store.Origin{PK: a.PK, CreatedAt: a.CreatedAt}, New: a.New, ResolvedAt: a.ResolvedAt})
		if len(batch) < store.MaxAlertImports {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// meter shows how far a long work is, once a second, from its third second on.
func meter(out io.Writer, what string, size int64) func(int64) {
	next := time.Now().Add(2 * time.Second)
	return func(done int64) {
		if now := time.Now(); now.After(next) && size > 0 {
			next = now.Add(time.Second)
			fmt.Fprintf(out, "%s: %d %%\n", what, 100*done/size)
		}
	}
}
