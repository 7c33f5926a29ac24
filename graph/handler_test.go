package graph

import (
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
)

func TestSmallQueries_KeepsNoHugeOnes(t *testing.T) {
	cache := smallQueries{lru.New[*ast.QueryDocument](10)}
	for size, kept := range map[int]bool{100: true, maxKeptQuery: true, maxKeptQuery + 1: false, 1 << 20: false} {
		query := strings.Repeat("x", size)
		cache.Add(t.Context(), query, new(ast.QueryDocument))
		if _, ok := cache.Get(t.Context(), query); ok != kept {
			t.Errorf("a query of %d bytes is kept: %v", size, ok)
		}
	}
}
