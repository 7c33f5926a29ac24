package playground

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

func TestLinks_LeadToAQueryOfTheAlertBelowAnyPrefix(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /alerts/{id}", Links())
	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/alerts/42?token=s3cret", nil))
	location := recorder.Header().Get("Location")
	if recorder.Code != http.StatusFound || !strings.HasPrefix(location, "../playground?") || strings.Contains(location, "s3cret") {
		t.Fatalf("%d, %v", recorder.Code, recorder.Header())
	}
	target, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	if got := target.Query().Get("variables"); got != `{"id": "42"}` {
		t.Errorf("variables %s", got)
	}
	source, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: string(source)})
	if _, errs := gqlparser.LoadQueryWithRules(schema, target.Query().Get("query"), rules.NewDefaultRules()); errs != nil {
		t.Errorf("the query does not fit the schema: %v", errs)
	}
}
