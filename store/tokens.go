package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

type tokenRow struct {
	bun.BaseModel `bun:"table:tokens,alias:k"`

	ID         int64 `bun:",pk,autoincrement"`
	Name       string
	Role       models.Role
	Hash       []byte
	CreatedAt  time.Time
	ExpiresAt  *time.Time
	RevokedAt  *time.Time
	LastUsedAt *time.Time

	AlertsPerMinute *int
}

func (r *tokenRow) model() *models.Token {
	return &models.Token{
		ID: r.ID, Name: r.Name, Role: r.Role, CreatedAt: r.CreatedAt.UTC(), ExpiresAt: utc(r.ExpiresAt),
		RevokedAt: utc(r.RevokedAt), LastUsedAt: utc(r.LastUsedAt), AlertsPerMinute: r.AlertsPerMinute,
	}
}

// CreateToken stores a token by its hash. CONFLICT when a token of that name is in use.
func (s *Store) CreateToken(ctx context.Context, t *models.Token, hash []byte) error {
	return s.inTx(ctx, "create token", func(tx bun.Tx) error {
		t.CreatedAt = s.Now()
		row := &tokenRow{Name: t.Name, Role: t.Role, Hash: hash, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, AlertsPerMinute: t.AlertsPerMinute}
		_, err := tx.NewInsert().Model(row).ExcludeColumn("id").Returning("id").Exec(ctx)
		if isUnique(err) {
			return models.Conflicting("name", "there is a token named %q already: choose another name, or revoke that one", t.Name)
		}
		if err != nil {
			return err
		}
		t.ID = row.ID
		changes := map[string]any{"role": string(t.Role)}
		if t.ExpiresAt != nil {
			changes["expiresAt"] = t.ExpiresAt.UTC()
		}
		if t.AlertsPerMinute != nil {
			changes["alertsPerMinute"] = *t.AlertsPerMinute
		}
		return s.audit(ctx, tx, models.TokenCreated, &auditSubject{t.ID, t.Name}, changes)
	})
}

// CreateFirstToken stores a token only if there is none at all, and reports whether it did.
func (s *Store) CreateFirstToken(ctx context.Context, t *models.Token, hash []byte) (bool, error) {
	res, err := s.db.NewRaw(`
		INSERT INTO tokens (name, role, hash, created_at)
		SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM tokens) ON CONFLICT DO NOTHING`,
		t.Name, t.Role, hash, s.Now()).Exec(ctx)
	if err != nil {
		return false, s.explain("create the first token", err)
	}
	n, err := res.RowsAffected()
	return n > 0, s.explain("create the first token", err)
}

// TokensByHash gives the tokens with these hashes, by their hash. They may be revoked or expired.
func (s *Store) TokensByHash(ctx context.Context, hashes [][]byte) (map[string]*models.Token, error) {
	var rows []*tokenRow
	if err := s.read.NewSelect().Model(&rows).Where("hash IN (?)", bun.List(hashes)).Scan(ctx); err != nil {
		return nil, s.explain("look up tokens", err)
	}
	tokens := make(map[string]*models.Token, len(rows))
	for _, row := range rows {
		tokens[string(row.Hash)] = row.model()
	}
	return tokens, nil
}

// Tokens gives all tokens, newest first.
func (s *Store) Tokens(ctx context.Context) ([]*models.Token, error) {
	var rows []*tokenRow
	if err := s.read.NewSelect().Model(&rows).OrderExpr("id DESC").Scan(ctx); err != nil {
		return nil, s.explain("list tokens", err)
	}
	tokens := make([]*models.Token, len(rows))
	for i, r := range rows {
		tokens[i] = r.model()
	}
	return tokens, nil
}

// NoteTokensUsed stores when tokens were last used.
func (s *Store) NoteTokensUsed(ctx context.Context, used map[int64]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	return s.inTx(ctx, "note when tokens were used", func(tx bun.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(used)) { // in one order everywhere
			at := used[id].UTC()
			_, err := tx.NewRaw("UPDATE tokens SET last_used_at = ?0 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?0)", at, id).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// EndToken revokes a token by its id, if it is in use, and gives it. NOT_FOUND when there is none.
func (s *Store) EndToken(ctx context.Context, id int64) (*models.Token, error) {
	row := new(tokenRow)
	err := s.inTx(ctx, "revoke token", func(tx bun.Tx) error {
		err := s.revoke(ctx, tx, row, "id = ?", id)
		if errors.Is(err, sql.ErrNoRows) { // it is over already, or there never was one
			return one("token", id, tx.NewSelect().Model(row).Where("id = ?", id).Scan(ctx))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return row.model(), nil
}

// RevokeToken ends the token of this name. NOT_FOUND when none is in use.
func (s *Store) RevokeToken(ctx context.Context, name string) error {
	return s.inTx(ctx, "revoke token", func(tx bun.Tx) error {
		err := s.revoke(ctx, tx, new(tokenRow), "name = ?", name)
		if errors.Is(err, sql.ErrNoRows) {
			return models.Missing("token named", name)
		}
		return err
	})
}

// revoke ends the one token in use that where names, or gives sql.ErrNoRows.
func (s *Store) revoke(ctx context.Context, tx bun.Tx, row *tokenRow, where string, arg any) error {
	err := tx.NewRaw("UPDATE tokens SET revoked_at = ? WHERE revoked_at IS NULL AND "+where+" RETURNING *", s.Now(), arg).Scan(ctx, row)
	if err != nil {
		return err
	}
	return s.audit(ctx, tx, models.TokenRevoked, &auditSubject{row.ID, row.Name}, nil)
}
