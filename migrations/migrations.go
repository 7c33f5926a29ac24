// Package migrations holds the database schema: SQL files per dialect, applied in the order of their numbers, each in a
// transaction of its own. A file that was released is never changed; a change of the schema is a new file in both folders.
//
// Servers of the version before go on with the new tables until they are replaced. So a migration adds: tables, indexes, and columns
// that are null or have a default. What takes something away, or means something else from then on, comes one version later.
package migrations

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/uptrace/bun/migrate"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// For gives the migrations of a dialect: "postgres" or "sqlite".
func For(dialect string) (*migrate.Migrations, error) {
	dir, err := fs.Sub(files, dialect)
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", dialect, err)
	}
	m := migrate.NewMigrations()
	if err := m.Discover(dir); err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", dialect, err)
	}
	return m, nil
}
