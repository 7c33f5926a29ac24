package store

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

type channelRow struct {
	bun.BaseModel `bun:"table:channels,alias:c"`

	ID                  int64 `bun:",pk,autoincrement"`
	Name                string
	Type                models.ChannelType
	Config              []byte
	MinSeverity         models.Severity
	AlertTypes          []string `bun:"type:json"`
	IsActive            bool
	NotifyOnResolve     bool
	NotifyOnAcknowledge bool
	RatePerMinute       *int
	RateBurst           *int
	CreatedAt           time.Time
	UpdatedAt           time.Time
	DeletedAt           *time.Time
}

// Reasons that stand in a cancelled delivery's error.
const (
	CancelledInactive = "the channel was deactivated while the delivery waited"
	CancelledDeleted  = "the channel was deleted while the delivery waited"
)

// Channels gives the channels that are not deleted, newest first.
func (s *Store) Channels(ctx context.Context) ([]*models.Channel, error) {
	var rows []*channelRow
	err := s.db.NewSelect().Model(&rows).Where("deleted_at IS NULL").OrderExpr("id DESC").Scan(ctx)
	if err != nil {
		return nil, s.explain("read channels", err)
	}
	return s.channelModels(rows)
}

// ChannelsByID gives the channels among ids that exist, deleted ones too.
func (s *Store) ChannelsByID(ctx context.Context, ids []int64) (map[int64]*models.Channel, error) {
	var rows []*channelRow
	err := s.read.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx)
	if err != nil {
		return nil, s.explain("read channels", err)
	}
	channels, err := s.channelModels(rows)
	byID := make(map[int64]*models.Channel, len(channels))
	for _, c := range channels {
		byID[c.ID] = c
	}
	return byID, err
}

// CreateChannel stores a channel and gives it an id and its times. CONFLICT when the name is taken.
func (s *Store) CreateChannel(ctx context.Context, c *models.Channel) error {
	err := s.inTx(ctx, "create channel", func(tx bun.Tx) error {
		at := s.Now()
		c.CreatedAt = at
		return s.insertChannel(ctx, tx, c, at)
	})
	return err
}

// insertChannel stores a channel that has its CreatedAt, and gives it an id.
func (s *Store) insertChannel(ctx context.Context, tx bun.Tx, c *models.Channel, at time.Time) error {
	c.UpdatedAt = at
	row := newChannelRow(c)
	row.Config = []byte{} // sealed with the id, which the insert gives
	if _, err := tx.NewInsert().Model(row).ExcludeColumn("id").Returning("id").Exec(ctx); err != nil {
		return nameTaken(c.Name, err)
	}
	c.ID = row.ID
	state := &stateRow{ChannelState: models.ChannelState{ChannelID: c.ID, Health: models.HealthOK, Since: at}}
	if _, err := tx.NewInsert().Model(state).Returning("NULL").Exec(ctx); err != nil {
		return err
	}
	if err := s.auditChannel(ctx, tx, nil, c); err != nil {
		return err
	}
	return s.saveChannel(ctx, tx, c)
}

// UpdateChannel changes a channel with f, which gets a copy and may return an error to leave all as it was. Taking it out
// of use cancels what waits; taking it into use, and a change of its config, let what waits be tried at once, whatever the
// channel's health was and whatever time the service asked for.
// NOT_FOUND, or CONFLICT when the new name is taken.
func (s *Store) UpdateChannel(ctx context.Context, id int64, f func(*models.Channel) error) (*models.Channel, error) {
	var channel *models.Channel
	var off []int64
	err := s.inTx(ctx, "update channel", func(tx bun.Tx) error {
		channels, err := s.lockChannels(ctx, tx, []int64{id})
		if err != nil {
			return err
		}
		channel = channels[0]
		was := *channel
		if err := f(channel); err != nil {
			return err
		}
		channel.UpdatedAt = s.Now()
		if err := s.saveChannel(ctx, tx, channel); err != nil {
			return nameTaken(channel.Name, err)
		}
		if err := s.auditChannel(ctx, tx, &was, channel); err != nil {
			return err
		}
		if off = nil; was.IsActive && !channel.IsActive {
			off = []int64{id}
			return s.cancelWaiting(ctx, tx, []int64{id}, CancelledInactive)
		}
		if was.IsActive == channel.IsActive && reflect.DeepEqual(was.Config, channel.Config) {
			return nil
		}
		return s.mend(ctx, tx, []int64{id})
	})
	if err != nil {
		return nil, err
	}
	s.signalAppended()
	s.cancelRest(ctx, off, CancelledInactive)
	return channel, nil
}

// SetChannelsActive switches channels on or off, all of them when ids is nil, and gives them newest first. All or none.
func (s *Store) SetChannelsActive(ctx context.Context, ids []int64, active bool) ([]*models.Channel, error) {
	var channels []*models.Channel
	var changed []int64
	err := s.inTx(ctx, "switch channels", func(tx bun.Tx) error {
		var err error
		changed = nil
		if channels, err = s.lockChannels(ctx, tx, ids); err != nil || len(channels) == 0 {
			return err
		}
		at := s.Now()
		for _, c := range channels {
			if c.IsActive == active {
				continue
			}
			was := *c
			c.IsActive, c.UpdatedAt = active, at
			changed = append(changed, c.ID)
			if err := s.auditChannel(ctx, tx, &was, c); err != nil {
				return err
			}
		}
		if len(changed) == 0 {
			return nil
		}
		_, err = tx.NewRaw("UPDATE channels SET is_active = ?, updated_at = ? WHERE id IN (?)", active, at, bun.List(changed)).Exec(ctx)
		if err != nil {
			return err
		}
		if !active {
			err = s.cancelWaiting(ctx, tx, changed, CancelledInactive)
		} else {
			err = s.mend(ctx, tx, changed)
		}
		if err != nil {
			return err
		}
		return s.notifyChannels(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	s.signalAppended()
	if !active {
		s.cancelRest(ctx, changed, CancelledInactive)
	}
	return channels, nil
}

// ChannelsWork notes that a test has shown that these channels work: what waits on them is tried at once.
func (s *Store) ChannelsWork(ctx context.Context, ids []int64) error {
	return s.inTx(ctx, "note that channels work", func(tx bun.Tx) error {
		if err := s.mend(ctx, tx, ids); err != nil {
			return err
		}
		return s.notifyChannels(ctx, tx)
	})
}

// DeleteChannels marks channels as deleted, cancels what waits, and resolves the server's own alerts about them, which nobody
// can mend any more. All or none; it gives how many there were.
func (s *Store) DeleteChannels(ctx context.Context, ids []int64) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	n := 0
	err := s.inTx(ctx, "delete channels", func(tx bun.Tx) error {
		channels, err := s.lockChannels(ctx, tx, ids)
		if err != nil {
			return err
		}
		n = len(channels)
		for _, c := range channels {
			if err := s.audit(ctx, tx, models.ChannelDeleted, channelSubject(c), nil); err != nil {
				return err
			}
		}
		_, err = tx.NewRaw("UPDATE channels SET deleted_at = ?0, updated_at = ?0 WHERE id IN (?1)", s.Now(), bun.List(ids)).Exec(ctx)
		if err != nil {
			return err
		}
		if err := s.cancelWaiting(ctx, tx, ids, CancelledDeleted); err != nil {
			return err
		}
		keys := make([]string, 0, 2*len(ids))
		for _, id := range ids {
			keys = append(keys, models.OwnKeyOf(models.ChannelFailing, id), models.OwnKeyOf(models.DeliveryFailed, id))
		}
		if _, err := s.resolveKeys(ctx, tx, keys); err != nil {
			return err
		}
		return s.notifyChannels(ctx, tx)
	})
	if err != nil {
		return 0, err
	}
	s.signalAppended()
	s.cancelRest(ctx, ids, CancelledDeleted)
	return n, nil
}

// lockChannels reads channels that are not deleted, newest first, and keeps others from changing them until the
// transaction ends. Nil = all. NOT_FOUND names the first id that is none.
func (s *Store) lockChannels(ctx context.Context, tx bun.Tx, ids []int64) ([]*models.Channel, error) {
	var rows []*channelRow
	q := tx.NewSelect().Model(&rows).Where("deleted_at IS NULL").OrderExpr("id DESC")
	if ids != nil {
		q = q.Where("id IN (?)", bun.List(ids))
	}
	if s.isPostgres() {
		q = q.For("NO KEY UPDATE")
	}
	if err := q.Scan(ctx); err != nil {
		return nil, err
	}
	found := make(map[int64]bool, len(rows))
	for _, r := range rows {
		found[r.ID] = true
	}
	for _, id := range ids {
		if !found[id] {
			return nil, models.Missing("channel", id)
		}
	}
	return s.channelModels(rows)
}

func (s *Store) saveChannel(ctx context.Context, tx bun.Tx, c *models.Channel) error {
	row := newChannelRow(c)
	plain, err := json.Marshal(c.Config)
	if err != nil {
		return err
	}
	row.Config = s.keyring.Seal(plain, channelAD(c.ID))
	if _, err := tx.NewUpdate().Model(row).WherePK().Exec(ctx); err != nil {
		return err
	}
	return s.notifyChannels(ctx, tx)
}

// Reseal seals every channel's config anew that is not under the current key, deleted channels' too, and gives how many there were.
func (s *Store) Reseal(ctx context.Context) (int, error) {
	resealed := 0
	err := s.inTx(ctx, "seal the channels' secrets anew", func(tx bun.Tx) error {
		resealed = 0
		var rows []*channelRow
		q := tx.NewSelect().Model(&rows).OrderExpr("id")
		if s.isPostgres() {
			q = q.For("UPDATE")
		}
		if err := q.Scan(ctx); err != nil {
			return err
		}
		for _, r := range rows {
			if s.keyring.Current(r.Config) {
				continue
			}
			plain, err := s.keyring.Open(r.Config, channelAD(r.ID))
			if err != nil {
				return fmt.Errorf("channel %d (%q): %w", r.ID, r.Name, err)
			}
			r.Config = s.keyring.Seal(plain, channelAD(r.ID))
			if _, err := tx.NewUpdate().Model(r).Column("config").WherePK().Exec(ctx); err != nil {
				return err
			}
			resealed++
		}
		if resealed == 0 {
			return nil
		}
		return s.audit(ctx, tx, models.SecretsResealed, nil, map[string]any{"channels": resealed})
	})
	return resealed, err
}

// notifyChannels tells the other processes, when the transaction commits, that the channels have changed.
func (s *Store) notifyChannels(ctx context.Context, tx bun.Tx) error {
	if !s.isPostgres() {
		return nil
	}
	_, err := tx.NewRaw("SELECT pg_notify(?, '')", TopicChannels).Exec(ctx)
	return err
}

func newChannelRow(c *models.Channel) *channelRow {
	types := c.AlertTypes
	if types == nil {
		types = []string{}
	}
	row := &channelRow{
		ID: c.ID, Name: c.Name, Type: c.Type(), MinSeverity: c.MinSeverity, AlertTypes: types,
		IsActive: c.IsActive, NotifyOnResolve: c.NotifyOnResolve, NotifyOnAcknowledge: c.NotifyOnAcknowledge,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, DeletedAt: c.DeletedAt,
	}
	if l := c.RateLimit; l != nil {
		row.RatePerMinute, row.RateBurst = &l.PerMinute, &l.Burst
	}
	return row
}

func (r *channelRow) rateLimit() *models.RateLimit {
	if r.RatePerMinute == nil || r.RateBurst == nil {
		return nil
	}
	return &models.RateLimit{PerMinute: *r.RatePerMinute, Burst: *r.RateBurst}
}

func (s *Store) channelModels(rows []*channelRow) ([]*models.Channel, error) {
	channels := make([]*models.Channel, len(rows))
	for i, r := range rows {
		plain, err := s.keyring.Open(r.Config, channelAD(r.ID))
		if err != nil {
			return nil, fmt.Errorf("read the secrets of channel %d (%q): %w", r.ID, r.Name, err)
		}
		config, err := models.NewConfig(r.Type)
		if err != nil {
			return nil, fmt.Errorf("read channel %d: %w", r.ID, err)
		}
		if err := json.Unmarshal(plain, config); err != nil {
			return nil, fmt.Errorf("read the configuration of channel %d: it is not of type %s", r.ID, r.Type)
		}
		channels[i] = &models.Channel{
			ID: r.ID, Name: r.Name, Config: config, MinSeverity: r.MinSeverity, AlertTypes: r.AlertTypes, IsActive: r.IsActive,
			RateLimit: r.rateLimit(), NotifyOnResolve: r.NotifyOnResolve, NotifyOnAcknowledge: r.NotifyOnAcknowledge,
			CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), DeletedAt: utc(r.DeletedAt),
		}
	}
	return channels, nil
}

// channelAD binds a sealed config to its channel: moved to another row, it does not open.
func channelAD(id int64) []byte { return []byte("channel " + strconv.FormatInt(id, 10)) }

func nameTaken(name string, err error) error {
	if isUnique(err) {
		return models.Conflicting("input.name", "there is a channel named %q already: choose another name", name)
	}
	return err
}
