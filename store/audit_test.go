package store_test

import (
	"strings"
	"testing"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

func TestAudit_StaysAsItIs(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		newChannel(t, s, "one")
		before, err := s.AuditLog(t.Context(), nil, 0, 10)
		if err != nil || len(before) != 1 || before[0].Action != models.ChannelCreated || before[0].By != "server" {
			t.Fatalf("the audit log is %+v, %v", before, err)
		}
		for _, sql := range []string{`UPDATE audit SET "by" = 'nobody'`, "DELETE FROM audit"} {
			if err := s.Do(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "only added to") {
				t.Errorf("%s: %v", sql, err)
			}
		}
		if n, err := s.CountAudit(t.Context(), nil); err != nil || n != 1 {
			t.Errorf("%d entries, %v", n, err)
		}
	})
}

func TestAudit_WhatFailsIsNotNoted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		c := newChannel(t, s, "one")
		if _, err := s.UpdateChannel(t.Context(), c.ID, func(c *models.Channel) error { c.Name = "two"; return models.Invalid("name", "no") }); err == nil {
			t.Fatal("updated")
		}
		if _, err := s.DeleteChannels(t.Context(), []int64{c.ID, 987654321}); err == nil {
			t.Fatal("deleted")
		}
		if n, err := s.CountAudit(t.Context(), nil); err != nil || n != 1 {
			t.Errorf("%d entries, %v", n, err)
		}
	})
}
