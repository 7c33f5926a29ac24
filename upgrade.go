package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/rustbucket/alerts/store"
)

// newerEvery is how often a server looks whether a newer one has brought the database up to date.
const newerEvery = 30 * time.Second

// tellOfNewer says in the log, once, that a newer version has brought the database up to date while this one runs on it.
func tellOfNewer(ctx context.Context, s *store.Store, every time.Duration, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		migration, err := s.Newer(ctx)
		if err != nil || migration == "" {
			continue // whoever needs the database tells that it is away
		}
		log.Warn("a newer version has brought the database up to date: this server goes on without what is new there, replace it soon",
			"migration", migration)
		return
	}
}
